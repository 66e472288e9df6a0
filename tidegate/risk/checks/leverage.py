"""Leverage: how much gross exposure the portfolio's equity may carry."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.numbers import plain
from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.violation import Violation, money
from tidegate.v1 import common_pb2


@dataclass(frozen=True, slots=True)
class Leverage(Check):
    """
    Cap gross exposure, worst case of all working orders included, as a multiple of equity.

    Strict: an order that lands exactly on the limit passes.
    """

    warn: Decimal | None
    limit: Decimal | None

    def check(self, proposal: Proposal) -> Violation | None:
        """Return what the order would violate, or None."""
        return self.assess(proposal.gross_exposure, proposal.equity)

    def assess(self, exposure: Decimal, equity: Decimal) -> Violation | None:
        """Hold a gross exposure against the equity; a product, not a ratio, so that equity <= 0 never passes."""
        if self.limit is not None and exposure > self.limit * equity:
            return _violation(common_pb2.ACTION_REJECT, self.limit, exposure, equity)
        if self.warn is not None and exposure > self.warn * equity:
            return _violation(common_pb2.ACTION_WARN, self.warn, exposure, equity)
        return None


def _violation(action: common_pb2.Action.ValueType, limit: Decimal, exposure: Decimal, equity: Decimal) -> Violation:
    text = f"gross exposure {money(exposure)} is over {plain(limit)} times equity, {money(limit * equity)}"
    return Violation(Reason.LEVERAGE, action, text, limit=limit * equity, actual=exposure)
