"""Short sale: a margin strategy that may only be long."""

from dataclasses import dataclass

from tidegate.numbers import ZERO, plain
from tidegate.orders import BUY
from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import strategy_scope
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2


@dataclass(frozen=True, slots=True)
class ShortSale(Check):
    """Refuse what could leave such a strategy short, its working sells counted; a flip could."""

    long_only: frozenset[str]

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None; selling all that is left passes."""
        strategy_id = proposal.request.strategy_id
        if proposal.sign == BUY or strategy_id not in self.long_only:
            return None
        limit, actual = max(proposal.position_quantity - proposal.working_sells, ZERO), proposal.leaves_quantity
        if actual <= limit:
            return None
        text = f"strategy {strategy_id} may not sell short: the order sells {plain(actual)} of the {plain(limit)} left"
        scope = strategy_scope(strategy_id)
        return Violation(Reason.SHORT_SALE, common_pb2.ACTION_REJECT, text, scope, limit=limit, actual=actual)
