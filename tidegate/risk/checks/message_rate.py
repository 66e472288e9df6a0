"""Message rate: how many orders, replacements and cancels a second may bring."""

from decimal import Decimal

from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.counters.messages import ALL
from tidegate.risk.order_rules import OrderRules
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import PORTFOLIO, Scope, strategy_scope
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2


class MessageRate(Check):
    """
    Refuse an order or replacement, reducing or not, after so many messages of the same second.

    A second is a whole one of the commands' stamps. Cancels count, and are never refused.
    """

    def __init__(self, rules: OrderRules) -> None:
        """Take the most of all strategies, of each, and of each caller."""
        limits = {ALL: rules.rates} | rules.strategy_rates
        self._limits = {name: rates.messages_per_s for name, rates in limits.items()}
        self._caller_limit: int | None = rules.caller_messages_per_s

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None; of several, the strategy's, then the caller's."""
        strategy_id = proposal.request.strategy_id
        return (
            self._over(proposal, strategy_id, strategy_scope(strategy_id))
            or self._over_by_caller(proposal)
            or self._over(proposal, ALL, PORTFOLIO)
        )

    def _over(self, proposal: Proposal, name: str, scope: Scope) -> Violation | None:
        limit = self._limits.get(name)
        if limit is None:
            return None
        actual = proposal.book.counters.messages.count(name, proposal.now_ns) + 1
        return None if actual <= limit else _violation(scope, f"the {scope}", actual, limit)

    def _over_by_caller(self, proposal: Proposal) -> Violation | None:
        limit, messages = self._caller_limit, proposal.book.counters.messages
        if limit is None or not messages.caller:
            return None
        actual = messages.count_of_caller(proposal.now_ns) + 1
        return None if actual <= limit else _violation(PORTFOLIO, f"caller {messages.caller}", actual, limit)


def _violation(scope: Scope, who: str, actual: int, limit: int) -> Violation:
    text = f"message {actual} of {who} within a second is over its limit of {limit}"
    figures = {"limit": Decimal(limit), "actual": Decimal(actual)}
    return Violation(Reason.MESSAGE_RATE, common_pb2.ACTION_REJECT, text, scope, **figures)
