"""Daily total: how much may be accepted within a day."""

from decimal import Decimal

from tidegate.numbers import plain
from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.counters.daily import ALL, Amount
from tidegate.risk.order_rules import OrderRules
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import PORTFOLIO, Scope, strategy_scope
from tidegate.risk.violation import Violation, money
from tidegate.v1 import common_pb2


class DailyTotal(Check):
    """
    Cap the quantity and the value that are accepted on one UTC day; exactly at a limit passes.

    What was accepted counts whatever became of it. A replacement adds what it is more than the order.
    """

    def __init__(self, rules: OrderRules) -> None:
        """Take the most of all strategies and of each."""
        limits = {ALL: rules.rates} | rules.strategy_rates
        self._limits = {name: rates for name, rates in limits.items() if rates.counts_days}

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None; of two, the strategy's, and of one scope the quantity's."""
        strategy_id, replaced = proposal.request.strategy_id, proposal.replaced
        added = Amount(proposal.quantity, proposal.notional)
        if replaced is not None:
            instrument = proposal.instrument
            multiplier = instrument.multiplier * proposal.book.rate(instrument.currency)
            old = Amount(replaced.quantity, replaced.quantity * replaced.valuation_price * multiplier)
            added = added.growth_from(old)
        found = self._over(proposal, strategy_id, strategy_scope(strategy_id), added)
        return found or self._over(proposal, ALL, PORTFOLIO, added)

    def _over(self, proposal: Proposal, name: str, scope: Scope, added: Amount) -> Violation | None:
        limits = self._limits.get(name)
        if limits is None:
            return None
        so_far = proposal.book.counters.daily.amount(name, proposal.now_ns)
        limit, actual = limits.daily_quantity, so_far.quantity + added.quantity
        if limit is not None and actual > limit:
            text = f"quantity {plain(actual)} of the {scope} in one day is over its limit of {plain(limit)}"
            return _violation(Reason.DAILY_QUANTITY, text, scope, limit, actual)
        limit, actual = limits.daily_notional, so_far.notional + added.notional
        if limit is not None and actual > limit:
            text = f"value {money(actual)} of the {scope} in one day is over its limit of {money(limit)}"
            return _violation(Reason.DAILY_NOTIONAL, text, scope, limit, actual)
        return None


def _violation(reason: Reason, text: str, scope: Scope, limit: Decimal, actual: Decimal) -> Violation:
    return Violation(reason, common_pb2.ACTION_REJECT, text, scope, limit=limit, actual=actual)
