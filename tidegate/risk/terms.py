"""What a strategy may do with which capital."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tidegate.v1 import journal_pb2

CASH: Final = "cash"
MARGIN: Final = "margin"


@dataclass(frozen=True, slots=True)
class Terms:
    """
    One strategy's terms.

    kind: ``cash`` (cash never negative, no shorts) or ``margin``.
    max_leverage: for margin, its gross exposure as a multiple of its own equity.
    """

    kind: str
    capital: Decimal
    max_leverage: Decimal

    @classmethod
    def from_wire(cls, message: journal_pb2.StrategyTerms) -> "Terms":
        """Read the terms from the journal."""
        return cls(message.kind, Decimal(message.capital), Decimal(message.max_leverage))

    @property
    def is_margin(self) -> bool:
        """Whether the strategy may borrow and sell short."""
        return self.kind == MARGIN
