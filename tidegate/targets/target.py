"""A portfolio target: how much of an instrument is to be held."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from tidegate.instruments import Instrument
from tidegate.numbers import ZERO


def whole_lots(quantity: Decimal, lot: Decimal) -> Decimal:
    """Round a quantity to whole lots, towards zero: never more risk than was asked for."""
    return (quantity / lot).to_integral_value(rounding=ROUND_DOWN) * lot + ZERO  # never -0


@dataclass(frozen=True, slots=True)
class PortfolioTarget:
    """
    How much of an instrument is to be held; negative is short.

    liquidates: a risk model wants out, and the strategy's own target is suppressed from now on; reason says why.
    """

    symbol: str
    quantity: Decimal
    liquidates: bool = False
    reason: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no quantity; a float is not exact."""
        if not isinstance(self.quantity, Decimal) or not self.quantity.is_finite():
            message = f"a target of {self.symbol} is a finite Decimal, not {self.quantity!r}"
            raise ValueError(message)

    @classmethod
    def of_equity(
        cls, instrument: Instrument, share: Decimal, *, equity: Decimal, price: Decimal, rate: Decimal
    ) -> "PortfolioTarget":
        """
        Hold so much that it is worth a share of the equity, in whole lots, rounded towards zero.

        rate: of the instrument's currency in the equity's. Without equity above zero there is nothing to take a share
        of: the target is zero.
        """
        unit = price * instrument.multiplier * rate
        quantity = share * equity / unit if equity > ZERO else ZERO
        return cls(instrument.symbol, whole_lots(quantity, instrument.lot))

    @classmethod
    def liquidation(cls, symbol: str, reason: str) -> "PortfolioTarget":
        """Hold nothing more of an instrument, until it is re-armed."""
        return cls(symbol, ZERO, liquidates=True, reason=reason)
