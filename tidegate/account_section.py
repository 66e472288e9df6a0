"""An adapter's account at its broker, as the portfolio file states it: what its statements are held against."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tidegate.instruments_section import Currency
from tidegate.limits_section import bounded
from tidegate.numbers import plain
from tidegate.risk.scopes import PORTFOLIO, Scope, instrument_scope, strategy_scope
from tidegate.v1 import common_pb2, journal_pb2, reconciliation_pb2

Amount = Annotated[Decimal, AfterValidator(bounded)]


class BreakHaltSection(BaseModel):
    """What a break halts: the portfolio, or one strategy or instrument."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: Literal["reduce_only", "halted"] = "halted"
    strategy: str | None = None
    instrument: str | None = None

    @model_validator(mode="after")
    def _has_one_scope(self) -> Self:
        if self.strategy is not None and self.instrument is not None:
            message = "a halt has one scope: a strategy or an instrument, else the portfolio"
            raise ValueError(message)
        return self

    @property
    def scope(self) -> Scope:
        """What is halted."""
        if self.strategy is not None:
            return strategy_scope(self.strategy)
        return PORTFOLIO if self.instrument is None else instrument_scope(self.instrument)


class AccountSection(BaseModel):
    """
    One account: its id in the adapter's reports, and its cash when the journal begins.

    in_flight_s: how long what the broker has not reported yet may explain a difference. halt: what a break halts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[!-~]{1,64}$")]
    cash: dict[Currency, Amount] = {}
    in_flight_s: Annotated[int, Field(ge=0, le=86_400)] = 60
    halt: BreakHaltSection | None = None

    def to_wire(self, adapter: str) -> journal_pb2.BrokerAccount:
        """Write what the journal has to know."""
        message = journal_pb2.BrokerAccount(
            account=self.id,
            adapter=adapter,
            cash=[reconciliation_pb2.StatedCash(currency=c, amount=plain(a)) for c, a in self.cash.items()],
            in_flight_s=self.in_flight_s,
        )
        if self.halt is not None:
            message.halt_level = common_pb2.HaltLevel.Value(f"HALT_LEVEL_{self.halt.level.upper()}")
            message.halt_scope.CopyFrom(self.halt.scope.to_wire())
        return message
