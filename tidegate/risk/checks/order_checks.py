"""The checks that the rules on orders ask for."""

from typing import TYPE_CHECKING

from tidegate.risk.checks.collar import Collar
from tidegate.risk.checks.daily_total import DailyTotal
from tidegate.risk.checks.duplicate import Duplicate
from tidegate.risk.checks.instrument_size import InstrumentSize
from tidegate.risk.checks.market_hours import MarketHours
from tidegate.risk.checks.message_rate import MessageRate
from tidegate.risk.checks.permitted import Permitted
from tidegate.risk.checks.price_move import PriceMove
from tidegate.risk.checks.self_trade import SelfTrade
from tidegate.risk.checks.short_sale import ShortSale
from tidegate.risk.checks.throttle import Throttle
from tidegate.risk.checks.working_orders import WorkingOrders
from tidegate.risk.order_rules import OrderRules

if TYPE_CHECKING:
    from tidegate.risk.checks.check import Check


def for_all(rules: OrderRules, price_age_limit_ns: int) -> list["Check"]:
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
    if rules.counts_messages:
        found.append(MessageRate(rules))
    if rules.is_self_trade_refused:
        found.append(SelfTrade())
    return found


def for_adding(rules: OrderRules) -> list["Check"]:
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
