"""Permitted instruments: what a strategy may trade at all."""

from dataclasses import dataclass

from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import strategy_scope
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2


@dataclass(frozen=True, slots=True)
class Permitted(Check):
    """Refuse what is not on its strategy's list, reducing or not; a strategy without a list may trade everything."""

    lists: dict[str, frozenset[str]]

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None."""
        strategy_id, symbol = proposal.request.strategy_id, proposal.request.symbol
        allowed = self.lists.get(strategy_id)
        if allowed is None or symbol in allowed:
            return None
        text = f"strategy {strategy_id} may not trade {symbol}"
        scope = strategy_scope(strategy_id)
        return Violation(Reason.INSTRUMENT_NOT_PERMITTED, common_pb2.ACTION_REJECT, text, scope)
