"""How statements, and fills that leave the suspense ledger, change the book."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tidegate.ledger import Ledger
from tidegate.risk.broker_account import BrokerAccount
from tidegate.risk.scopes import strategy_scope
from tidegate.strategy_book import SUSPENSE, StrategyBook
from tidegate.v1 import journal_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book


def open_accounts(book: "Book", configured: journal_pb2.PortfolioConfigured) -> None:
    """Keep the sums of each account that the portfolio file names; they have no part in the portfolio's totals."""
    for terms in configured.accounts:
        ledger = Ledger(configured.currency, options=book.options)
        books = StrategyBook(SUSPENSE, ledger, book.instruments, book.marks)
        book.accounts[terms.account] = BrokerAccount(terms, books)


def take_execution(book: "Book", event: journal_pb2.Event) -> None:
    """Let an execution's account, and the list of what is in suspense, take it."""
    booked = event.execution_booked
    account = book.accounts.get(booked.account)
    if account is not None:
        account.take(event)
    if booked.strategy_id == SUSPENSE:
        book.unassigned.take(event)


def _assign(book: "Book", event: journal_pb2.Event) -> None:
    strategy_id, symbol = event.suspense_assigned.strategy_id, event.suspense_assigned.fill.symbol
    for owner in (SUSPENSE, strategy_id):
        book.strategies[owner].apply(event)
        book.touch(owner, symbol)
    book.unassigned.take(event)
    scope = strategy_scope(strategy_id)
    book.high_water.raise_to(scope, book.equity_of(scope))


def _reconcile(book: "Book", event: journal_pb2.Event) -> None:
    book.accounts[event.positions_reconciled.account].note(event)


RECONCILIATION: dict[str, Callable[["Book", journal_pb2.Event], None]] = {
    "positions_reconciled": _reconcile,
    "suspense_assigned": _assign,
}
