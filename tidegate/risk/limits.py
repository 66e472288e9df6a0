"""The limits that the portfolio file states."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.numbers import plain
from tidegate.times import NS_PER_S
from tidegate.v1 import risk_pb2


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Limits of the whole portfolio; None where there is none.

    leverage, concentration, drawdown: shares of equity. notional: base currency. Defaults: those of RustyBT.
    """

    max_leverage: Decimal | None = Decimal("2.0")
    warn_leverage: Decimal | None = Decimal("1.8")
    max_concentration: Decimal | None = Decimal("0.20")
    warn_concentration: Decimal | None = Decimal("0.15")
    halt_drawdown: Decimal | None = Decimal("0.20")
    max_drawdown: Decimal | None = Decimal("0.15")
    warn_drawdown: Decimal | None = Decimal("0.10")
    max_order_notional: Decimal | None = None
    max_order_quantity: Decimal | None = None
    max_price_age_ns: int = 60 * NS_PER_S

    @classmethod
    def from_wire(cls, message: risk_pb2.Limits) -> "Limits":
        """Read the limits from the journal."""
        return cls(
            **{name: Decimal(text) if (text := getattr(message, name)) else None for name in _DECIMALS},
            max_price_age_ns=message.max_price_age_s * NS_PER_S,
        )

    def to_wire(self) -> risk_pb2.Limits:
        """Write the limits for the journal."""
        texts = {name: plain(value) for name in _DECIMALS if (value := getattr(self, name)) is not None}
        return risk_pb2.Limits(**texts, max_price_age_s=self.max_price_age_ns // NS_PER_S)


_DECIMALS = (
    "max_leverage",
    "warn_leverage",
    "max_concentration",
    "warn_concentration",
    "halt_drawdown",
    "max_drawdown",
    "warn_drawdown",
    "max_order_notional",
    "max_order_quantity",
)
