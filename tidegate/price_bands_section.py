"""The price bands of a portfolio file: which price is held until further ones confirm it."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tidegate.limits_section import Positive
from tidegate.risk.price_bands import DAILY, Band

_BAND, _CONFIRMATIONS = Decimal("0.10"), 2
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,32}$")]

# Before the file's own: a live price far away is confirmed twice; a daily close is what it is, however far away.
BANDS = (Band(share=_BAND, confirmations=_CONFIRMATIONS), Band(interval=DAILY, share=_BAND))


class PriceBandSection(BaseModel):
    """How far the prices that it names may be from the mark, and the further prints that confirm one further away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    symbol: _Name | None = None
    feed: _Name | None = None
    interval: _Name | None = None
    band: Positive = _BAND
    confirmations: Annotated[int, Field(ge=0, le=20)] = _CONFIRMATIONS

    @model_validator(mode="after")
    def _names_no_feed_of_bars(self) -> Self:
        if self.feed is not None and self.interval is not None:
            message = "a feed has live prices, an interval has bars: name one of them"
            raise ValueError(message)
        return self

    def to_band(self) -> Band:
        """Turn the entry into what the gate works with."""
        return Band(self.symbol or "", self.feed or "", self.interval or "", self.band, self.confirmations)
