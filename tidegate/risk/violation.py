"""One limit that an order or the book is over, with its figures."""

from dataclasses import dataclass, replace
from decimal import Decimal

from tidegate.numbers import plain
from tidegate.reasons import Reason
from tidegate.risk.scopes import PORTFOLIO, Scope
from tidegate.v1 import common_pb2


@dataclass(frozen=True, slots=True)
class Violation:
    """
    What is over which limit, and what is done about it.

    limit: the largest value that passes; actual: the value found, in the same unit.
    """

    reason: Reason
    action: common_pb2.Action.ValueType
    text: str
    scope: Scope = PORTFOLIO
    limit: Decimal | None = None
    actual: Decimal | None = None

    def of_an_order(self) -> "Violation":
        """Return what an order is answered with: what it could do refuses, only what has happened halts."""
        is_halt = self.action == common_pb2.ACTION_HALT
        return replace(self, action=common_pb2.ACTION_REJECT) if is_halt else self

    def to_wire(self) -> common_pb2.Violation:
        """Write the violation."""
        return common_pb2.Violation(
            reason_code=self.reason,
            action=self.action,
            scope=self.scope.to_wire(),
            limit="" if self.limit is None else plain(self.limit),
            actual="" if self.actual is None else plain(self.actual),
            text=self.text,
        )


def percent(share: Decimal) -> str:
    """Write a share for a sentence: ``15%``."""
    return f"{plain(share * 100)}%"


def money(amount: Decimal) -> str:
    """Write an amount for a sentence: ``1,234.50``."""
    return f"{amount:,.2f}"
