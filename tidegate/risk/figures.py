"""
The figures that each check looks at, for whoever asks why: the same numbers, also when the check passes.

Nothing here decides, and nothing that decides calls it. A new check gets a line in ``_FIGURES``.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from tidegate.instruments import IN_FULL
from tidegate.numbers import ZERO, plain
from tidegate.orders import BUY
from tidegate.risk.book import Book
from tidegate.risk.checks.capital import Capital
from tidegate.risk.checks.check import Check
from tidegate.risk.checks.concentration import Concentration
from tidegate.risk.checks.drawdown import Drawdown
from tidegate.risk.checks.halt_state import HaltState
from tidegate.risk.checks.increments import Increments
from tidegate.risk.checks.leverage import Leverage
from tidegate.risk.checks.net_exposure import NetExposure
from tidegate.risk.checks.order_size import OrderSize
from tidegate.risk.checks.price_age import PriceAge
from tidegate.risk.checks.reduce_only import ReduceOnly
from tidegate.risk.checks.removed import Removed
from tidegate.risk.checks.scenario_limit import ScenarioLimit
from tidegate.risk.checks.scoped_limit import ScopedLimit
from tidegate.risk.checks.strategy_correlation import StrategyCorrelation
from tidegate.risk.figure import Figure
from tidegate.risk.limit import DRAWDOWN, Limit, figure_name
from tidegate.risk.limit_table import HALT
from tidegate.risk.order_figures import ORDER_FIGURES
from tidegate.risk.product_figures import PRODUCT_FIGURES
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import PORTFOLIO, groups_of, instrument_scope, strategy_scope
from tidegate.risk.session_history import OBSERVATIONS_MIN
from tidegate.times import NS_PER_S, to_stamp
from tidegate.v1 import common_pb2, orders_pb2

_ACTIONS = {
    common_pb2.ACTION_WARN: "warn",
    common_pb2.ACTION_REDUCE: "reduce",
    common_pb2.ACTION_REJECT: "refuse",
    common_pb2.ACTION_HALT: "halt",
}


class LimitInForce(NamedTuple):
    """A limit as it stood, who set it, and by which event."""

    name: str
    value: str
    set_by: str
    sequence: int


def figures(check: Check, proposal: Proposal) -> list[Figure]:
    """Say what a check holds a proposal against."""
    state = _FIGURES.get(type(check))
    return [Figure("figures", "not stated by this check")] if state is None else state(check, proposal)


def inputs(proposal: Proposal) -> list[Figure]:
    """Say what the checks were given: the order as it was valued, and the book as it was."""
    book, symbol = proposal.book, proposal.instrument.symbol
    return [
        Figure("mark", plain(book.marks[symbol])),
        Figure("age of the mark, s", _seconds(proposal.mark_age_ns)),
        Figure("valuation price", plain(proposal.valuation_price)),
        Figure("value of the order", plain(proposal.notional)),
        Figure("may still fill", plain(proposal.leaves_quantity)),
        Figure("only reduces", _yes(is_so=proposal.reducing)),
        Figure("position", plain(proposal.position_quantity)),
        Figure("gross exposure with the order", plain(proposal.gross_exposure)),
        Figure(f"exposure to {symbol} with the order", plain(proposal.instrument_exposure)),
        Figure("equity of the strategy at worst", plain(proposal.strategy_equity)),
        Figure("equity of the portfolio at worst", plain(proposal.equity)),
        Figure("equity of the portfolio", plain(book.equity)),
        Figure("high-water mark", plain(book.high_water_mark)),
    ]


def limits_in_force(book: Book, asked: orders_pb2.NewOrder, set_at: Mapping[Limit, int]) -> list[LimitInForce]:
    """List what an order is held against, the strategy's own terms too; set_at: the events that changed limits."""
    configuration, strategy_id = book.configuration, asked.strategy_id
    if configuration is None:
        return []
    set_by = f"portfolio file {configuration.name}"
    scopes = {PORTFOLIO, strategy_scope(strategy_id), instrument_scope(asked.symbol)}
    if (instrument := book.instruments.get(asked.symbol)) is not None:
        scopes.update(groups_of(instrument))
    found = [
        LimitInForce(
            f"{figure_name(limit.figure)} of the {limit.scope}",
            ", ".join(f"{what} above {plain(threshold)}" for what, threshold in _thresholds(limit)),
            _setter(limit) if limit.operator else set_by,
            set_at.get(limit, 1),
        )
        for limit in book.limits_in_force
        if limit.scope in scopes
    ]
    found.append(LimitInForce("age of the mark, s", _seconds(book.limits.max_price_age_ns), set_by, 1))
    for terms in configuration.strategies:
        if terms.strategy_id == strategy_id:
            value = f"{terms.kind}, capital {terms.capital}, leverage up to {terms.max_leverage}"
            found.append(LimitInForce(f"terms of strategy {strategy_id}", value, set_by, 1))
    if (added := book.roster.added.get(strategy_id)) is not None:
        terms, request = added.strategy_added.terms, added.strategy_added.request
        value = f"{terms.kind}, capital {terms.capital}, leverage up to {terms.max_leverage}"
        set_by = f"{request.operator} ({request.reason})"
        found.append(LimitInForce(f"terms of strategy {strategy_id}", value, set_by, added.sequence))
    return found


