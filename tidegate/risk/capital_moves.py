"""Deciding on capital: into the portfolio, out of it, and between its strategies."""

from decimal import Decimal

from tidegate.errors import RefusedError
from tidegate.numbers import ZERO
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.draft import Draft, transfer_key
from tidegate.risk.operators import read_operator
from tidegate.risk.violation import money
from tidegate.v1 import admin_pb2, journal_pb2


def transfer_capital(draft: Draft, command: admin_pb2.TransferCapitalRequest) -> admin_pb2.TransferCapitalResponse:
    """Move cash from one strategy or the reserve to another, whole or not at all."""
    door.identifier(command.transfer_id, "transfer_id")
    amount = door.amount(command.amount, "amount", positive=True)
    read_operator(command.operator, command.reason)
    earlier = draft.archive.find(transfer_key(command.transfer_id))
    if earlier is not None:
        if earlier.capital_transferred != command:
            _refuse_reused(draft, "TransferCapital", command.transfer_id, command.operator)
        return admin_pb2.TransferCapitalResponse(sequence=earlier.sequence)
    for field in ("from_strategy_id", "to_strategy_id"):
        strategy_id = getattr(command, field)
        if strategy_id and strategy_id not in draft.book.terms:
            raise RefusedError(Reason.STRATEGY_UNKNOWN, f"no strategy is called {door.shown(strategy_id)}", field=field)
    if command.from_strategy_id == command.to_strategy_id:
        text = "a transfer needs two different sides"
        raise RefusedError(Reason.TRANSFER_TO_ITSELF, text, field="to_strategy_id")
    _refuse_if_removed(draft, command, amount)
    _refuse_if_not_transferable(draft, command, amount)
    event = draft.record(capital_transferred=command)
    return admin_pb2.TransferCapitalResponse(sequence=event.sequence)


def move_capital(draft: Draft, command: journal_pb2.CapitalMoved) -> journal_pb2.Event:
    """Put capital into the reserve, or take it out with a negative amount; the reply is the event, now or before."""
    door.identifier(command.transfer_id, "transfer_id")
    amount = door.amount(command.amount, "amount", positive=False)
    read_operator(command.operator, command.reason)
    if command.account and command.account not in draft.book.accounts:
        text = f"the portfolio file names no account {door.shown(command.account)}"
        raise RefusedError(Reason.ACCOUNT_UNKNOWN, text, field="account")
    name = "DepositCapital" if amount > ZERO else "WithdrawCapital"
    earlier = draft.archive.find(transfer_key(command.transfer_id))
    if earlier is not None:
        if earlier.capital_moved != command:
            _refuse_reused(draft, name, command.transfer_id, command.operator)
        return earlier
    # A reserve that covers the strategies' losses is not free.
    free = min(draft.book.reserve, draft.book.equity)
    if amount < ZERO and -amount > free:
        text = f"{money(-amount)} was asked for, and {money(max(free, ZERO))} of the reserve is free"
        reason, subject = Reason.CASH_NOT_AVAILABLE, command.transfer_id
        draft.refuse(reason, text, command=name, subject=subject, operator=command.operator)
    return draft.record(capital_moved=command)


def _refuse_reused(draft: Draft, command: str, transfer_id: str, operator: str) -> None:
    text = f"transfer_id {transfer_id} was used before, for another transfer"
    draft.refuse(Reason.TRANSFER_ID_REUSED, text, command=command, subject=transfer_id, operator=operator)


def _refuse_if_removed(draft: Draft, command: admin_pb2.TransferCapitalRequest, amount: Decimal) -> None:
    """Let a removed strategy get no more than what a late report has made it owe."""
    target = command.to_strategy_id
    if target in draft.book.roster.removed and amount > -draft.book.strategies[target].ledger.cash:
        subject = f"{command.from_strategy_id or 'reserve'} to {target}"
        text, reason = f"strategy {target} was removed", Reason.STRATEGY_REMOVED
        draft.refuse(reason, text, command="TransferCapital", subject=subject, operator=command.operator)


def _refuse_if_not_transferable(draft: Draft, command: admin_pb2.TransferCapitalRequest, amount: Decimal) -> None:
    book, source = draft.book, command.from_strategy_id
    available = book.strategies[source].cash_available if source else book.reserve
    subject = f"{source or 'reserve'} to {command.to_strategy_id or 'reserve'}"
    if amount > available:
        text = f"{money(amount)} was asked for, and {money(max(available, ZERO))} of {source or 'reserve'} is free"
        reason = Reason.CASH_NOT_AVAILABLE
        draft.refuse(reason, text, command="TransferCapital", subject=subject, operator=command.operator)
    if not source or not book.terms[source].is_margin:
        return
    ledger = book.strategies[source].ledger
    limit = book.terms[source].max_leverage * (ledger.equity - amount)
    if ledger.gross_exposure > limit:
        text = f"gross exposure {money(ledger.gross_exposure)} of {source} would be over its limit, {money(limit)}"
        reason = Reason.TRANSFER_BREAKS_LIMIT
        draft.refuse(reason, text, command="TransferCapital", subject=subject, operator=command.operator)
