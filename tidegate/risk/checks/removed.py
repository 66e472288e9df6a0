"""Removed: what is not there any more trades nothing."""

from collections.abc import Collection
from dataclasses import dataclass

from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import strategy_scope
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2


@dataclass(frozen=True, slots=True)
class Removed(Check):
    """Refuse every order of a strategy that was removed; an officer's exit passes, for a late report may leave one."""

    strategy_ids: Collection[str]

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None."""
        request = proposal.request
        if request.strategy_id not in self.strategy_ids or request.HasField("emergency"):
            return None
        text = f"strategy {request.strategy_id} was removed"
        scope = strategy_scope(request.strategy_id)
        return Violation(Reason.STRATEGY_REMOVED, common_pb2.ACTION_REJECT, text, scope)
