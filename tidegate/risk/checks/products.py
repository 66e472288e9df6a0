"""Products: what an instrument's kind forbids."""

from tidegate.instruments import BY_VARIATION
from tidegate.numbers import ZERO
from tidegate.reasons import Reason
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import strategy_scope
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2


class MarginNeeded:
    """Refuse a cash strategy's futures: their losses take cash that nothing has reserved."""

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None."""
        if proposal.terms.is_margin or proposal.instrument.settlement != BY_VARIATION:
            return None
        text = f"{proposal.instrument.symbol} is a future, and a strategy of kind cash may not trade it"
        scope = strategy_scope(proposal.request.strategy_id)
        return Violation(
            Reason.MARGIN_NEEDED, common_pb2.ACTION_REJECT, text, scope, limit=ZERO, actual=proposal.leaves_quantity
        )
