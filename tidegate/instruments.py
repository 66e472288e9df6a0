"""What is traded."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from tidegate.errors import BookError
from tidegate.numbers import parse, parse_positive, plain
from tidegate.times import to_ns, to_stamp
from tidegate.v1 import journal_pb2

FUTURE: Final = "future"
OPTION: Final = "option"
FX: Final = "fx"

CALL = "call"
PUT = "put"

# What a fill does to cash: the price is paid; only gains and losses are; one currency's cash becomes another's.
IN_FULL: Final = 0
BY_VARIATION: Final = 1
BY_EXCHANGE: Final = 2

_SETTLEMENTS: Final = {FUTURE: BY_VARIATION, FX: BY_EXCHANGE}


class OptionTerms(NamedTuple):
    """
    What an option is on; it is worth nothing more, and not traded, from its expiry on.

    right: ``call`` or ``put``. volatility, interest_rate: a year's, for its delta.
    """

    underlying: str
    strike: Decimal
    expiry_ns: int
    right: str
    volatility: Decimal
    interest_rate: Decimal


@dataclass(frozen=True, slots=True)
class Instrument:
    """
    One instrument, in FIX's meaning.

    tick: order prices are whole multiples of it (marks and fills need not be).
    lot: order quantities are whole multiples of it.
    multiplier: money per unit of price and quantity.
    currency: what it is priced in.
    buys: of fx, the currency that a unit of it is.
    min_quantity to max_notional: of one order; None for none.
    calendar: traded in its sessions only; empty for always.
    """

    symbol: str
    tick: Decimal
    lot: Decimal
    multiplier: Decimal
    currency: str
    sector: str
    asset_class: str
    buys: str = ""
    option: OptionTerms | None = None
    min_quantity: Decimal | None = None
    max_quantity: Decimal | None = None
    min_notional: Decimal | None = None
    max_notional: Decimal | None = None
    calendar: str = ""

    @property
    def settlement(self) -> int:
        """What a fill does to cash."""
        return _SETTLEMENTS.get(self.asset_class, IN_FULL)

    @classmethod
    def from_wire(cls, message: journal_pb2.Instrument) -> "Instrument":
        """Read an instrument from the journal."""
        tick, lot, multiplier = (parse_positive(text) for text in (message.tick, message.lot, message.multiplier))
        if tick is None or lot is None or multiplier is None:
            text = f"instrument {message.symbol!r}: tick, lot and multiplier must be positive decimals"
            raise BookError(text)
        option = _read_option(message) if message.HasField("option") else None
        return cls(
            message.symbol,
            tick,
            lot,
            multiplier,
            message.currency,
            message.sector,
            message.asset_class,
            message.buys,
            option,
            calendar=message.calendar,
            **{name: Decimal(text) if (text := getattr(message, name)) else None for name in _SIZES},
        )

    def to_wire(self) -> journal_pb2.Instrument:
        """Write the instrument for the journal."""
        return journal_pb2.Instrument(
            symbol=self.symbol,
            tick=plain(self.tick),
            lot=plain(self.lot),
            multiplier=plain(self.multiplier),
            currency=self.currency,
            sector=self.sector,
            asset_class=self.asset_class,
            buys=self.buys,
            option=None if self.option is None else _write_option(self.option),
            calendar=self.calendar,
            **{name: plain(size) for name in _SIZES if (size := getattr(self, name)) is not None},
        )


_SIZES = ("min_quantity", "max_quantity", "min_notional", "max_notional")


def _read_option(message: journal_pb2.Instrument) -> OptionTerms:
    terms = message.option
    strike, volatility = parse_positive(terms.strike), parse_positive(terms.volatility)
    interest_rate = parse(terms.interest_rate)
    if strike is None or volatility is None or interest_rate is None or terms.right not in {CALL, PUT}:
        text = f"option {message.symbol!r}: a strike, a volatility, an interest rate and a right are needed"
        raise BookError(text)
    return OptionTerms(terms.underlying, strike, to_ns(terms.expiry), terms.right, volatility, interest_rate)


def _write_option(terms: OptionTerms) -> journal_pb2.OptionTerms:
    return journal_pb2.OptionTerms(
        underlying=terms.underlying,
        strike=plain(terms.strike),
        expiry=to_stamp(terms.expiry_ns),
        right=terms.right,
        volatility=plain(terms.volatility),
        interest_rate=plain(terms.interest_rate),
    )
