"""What is traded."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.errors import BookError
from tidegate.numbers import parse_positive, plain
from tidegate.v1 import journal_pb2


@dataclass(frozen=True, slots=True)
class Instrument:
    """
    One instrument, in FIX's meaning.

    tick: order prices are whole multiples of it (marks and fills need not be).
    lot: order quantities are whole multiples of it.
    multiplier: money per unit of price and quantity.
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
    min_quantity: Decimal | None = None
    max_quantity: Decimal | None = None
    min_notional: Decimal | None = None
    max_notional: Decimal | None = None
    calendar: str = ""

    @classmethod
    def from_wire(cls, message: journal_pb2.Instrument) -> "Instrument":
        """Read an instrument from the journal."""
        tick, lot, multiplier = (parse_positive(text) for text in (message.tick, message.lot, message.multiplier))
        if tick is None or lot is None or multiplier is None:
            text = f"instrument {message.symbol!r}: tick, lot and multiplier must be positive decimals"
            raise BookError(text)
        return cls(
            message.symbol,
            tick,
            lot,
            multiplier,
            message.currency,
            message.sector,
            message.asset_class,
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
            calendar=self.calendar,
            **{name: plain(size) for name in _SIZES if (size := getattr(self, name)) is not None},
        )


_SIZES = ("min_quantity", "max_quantity", "min_notional", "max_notional")
