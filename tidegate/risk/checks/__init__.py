"""
The checks: one small module a family, each with ``check(proposal) -> Violation | None``.

Permission checks look at every order. Exposure checks leave reducing orders alone: a limit that blocks the way out
makes the loss. A new check is a new module and a line in ``build``.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from tidegate.instruments import BY_VARIATION, Instrument
from tidegate.risk.checks import order_checks
from tidegate.risk.checks.capital import Capital
from tidegate.risk.checks.check import Check, StandingCheck
from tidegate.risk.checks.concentration import Concentration
from tidegate.risk.checks.currency import CurrencyFunds, RateAge, RatesKnown
from tidegate.risk.checks.drawdown import Drawdown
from tidegate.risk.checks.halt_state import HaltState
from tidegate.risk.checks.held_price import HeldPrice
from tidegate.risk.checks.increments import Increments
from tidegate.risk.checks.leverage import Leverage
from tidegate.risk.checks.net_exposure import NetExposure
from tidegate.risk.checks.order_size import OrderSize
from tidegate.risk.checks.price_age import PriceAge
from tidegate.risk.checks.products import MarginNeeded, OptionAlive
from tidegate.risk.checks.reduce_only import ReduceOnly
from tidegate.risk.checks.removed import Removed
from tidegate.risk.checks.scoped_limit import ScopedLimit
from tidegate.risk.checks.strategy_correlation import StrategyCorrelation
from tidegate.risk.limit import (
    CONCENTRATION,
    DRAWDOWN,
    LEVERAGE,
    NET_EXPOSURE,
    OF_SCENARIOS,
    ORDER_NOTIONAL,
    ORDER_QUANTITY,
    STRATEGY_CORRELATION,
    Limit,
)
from tidegate.risk.limit_table import HALT, REJECT, LimitTable
from tidegate.risk.scopes import PORTFOLIO, Scope

if TYPE_CHECKING:
    from tidegate.risk.book import Book


class Scoped(NamedTuple):
    """The limits of one scope other than the portfolio."""

    for_all: tuple[StandingCheck, ...]
    for_reducing: tuple[StandingCheck, ...]


class Checks(NamedTuple):
    """
    The checks that are configured, in the order in which equally severe violations are named.

    scoped: by strategy, instrument, sector and asset class; an order meets those of its own scopes only.
    standing: every limit that the book itself may be over, beside the portfolio's drawdown and leverage and each
        instrument's share; without its warning, which is for orders.
    met: by strategy and symbol, the scoped limits that their orders meet; worked out with the first one.
    """

    for_all: tuple[Check, ...]
    for_reducing: tuple[Check, ...]
    scoped: dict[Scope, Scoped]
    standing: tuple[StandingCheck, ...]
    met: dict[tuple[str, str], Scoped]


# Bounds on one order: on reducing ones as well.
_SIZES = (ORDER_QUANTITY, ORDER_NOTIONAL)
_OF_ORDERS = frozenset(_SIZES)
# What reducing orders are told of as well: net exposure, which they may move, only warns them.
_FOR_REDUCING = _OF_ORDERS | {NET_EXPOSURE}
# Whose state is another than a figure of the book: single orders, and what strategies made.
_OF_NO_BOOK = _OF_ORDERS | {STRATEGY_CORRELATION}


def build(book: "Book") -> Checks:
    """Build the checks that the book's limits, rules and bands ask for; one that is not configured costs nothing."""
    limits, table, rules, price_bands = book.limits, book.limits_in_force, book.order_rules, book.price_bands
    permission: list[Check] = [HaltState(), PriceAge(limits.max_price_age_ns), Increments(), ReduceOnly()]
    if book.roster.removed:
        permission.insert(0, Removed(frozenset(book.roster.removed)))
    if price_bands.is_on:
        permission.append(HeldPrice())
    sizes = [limit.limit if _is_built_in(limit := table.get(figure)) else None for figure in _SIZES]
    if any(size is not None for size in sizes):
        permission.append(OrderSize(*sizes))
    permission += order_checks.for_all(rules, limits.max_price_age_ns)
    exposure: list[Check] = order_checks.for_adding(rules)
    _add_products(permission, exposure, list(book.instruments.values()), limits.max_price_age_ns)
    if not (table.get(DRAWDOWN).is_none and table.get(DRAWDOWN, action=HALT).is_none):
        exposure.append(drawdown_of(table))
    if not table.get(LEVERAGE).is_none:
        exposure.append(leverage_of(table))
    if not table.get(CONCENTRATION).is_none:
        exposure.append(concentration_of(table))
    further = [limit for limit in table if not _is_built_in(limit)]
    of_portfolio = [limit for limit in further if limit.scope == PORTFOLIO]
    permission += [check_of(limit) for limit in of_portfolio if limit.figure in _FOR_REDUCING]
    exposure += [check_of(limit) for limit in of_portfolio if limit.figure not in _FOR_REDUCING | _OF_NO_BOOK]
    correlations = [StrategyCorrelation(limit) for limit in of_portfolio if limit.figure == STRATEGY_CORRELATION]
    if correlations:
        exposure += correlations
        book.strategy_returns.likenesses()  # now, with what it imports, and not with the first order
    exposure.append(Capital())
    scoped = _scoped([limit for limit in further if limit.scope != PORTFOLIO])
    standing = tuple(check_of(replace(limit, warn=None)) for limit in further if _has_state(limit))
    return Checks((*permission, *exposure), tuple(permission), scoped, standing, {})


