"""A limit of any scope: what an order would make of its figure, and what the figure is now."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from tidegate.numbers import ONE, ZERO, plain
from tidegate.reasons import Reason
from tidegate.risk.checks.check import StandingCheck
from tidegate.risk.limit import (
    CONCENTRATION,
    DAILY_LOSS,
    DRAWDOWN,
    GROSS_EXPOSURE,
    LEVERAGE,
    ORDER_NOTIONAL,
    ORDER_QUANTITY,
    Figure,
    Limit,
)
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import Scope, instrument_scope
from tidegate.risk.violation import Violation, money, percent
from tidegate.v1 import common_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book

_PORTFOLIO: Final = common_pb2.SCOPE_KIND_PORTFOLIO
_STRATEGY: Final = common_pb2.SCOPE_KIND_STRATEGY
_INSTRUMENT: Final = common_pb2.SCOPE_KIND_INSTRUMENT


class Measured:
    """A figure, and what the limit is a multiple of: equity, a high-water mark; 1 for what is absolute."""

    __slots__ = ("actual", "base")

    def __init__(self, actual: Decimal, base: Decimal) -> None:
        """Take the figure and its base."""
        self.actual = actual
        self.base = base


@dataclass(frozen=True, slots=True)
class ScopedLimit(StandingCheck):
    """
    Hold orders, and the book as it is, against one limit.

    Strict: exactly at a threshold passes. What an order could do never halts, it refuses: only what has happened halts.
    """

    limit: Limit

    @property
    def reason(self) -> Reason:
        """The reason code of its violations."""
        return _WORDS[self.limit.figure][0]

    def check(self, proposal: Proposal) -> Violation | None:
        """Return what the order would violate, or None."""
        found = self._assess(self.measure_order(proposal), proposal.instrument.symbol)
        return None if found is None else found.of_an_order()

    def measure_order(self, proposal: Proposal) -> Measured:
        """Return what the order would make of its figure."""
        return _OF_ORDER[self.limit.figure](proposal, self.limit.scope)

    def assess(self, book: "Book") -> Violation | None:
        """Return what the book violates now, or None; a figure of orders has no state."""
        measured = self.measure(book)
        return None if measured is None else self._assess(measured, "")

    def measure(self, book: "Book") -> Measured | None:
        """Return the figure and its base as they are now; None for a figure of orders."""
        measure = _OF_BOOK.get(self.limit.figure)
        return None if measure is None else measure(book, self.limit.scope)

    def _assess(self, measured: Measured, symbol: str) -> Violation | None:
        limit, actual, base = self.limit, measured.actual, measured.base
        if limit.limit is not None and actual > limit.limit * base:
            return self._violation(limit.action, limit.limit, measured, symbol)
        if limit.warn is not None and actual > limit.warn * base:
            return self._violation(common_pb2.ACTION_WARN, limit.warn, measured, symbol)
        return None

    def _violation(
        self, action: common_pb2.Action.ValueType, threshold: Decimal, measured: Measured, symbol: str
    ) -> Violation:
        figure, scope, bound = self.limit.figure, self.limit.scope, threshold * measured.base
        if figure == CONCENTRATION and scope.kind == _PORTFOLIO:
            scope = instrument_scope(symbol)
        reason, words, write = _WORDS[figure]
        share = "" if figure in _ABSOLUTE else f"{_multiple(figure, threshold)} of {_BASES[figure]}, "
        text = f"{words} of the {scope} {write(measured.actual)} is over {share}{write(bound)}"
        return Violation(reason, action, text, scope, limit=bound, actual=measured.actual)


def _multiple(figure: Figure, threshold: Decimal) -> str:
    return f"{plain(threshold)} times" if figure == LEVERAGE else percent(threshold)


def _exposure_of_order(proposal: Proposal, scope: Scope) -> Decimal:
    """Return the scope's worst-case exposure with the order."""
    kind = scope.kind
    if kind == _PORTFOLIO:
        return proposal.gross_exposure
    if kind == _STRATEGY:
        return proposal.ledger.gross_exposure + proposal.added_exposure
    if kind == _INSTRUMENT:
        return proposal.instrument_exposure
    return proposal.book.totals.group_exposures.get(scope, ZERO) + proposal.added_exposure


def _exposure_of_book(book: "Book", scope: Scope) -> Decimal:
    kind = scope.kind
    if kind == _PORTFOLIO:
        return book.totals.gross_exposure
    if kind == _STRATEGY:
        return book.strategies[scope.name].ledger.gross_exposure
    if kind == _INSTRUMENT:
        return book.instrument_exposure(scope.name)
    return book.totals.group_exposures.get(scope, ZERO)


