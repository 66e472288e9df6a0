"""How transfers, strategies that come and go, and rebalances change the book. Each event moves capital whole."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from tidegate.capital_flows import flows_of
from tidegate.ledger import Ledger
from tidegate.numbers import ZERO
from tidegate.risk.roster import PendingRebalance
from tidegate.risk.scopes import strategy_scope
from tidegate.risk.terms import Terms
from tidegate.strategy_book import StrategyBook
from tidegate.v1 import journal_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book


def _move(book: "Book", event: journal_pb2.Event) -> None:
    for strategy_id, amount in flows_of(event).items():
        strategy = book.strategies[strategy_id]
        before = strategy.ledger.equity
        strategy.apply(event)
        book.high_water.move(strategy_scope(strategy_id), before, amount)
        book.strategy_returns.move(strategy_id, amount)
        book.reserve -= amount


def _add_strategy(book: "Book", event: journal_pb2.Event) -> None:
    request, terms = event.strategy_added.request, event.strategy_added.terms
    strategy_id = terms.strategy_id
    ledger = Ledger(book.currency, book.totals, book.currencies.rates, book.options)
    book.strategies[strategy_id] = StrategyBook(strategy_id, ledger, book.instruments, book.marks)
    book.terms[strategy_id] = Terms.from_wire(terms)
    if request.route:
        book.routes[strategy_id] = request.route
    book.order_rules = book.order_rules.with_strategy(terms)
    book.counters.listen(book.order_rules)
    book.roster.added[strategy_id] = event
    _move(book, event)


def _remove_strategy(book: "Book", event: journal_pb2.Event) -> None:
    strategy_id = event.strategy_removed.strategy_id
    _move(book, event)
    scope = strategy_scope(strategy_id)
    # What it has lost is the portfolio's; nothing is measured by it any more.
    book.high_water.rebase(scope, book.strategies[strategy_id].ledger.equity)
    # That it is removed refuses more than its own halt did.
    book.halts.pop(scope, None)
    book.reset_requests.pop(scope, None)
    book.pauses.pop(strategy_id, None)
    book.roster.leaving.pop(strategy_id, None)
    book.roster.removed[strategy_id] = event


def _let_leave(book: "Book", event: journal_pb2.Event) -> None:
    book.roster.leaving[event.strategy_leaving.strategy_id] = event.strategy_leaving


def _rebalance(book: "Book", event: journal_pb2.Event) -> None:
    rebalanced = event.rebalanced
    request = rebalanced.request
    _move(book, event)
    pending = {move.strategy_id: Decimal(move.amount) for move in rebalanced.pending}
    if pending:
        book.rebalance = PendingRebalance(
            request.rebalance_id, request.operator, request.reason, event.sequence, pending
        )


def _advance(book: "Book", event: journal_pb2.Event) -> None:
    _move(book, event)
    if book.rebalance is None:
        return
    pending = book.rebalance.pending
    for strategy_id, amount in flows_of(event).items():
        left = pending.get(strategy_id, ZERO) - amount
        if left:
            pending[strategy_id] = left
        else:
            pending.pop(strategy_id, None)


def _end_rebalance(book: "Book", _event: journal_pb2.Event) -> None:
    book.rebalance = None


CAPITAL: dict[str, Callable[["Book", journal_pb2.Event], None]] = {
    "capital_transferred": _move,
    "strategy_added": _add_strategy,
    "strategy_removed": _remove_strategy,
    "strategy_leaving": _let_leave,
    "rebalanced": _rebalance,
    "rebalance_advanced": _advance,
    "rebalance_ended": _end_rebalance,
}
