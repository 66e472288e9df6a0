"""What the book says of accounts at brokers, and of fills that belong to nobody yet: reads only."""

from tidegate.numbers import plain
from tidegate.risk.book import Book
from tidegate.risk.broker_account import BrokerAccount
from tidegate.strategy_book import SUSPENSE
from tidegate.times import to_stamp
from tidegate.v1 import journal_pb2, portfolio_pb2, reconciliation_pb2
from tidegate.views import cash_by_currency, positions_of


def suspense(book: Book) -> portfolio_pb2.ListSuspenseResponse:
    """Show what is in the suspense ledger, and the fills that brought it there."""
    ledger = book.strategies[SUSPENSE].ledger
    return portfolio_pb2.ListSuspenseResponse(
        fills=[_fill(event) for event in book.unassigned.fills.values()],
        left_out=book.unassigned.left_out,
        positions=positions_of(book, ledger),
        cash_by_currency=cash_by_currency(book, [ledger]),
    )


def _fill(event: journal_pb2.Event) -> portfolio_pb2.SuspenseFill:
    booked = event.execution_booked
    execution = booked.execution
    return portfolio_pb2.SuspenseFill(
        sequence=event.sequence,
        time=event.time,
        account=booked.account,
        adapter=booked.adapter,
        execution_id=execution.execution_id,
        order_id=execution.order_id,
        symbol=booked.symbol,
        side=booked.side,
        quantity=execution.last_quantity,
        price=execution.last_price,
        fee=execution.fee,
    )


def accounts(book: Book) -> portfolio_pb2.ListAccountsResponse:
    """Show every account that is reconciled."""
    return portfolio_pb2.ListAccountsResponse(accounts=[_account(account) for account in book.accounts.values()])


def _account(account: BrokerAccount) -> portfolio_pb2.AccountState:
    state = portfolio_pb2.AccountState(
        account=account.name,
        adapter=account.adapter,
        positions=[
            reconciliation_pb2.StatedPosition(symbol=symbol, quantity=plain(quantity))
            for symbol, quantity in sorted(account.positions().items())
        ],
        cash=[
            reconciliation_pb2.StatedCash(currency=currency, amount=plain(amount))
            for currency, amount in account.cash().items()
        ],
        differences=account.differences,
        difference_count=account.difference_count,
        break_count=account.break_count,
    )
    if account.statement_ns:
        state.statement_time.CopyFrom(to_stamp(account.statement_ns))
    if account.clean_ns:
        state.clean_time.CopyFrom(to_stamp(account.clean_ns))
    return state
