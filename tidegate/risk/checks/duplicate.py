"""Duplicate order: the same order twice within a moment is a mistake."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.counters.duplicates import sameness
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import strategy_scope
from tidegate.risk.violation import Violation
from tidegate.times import NS_PER_MS
from tidegate.v1 import common_pb2


@dataclass(frozen=True, slots=True)
class Duplicate(Check):
    """
    Refuse a new order like one that was accepted less than the window ago, reducing or not.

    Like it: of the same strategy, instrument, side, quantity and prices. Exactly the window later passes. A replacement
    is none: it names the order that it changes. Nor is an emergency exit: a large position is closed in equal parts.
    """

    within_ns: int

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None."""
        request = proposal.request
        if proposal.replaced is not None or request.HasField("emergency"):
            return None
        last_ns = proposal.book.counters.duplicates.last_ns(sameness(request))
        if last_ns is None or proposal.now_ns - last_ns >= self.within_ns:
            return None
        limit, actual = Decimal(self.within_ns) / NS_PER_MS, Decimal(proposal.now_ns - last_ns) / NS_PER_MS
        text = f"the same order was accepted {actual:.3f} ms before, less than {limit:.0f} ms"
        scope = strategy_scope(request.strategy_id)
        return Violation(Reason.DUPLICATE_ORDER, common_pb2.ACTION_REJECT, text, scope, limit=limit, actual=actual)
