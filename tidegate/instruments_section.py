"""The instruments of a portfolio file: what each product needs to be told."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from tidegate.instruments import FX, OPTION, Instrument, OptionTerms
from tidegate.limits_section import Positive, bounded
from tidegate.numbers import ONE, ZERO
from tidegate.times import from_datetime, to_datetime, to_ns
from tidegate.v1 import instruments_pb2
from tidegate.yaml_file import Problem

Symbol = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,32}$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3,4}$")]
# What a time on the wire can be.
_EARLIEST, _LATEST = (datetime(year, 1, 1, tzinfo=UTC) for year in (1971, 2262))
Rate = Annotated[Decimal, Field(ge=-1, le=1, decimal_places=8)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OptionSection(_Section):
    """
    What an option is on, and what its delta is worked out from.

    expiry: the moment, with its time zone, from which on it is not traded. volatility, interest_rate: a year's.
    """

    underlying: Symbol
    strike: Positive
    expiry: Annotated[AwareDatetime, Field(ge=_EARLIEST, lt=_LATEST)]
    right: Literal["call", "put"]
    volatility: Annotated[Positive, Field(le=10)]
    interest_rate: Rate = ZERO

    def to_terms(self) -> OptionTerms:
        """Turn the section into what the engine knows."""
        return OptionTerms(**self.model_dump(exclude={"expiry"}), expiry_ns=from_datetime(self.expiry))


class InstrumentSection(_Section):
    """
    One instrument that may be traded; everything else is refused.

    buys: of fx, the currency that a unit of it is; ``currency`` is the one that it is priced in.
    option: what an option is on. proxy: whose returns stand for its own in scenarios, times proxy_scale, while it has
    too few of them.
    """

    symbol: Symbol
    tick: Positive = Decimal("0.01")
    lot: Positive = ONE
    multiplier: Positive = ONE
    currency: Currency | None = None
    sector: str = ""
    asset_class: Literal["equity", "etf", "fund", "bond", "crypto", "fx", "future", "option"] = "equity"
    min_quantity: Positive | None = None
    max_quantity: Positive | None = None
    min_notional: Positive | None = None
    max_notional: Positive | None = None
    calendar: str = ""
    buys: Currency | Literal[""] = ""
    option: OptionSection | None = None
    proxy: Symbol | Literal[""] = ""
    proxy_scale: Annotated[Decimal, AfterValidator(bounded)] = ONE

    @model_validator(mode="after")
    def _has_another_as_its_proxy(self) -> Self:
        if self.proxy == self.symbol:
            message = "an instrument cannot stand for itself"
            raise ValueError(message)
        if not self.proxy_scale or (self.proxy_scale != ONE and not self.proxy):
            message = "proxy_scale is what a proxy's returns are multiplied by, and not zero"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _has_room_between_its_sizes(self) -> Self:
        for what in ("quantity", "notional"):
            least, most = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            if least is not None and most is not None and least > most:
                message = f"min_{what} is above max_{what}"
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _has_what_its_product_needs(self) -> Self:
        if (self.asset_class == FX) is not bool(self.buys):
            message = "an fx instrument says which currency it buys, and no other instrument does"
            raise ValueError(message)
        if (self.asset_class == OPTION) is not (self.option is not None):
            message = "an option says what it is on, under the key option, and no other instrument does"
            raise ValueError(message)
        if self.asset_class == FX and self.multiplier != ONE:
            message = "an fx instrument has the multiplier 1: a unit of it is a unit of the currency that it buys"
            raise ValueError(message)
        return self

    def to_instrument(self, base_currency: str) -> Instrument:
        """Turn the section into what the engine knows."""
        figures = self.model_dump(exclude={"option"}) | {"currency": self.currency or base_currency}
        return Instrument(**figures, option=None if self.option is None else self.option.to_terms())


def instrument_problems(instruments: list[InstrumentSection], base: str, rates: dict[str, str]) -> Iterator[Problem]:
    """Find what no single instrument shows: currencies without a rate, rates that are none, options on nothing."""
    yield from _currency_problems(instruments, base, rates)
    yield from _option_problems(instruments, base)
    symbols = {instrument.symbol for instrument in instruments}
    for index, instrument in enumerate(instruments):
        if instrument.proxy and instrument.proxy not in symbols:
            yield Problem(("instruments", index, "proxy"), f"no instrument is called {instrument.proxy}")


def section_of(message: instruments_pb2.Instrument) -> InstrumentSection:
    """
    Hold an instrument from the wire against what the portfolio file asks of one.

    Raises:
        ValidationError: the portfolio file would refuse it.
    """
    stated = {field.name: value for field, value in message.ListFields() if field.name != "option"}
    if message.HasField("option"):
        option = {field.name: value for field, value in message.option.ListFields()}
        stated["option"] = option | {"expiry": to_datetime(to_ns(message.option.expiry))}
    return InstrumentSection.model_validate(stated)


def first_fault(error: ValidationError) -> str:
    """Say in a line what is wrong with an instrument first."""
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else fault["msg"].removeprefix("Value error, ")


def _currency_problems(instruments: list[InstrumentSection], base: str, rates: dict[str, str]) -> Iterator[Problem]:
    """Find currencies without a rate, and rates that are none."""
    fx = {i.symbol: i for i in instruments if i.asset_class == FX and i.currency in (None, base)}
    for currency, symbol in rates.items():
        if currency == base:
            yield Problem(("currencies", currency), f"{currency} is the portfolio's currency; its rate is 1")
        elif symbol not in fx or fx[symbol].buys != currency:
            text = f"{symbol} is no fx instrument that buys {currency} and is priced in {base}"
            yield Problem(("currencies", currency), text)
    known = {base, *rates}
    for index, instrument in enumerate(instruments):
        for key in ("currency", "buys"):
            currency = getattr(instrument, key)
            if currency and currency not in known:
                text = f"{currency} has no rate: currencies names none for it"
                yield Problem(("instruments", index, key), text)
        if instrument.buys and instrument.buys == (instrument.currency or base):
            yield Problem(("instruments", index, "buys"), f"{instrument.buys} cannot buy itself")


def _option_problems(instruments: list[InstrumentSection], base: str) -> Iterator[Problem]:
    """Find options on what there is not, or on what has no price of its own in their currency."""
    plain_ones = {i.symbol: i for i in instruments if i.asset_class not in (FX, OPTION)}
    for index, instrument in enumerate(instruments):
        if instrument.option is None:
            continue
        underlying, place = instrument.option.underlying, ("instruments", index, "option", "underlying")
        if underlying not in plain_ones:
            yield Problem(place, f"{underlying} is no instrument that an option can be on")
        elif (plain_ones[underlying].currency or base) != (instrument.currency or base):
            yield Problem(place, f"{underlying} is priced in another currency than its option")