def _setter(limit: Limit) -> str:
    until = f", until {to_stamp(limit.expires_ns).ToJsonString()}" if limit.expires_ns else ""
    return f"{limit.operator} ({limit.reason}{until})"


def _thresholds(limit: Limit) -> list[tuple[str, Decimal]]:
    found = (("warn", limit.warn), (_ACTIONS[limit.action], limit.limit))
    return [(what, threshold) for what, threshold in found if threshold is not None]


def _halt_state(_check: HaltState, proposal: Proposal) -> list[Figure]:
    book, request = proposal.book, proposal.request
    halt = book.halt_over(request.strategy_id, request.symbol)
    level = common_pb2.HALT_LEVEL_ACTIVE if halt is None else halt.level
    word = common_pb2.HaltLevel.Name(level).removeprefix("HALT_LEVEL_")
    return [
        Figure("halt level", word if halt is None else f"{word} by {halt.operator} (event {halt.sequence})"),
        Figure("strategy paused", _yes(is_so=request.strategy_id in book.pauses)),
    ]


def _price_age(check: PriceAge, proposal: Proposal) -> list[Figure]:
    return [Figure("age of the mark, s", _seconds(proposal.mark_age_ns), _seconds(check.limit_ns))]


def _increments(_check: Increments, proposal: Proposal) -> list[Figure]:
    instrument, price = proposal.instrument, proposal.limit_price
    lots = Figure("quantity", plain(proposal.quantity), f"lots of {plain(instrument.lot)}")
    if price is None:
        return [lots]
    return [lots, Figure("limit price", plain(price), f"ticks of {plain(instrument.tick)}")]


def _reduce_only(_check: ReduceOnly, proposal: Proposal) -> list[Figure]:
    asked = proposal.request.reduce_only
    return [Figure("only reduces", _yes(is_so=proposal.reducing), "yes" if asked else "")]


def _removed(check: Removed, proposal: Proposal) -> list[Figure]:
    return [Figure("strategy removed", _yes(is_so=proposal.request.strategy_id in check.strategy_ids), "no")]


def _order_size(check: OrderSize, proposal: Proposal) -> list[Figure]:
    return [
        Figure("quantity", plain(proposal.quantity), _or_none(check.quantity_limit)),
        Figure("value of the order", plain(proposal.notional), _or_none(check.notional_limit)),
    ]


def _drawdown(_check: Drawdown, proposal: Proposal) -> list[Figure]:
    table, peak = proposal.book.limits_in_force, proposal.book.high_water_mark
    thresholds = [*_thresholds(table.get(DRAWDOWN)), *_thresholds(table.get(DRAWDOWN, action=HALT))]
    return [
        Figure(f"equity at worst, to {what} below", plain(proposal.equity), plain((1 - share) * peak))
        for what, share in thresholds
    ]


