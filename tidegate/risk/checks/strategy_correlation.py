"""Strategy correlation: two strategies that make the same are one bet; while they are too alike neither adds to it."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.numbers import plain
from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.limit import Limit
from tidegate.risk.proposal import Proposal
from tidegate.risk.session_history import OBSERVATIONS_MIN
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2


@dataclass(frozen=True, slots=True)
class StrategyCorrelation(Check):
    """
    Hold back both strategies of a pair while its correlation, as the last event on it says, is over the limit.

    Strict: exactly at a threshold passes. No order changes it: it is worked out once a session (correlation.py). A
    strategy whose own returns leave it undefined gets what ``on_undefined`` says.
    """

    limit: Limit

    def check(self, proposal: Proposal) -> Violation | None:
        """Return what holds the order's strategy back, or None."""
        book, strategy_id = proposal.book, proposal.request.strategy_id
        standing = book.correlation_breaches.worst_of(strategy_id)
        if standing is not None:
            found = self.assess(standing.pair, standing.correlation)
            if found is not None:
                return found.of_an_order()
        fault = book.strategy_returns.lack_of(strategy_id, book)
        if not fault:
            return None
        text = f"correlation of strategies is undefined: {fault}"
        bound = Decimal(OBSERVATIONS_MIN)
        return Violation(Reason.RISK_UNDEFINED, self.limit.on_undefined, text, self.limit.scope, limit=bound)

    def assess(self, pair: tuple[str, str], correlation: Decimal) -> Violation | None:
        """Return what a pair violates, or None."""
        limit = self.limit
        if limit.limit is not None and correlation > limit.limit:
            return self._violation(limit.action, limit.limit, pair, correlation)
        if limit.warn is not None and correlation > limit.warn:
            return self._violation(common_pb2.ACTION_WARN, limit.warn, pair, correlation)
        return None

    def _violation(
        self, action: common_pb2.Action.ValueType, threshold: Decimal, pair: tuple[str, str], correlation: Decimal
    ) -> Violation:
        text = f"correlation of strategies {pair[0]} and {pair[1]} is {correlation:.4f}, over {plain(threshold)}"
        scope = self.limit.scope
        return Violation(Reason.STRATEGY_CORRELATION, action, text, scope, limit=threshold, actual=correlation)
