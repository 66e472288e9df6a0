"""
The checks: one small module a family, each with ``check(proposal) -> Violation | None``.

Permission checks look at every order. Exposure checks leave reducing orders alone: a limit that blocks the way out
makes the loss. A new check is a new module and a line in ``build``.
"""

from typing import NamedTuple, Protocol

from tidegate.risk.checks.capital import Capital
from tidegate.risk.checks.collar import Collar
from tidegate.risk.checks.concentration import Concentration
from tidegate.risk.checks.daily_total import DailyTotal
from tidegate.risk.checks.drawdown import Drawdown
from tidegate.risk.checks.duplicate import Duplicate
from tidegate.risk.checks.halt_state import HaltState
from tidegate.risk.checks.increments import Increments
from tidegate.risk.checks.instrument_size import InstrumentSize
from tidegate.risk.checks.leverage import Leverage
from tidegate.risk.checks.market_hours import MarketHours
from tidegate.risk.checks.message_rate import MessageRate
from tidegate.risk.checks.order_size import OrderSize
from tidegate.risk.checks.permitted import Permitted
from tidegate.risk.checks.price_age import PriceAge
from tidegate.risk.checks.price_move import PriceMove
from tidegate.risk.checks.reduce_only import ReduceOnly
from tidegate.risk.checks.self_trade import SelfTrade
from tidegate.risk.checks.short_sale import ShortSale
from tidegate.risk.checks.throttle import Throttle
from tidegate.risk.checks.working_orders import WorkingOrders
from tidegate.risk.limits import Limits
from tidegate.risk.order_rules import OrderRules
from tidegate.risk.proposal import Proposal
from tidegate.risk.violation import Violation


class Check(Protocol):
    """One limit on orders."""

    def check(self, proposal: Proposal) -> Violation | None:
        """Return what the order would violate, or None."""


class Checks(NamedTuple):
    """The checks that are configured, in the order in which equally severe violations are named."""

    for_all: tuple[Check, ...]
    for_reducing: tuple[Check, ...]


def build(limits: Limits, rules: OrderRules) -> Checks:
    """Build the checks that these limits and rules ask for; one that is not configured costs nothing."""
    permission: list[Check] = [HaltState(), PriceAge(limits.max_price_age_ns), Increments(), ReduceOnly()]
    if limits.max_order_quantity is not None or limits.max_order_notional is not None:
        permission.append(OrderSize(limits.max_order_quantity, limits.max_order_notional))
    permission += _permission(rules, limits.max_price_age_ns)
    exposure: list[Check] = _exposure(rules)
    if limits.halt_drawdown is not None or limits.max_drawdown is not None or limits.warn_drawdown is not None:
        exposure.append(Drawdown(limits.warn_drawdown, limits.max_drawdown, limits.halt_drawdown))
    if limits.max_leverage is not None or limits.warn_leverage is not None:
        exposure.append(Leverage(limits.warn_leverage, limits.max_leverage))
    if limits.max_concentration is not None or limits.warn_concentration is not None:
        exposure.append(Concentration(limits.warn_concentration, limits.max_concentration))
    exposure.append(Capital())
    return Checks((*permission, *exposure), tuple(permission))


def _permission(rules: OrderRules, price_age_limit_ns: int) -> list[Check]:
    """Build what the rules ask of every order."""
    found: list[Check] = []
    if rules.permitted:
        found.append(Permitted(rules.permitted))
    if rules.has_calendars:
        found.append(MarketHours())
    if rules.has_sizes:
        found.append(InstrumentSize())
    if rules.collar is not None:
        found.append(Collar(rules.collar, rules.is_collar_passive, price_age_limit_ns))
    if rules.duplicate_within_ns:
        found.append(Duplicate(rules.duplicate_within_ns))
    if any(rates.messages_per_s is not None for rates in rules.all_rates):
        found.append(MessageRate(rules))
    if rules.is_self_trade_refused:
        found.append(SelfTrade())
    return found


def _exposure(rules: OrderRules) -> list[Check]:
    """Build what the rules ask of orders that do more than reduce."""
    found: list[Check] = []
    if rules.long_only:
        found.append(ShortSale(rules.long_only))
    if rules.price_move is not None:
        found.append(PriceMove(rules.price_move, rules.price_move_within_ns))
    if rules.throttle_fills:
        found.append(Throttle())
    if any(rates.working_orders is not None for rates in rules.all_rates):
        found.append(WorkingOrders(rules))
    if any(rates.counts_days for rates in rules.all_rates):
        found.append(DailyTotal(rules))
    return found