def _add_products(
    permission: list[Check], exposure: list[Check], instruments: list[Instrument], max_price_age_ns: int
) -> None:
    """Add what foreign currencies, futures and options ask for, if there are any."""
    if any(instrument.buys for instrument in instruments):
        permission += [RateAge(max_price_age_ns), CurrencyFunds()]
        exposure.append(RatesKnown())
    if any(instrument.settlement == BY_VARIATION for instrument in instruments):
        exposure.append(MarginNeeded())
    if any(instrument.option is not None for instrument in instruments):
        permission.append(OptionAlive(max_price_age_ns))


def drawdown_of(table: LimitTable) -> Drawdown:
    """Build the portfolio's drawdown check."""
    refusing, halting = table.get(DRAWDOWN), table.get(DRAWDOWN, action=HALT)
    warns = [limit.warn for limit in (refusing, halting) if limit.warn is not None]
    return Drawdown(min(warns, default=None), refusing.limit, halting.limit)


def leverage_of(table: LimitTable) -> Leverage:
    """Build the portfolio's leverage check."""
    limit = table.get(LEVERAGE)
    return Leverage(limit.warn, limit.limit)


def concentration_of(table: LimitTable) -> Concentration:
    """Build the check of each instrument's share of the portfolio."""
    limit = table.get(CONCENTRATION)
    return Concentration(limit.warn, limit.limit)


def check_of(limit: Limit) -> StandingCheck:
    """Build the check of one limit."""
    if limit.figure in OF_SCENARIOS:
        from tidegate.risk.checks.scenario_limit import ScenarioLimit  # noqa: PLC0415 -- numpy, only where it is needed

        return ScenarioLimit(limit)
    return NetExposure(limit) if limit.figure == NET_EXPOSURE else ScopedLimit(limit)


def _is_built_in(limit: Limit) -> bool:
    """Whether one of the checks above looks after a limit."""
    if limit.scope != PORTFOLIO:
        return False
    if limit.figure == DRAWDOWN:
        return limit.action in (REJECT, HALT)
    if limit.action != REJECT:
        return False
    return limit.figure in (LEVERAGE, CONCENTRATION) or (limit.figure in _OF_ORDERS and limit.warn is None)


def _has_state(limit: Limit) -> bool:
    """Whether the book itself can be over a limit; each instrument's share is looked at where it changes."""
    is_of_instruments = limit.figure == CONCENTRATION and limit.scope == PORTFOLIO
    return limit.limit is not None and limit.figure not in _OF_NO_BOOK and not is_of_instruments


def _scoped(limits: list[Limit]) -> dict[Scope, Scoped]:
    found: dict[Scope, list[StandingCheck]] = {}
    for limit in limits:
        found.setdefault(limit.scope, []).append(check_of(limit))
    return {
        scope: Scoped(tuple(checks), tuple(check for check in checks if check.limit.figure in _FOR_REDUCING))
        for scope, checks in found.items()
    }