def _equity_of_order(proposal: Proposal, scope: Scope) -> Decimal:
    return proposal.strategy_equity if scope.kind == _STRATEGY else proposal.equity


def _leverage(proposal: Proposal, scope: Scope) -> Measured:
    return Measured(_exposure_of_order(proposal, scope), _equity_of_order(proposal, scope))


def _leverage_now(book: "Book", scope: Scope) -> Measured:
    return Measured(_exposure_of_book(book, scope), book.equity_of(scope))


def _concentration(proposal: Proposal, scope: Scope) -> Measured:
    exposure = proposal.instrument_exposure if scope.kind == _PORTFOLIO else _exposure_of_order(proposal, scope)
    return Measured(exposure, proposal.equity)


def _concentration_now(book: "Book", scope: Scope) -> Measured:
    if scope.kind == _PORTFOLIO:
        return Measured(ZERO, ONE)  # each instrument's is looked at by itself: see consequences.py
    exposure = _exposure_of_book(book, scope)
    return Measured(exposure, book.equity if exposure else ONE)


def _gross_exposure(proposal: Proposal, scope: Scope) -> Measured:
    return Measured(_exposure_of_order(proposal, scope), ONE)


def _gross_exposure_now(book: "Book", scope: Scope) -> Measured:
    return Measured(_exposure_of_book(book, scope), ONE)


def _drawdown(proposal: Proposal, scope: Scope) -> Measured:
    return _loss(proposal.book.high_water.peak_of(scope), _equity_of_order(proposal, scope))


def _drawdown_now(book: "Book", scope: Scope) -> Measured:
    return _loss(book.high_water.peak_of(scope), book.equity_of(scope))


def _daily_loss(proposal: Proposal, scope: Scope) -> Measured:
    return _loss(proposal.book.high_water.day_start_of(scope), _equity_of_order(proposal, scope))


def _daily_loss_now(book: "Book", scope: Scope) -> Measured:
    return _loss(book.high_water.day_start_of(scope), book.equity_of(scope))


def _loss(before: Decimal, equity: Decimal) -> Measured:
    """Measure a loss as a share of what was there before; at equity <= 0 all thresholds are crossed."""
    return Measured(before - equity, before) if equity > ZERO or not before else Measured(ONE, ZERO)


def _order_quantity(proposal: Proposal, _scope: Scope) -> Measured:
    return Measured(proposal.quantity, ONE)


def _order_notional(proposal: Proposal, _scope: Scope) -> Measured:
    return Measured(proposal.notional, ONE)


_OF_ORDER: dict[Figure, Callable[[Proposal, Scope], Measured]] = {
    LEVERAGE: _leverage,
    CONCENTRATION: _concentration,
    GROSS_EXPOSURE: _gross_exposure,
    DRAWDOWN: _drawdown,
    DAILY_LOSS: _daily_loss,
    ORDER_QUANTITY: _order_quantity,
    ORDER_NOTIONAL: _order_notional,
}
_OF_BOOK: dict[Figure, Callable[["Book", Scope], Measured]] = {
    LEVERAGE: _leverage_now,
    CONCENTRATION: _concentration_now,
    GROSS_EXPOSURE: _gross_exposure_now,
    DRAWDOWN: _drawdown_now,
    DAILY_LOSS: _daily_loss_now,
}
_WORDS: dict[Figure, tuple[Reason, str, Callable[[Decimal], str]]] = {
    LEVERAGE: (Reason.LEVERAGE, "gross exposure", money),
    CONCENTRATION: (Reason.CONCENTRATION, "exposure", money),
    GROSS_EXPOSURE: (Reason.GROSS_EXPOSURE, "gross exposure", money),
    DRAWDOWN: (Reason.DRAWDOWN, "drawdown", money),
    DAILY_LOSS: (Reason.DAILY_LOSS, "loss since the day began", money),
    ORDER_QUANTITY: (Reason.ORDER_QUANTITY, "one order's quantity", plain),
    ORDER_NOTIONAL: (Reason.ORDER_NOTIONAL, "one order's value", money),
}
_ABSOLUTE = frozenset({GROSS_EXPOSURE, ORDER_QUANTITY, ORDER_NOTIONAL})
_BASES = {
    LEVERAGE: "equity",
    CONCENTRATION: "the portfolio's equity",
    DRAWDOWN: "its high-water mark",
    DAILY_LOSS: "what it was then",
}
