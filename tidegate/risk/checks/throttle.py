"""Throttle: who was filled too often within a short time adds no risk until a named person says so."""

from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import strategy_scope
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2


class Throttle(Check):
    """Refuse added risk of a strategy that is throttled, as a whole or in the order's instrument."""

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None."""
        throttles = proposal.book.throttles
        if not throttles:
            return None
        strategy_id = proposal.request.strategy_id
        reason = throttles.get((strategy_id, "")) or throttles.get((strategy_id, proposal.request.symbol))
        if reason is None:
            return None
        text = f"{reason}; it may only reduce until somebody releases it"
        return Violation(Reason.EXECUTION_THROTTLE, common_pb2.ACTION_REJECT, text, strategy_scope(strategy_id))
