"""Working orders: how many orders may be at brokers at once."""

from decimal import Decimal

from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.order_rules import OrderRules
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import PORTFOLIO, Scope, strategy_scope
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2


class WorkingOrders(Check):
    """Refuse one order more than may work, pending cancels counted; a replacement is no more than what it replaces."""

    def __init__(self, rules: OrderRules) -> None:
        """Take the most of all strategies and of each."""
        self._limit = rules.rates.working_orders
        self._limits = {name: rates.working_orders for name, rates in rules.strategy_rates.items()}

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None; of two, the strategy's."""
        if proposal.replaced is not None:
            return None
        strategy_id, book = proposal.request.strategy_id, proposal.book
        limit, count = self._limits.get(strategy_id), len(book.strategies[strategy_id].orders) + 1
        if limit is not None and count > limit:
            return _violation(strategy_scope(strategy_id), limit, count)
        limit, count = self._limit, len(book.orders) + 1
        if limit is not None and count > limit:
            return _violation(PORTFOLIO, limit, count)
        return None


def _violation(scope: Scope, limit: int, actual: int) -> Violation:
    text = f"working order {actual} of the {scope} is over its limit of {limit}"
    return Violation(
        Reason.WORKING_ORDERS, common_pb2.ACTION_REJECT, text, scope, limit=Decimal(limit), actual=Decimal(actual)
    )