def _scenario_limit(check: ScenarioLimit, proposal: Proposal) -> list[Figure]:
    if lacking := check.lacking(proposal):
        found = proposal.book.history.observations.get(lacking, 0)
        return [Figure(f"sessions of {lacking}, to be at least", str(found), str(OBSERVATIONS_MIN))]
    return _scoped_limit(check, proposal)


def _scoped_limit(check: ScopedLimit | ScenarioLimit | NetExposure, proposal: Proposal) -> list[Figure]:
    limit, measured = check.limit, check.measure_order(proposal)
    name = f"{figure_name(limit.figure)} of the {limit.scope}"
    return [
        Figure(f"{name}, to {what} above", plain(measured.actual), plain(threshold * measured.base))
        for what, threshold in _thresholds(limit)
    ]


def _strategy_correlation(check: StrategyCorrelation, proposal: Proposal) -> list[Figure]:
    book, strategy_id = proposal.book, proposal.request.strategy_id
    standing = book.correlation_breaches.worst_of(strategy_id)
    if standing is not None:
        name = f"correlation with {standing.other_than(strategy_id)}, found by event {standing.sequence}"
        actual = standing.correlation
    else:
        found = book.strategy_returns.highest(strategy_id)
        if found is None:
            return [Figure("sessions of the strategy", str(book.strategy_returns.observations(strategy_id)))]
        name, actual = f"highest correlation, with {found.other_than(strategy_id)}", found.correlation
    return [Figure(f"{name}, to {what} above", plain(actual), plain(bound)) for what, bound in _thresholds(check.limit)]


def _leverage(check: Leverage, proposal: Proposal) -> list[Figure]:
    return _shares("gross exposure", proposal.gross_exposure, proposal.equity, check.warn, check.limit)


def _concentration(check: Concentration, proposal: Proposal) -> list[Figure]:
    name = f"exposure to {proposal.instrument.symbol}"
    return _shares(name, proposal.instrument_exposure, proposal.equity, check.warn, check.limit)


def _capital(_check: Capital, proposal: Proposal) -> list[Figure]:
    ledger, terms = proposal.ledger, proposal.terms
    equity = Figure("equity at worst, to be above", plain(min(proposal.equity, proposal.strategy_equity)), "0")
    if terms.is_margin:
        exposure = ledger.gross_exposure + proposal.added_exposure
        limit = terms.max_leverage * proposal.strategy_equity
        return [equity, Figure("gross exposure of the strategy", plain(exposure), plain(limit))]
    if proposal.instrument.settlement != IN_FULL:
        return [equity]
    if proposal.sign == BUY:
        return [
            equity,
            Figure("cost of the order", plain(proposal.cost), plain(ledger.free_cash(proposal.instrument.currency))),
        ]
    left = max(proposal.position_quantity - proposal.working_sells, ZERO)
    return [equity, Figure("quantity to sell", plain(proposal.leaves_quantity), plain(left))]


def _shares(name: str, actual: Decimal, equity: Decimal, warn: Decimal | None, limit: Decimal | None) -> list[Figure]:
    shares = (("warn", warn), ("refuse", limit))
    return [
        Figure(f"{name}, to {what} above", plain(actual), plain(share * equity))
        for what, share in shares
        if share is not None
    ]


def _seconds(ns: int) -> str:
    return plain(Decimal(ns) / NS_PER_S)


def _or_none(limit: Decimal | None) -> str:
    return "" if limit is None else plain(limit)


def _yes(*, is_so: bool) -> str:
    return "yes" if is_so else "no"


_FIGURES: dict[type, Callable[[Any, Proposal], list[Figure]]] = {
    HaltState: _halt_state,
    PriceAge: _price_age,
    Increments: _increments,
    ReduceOnly: _reduce_only,
    Removed: _removed,
    ScopedLimit: _scoped_limit,
    ScenarioLimit: _scenario_limit,
    NetExposure: _scoped_limit,
    StrategyCorrelation: _strategy_correlation,
    OrderSize: _order_size,
    Drawdown: _drawdown,
    Leverage: _leverage,
    Concentration: _concentration,
    Capital: _capital,
    **ORDER_FIGURES,
    **PRODUCT_FIGURES,
}
