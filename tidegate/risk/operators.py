"""Deciding on what operators ask for: halts, resets, transfers of capital, pauses."""

from decimal import Decimal

from tidegate.errors import RefusedError
from tidegate.numbers import ZERO
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.book import Book
from tidegate.risk.checks.drawdown import Drawdown
from tidegate.risk.draft import Draft, transfer_key
from tidegate.risk.scopes import PORTFOLIO, Scope
from tidegate.risk.violation import money
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, risk_pb2

_REBASE = admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE
_KEEP = admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP


def halt(draft: Draft, command: admin_pb2.HaltRequest) -> admin_pb2.HaltResponse:
    """Halt a scope, and ask for the cancel of what works in it; a halt never lowers the level."""
    scope = _read_scope(draft.book, command.scope)
    level = command.level or common_pb2.HALT_LEVEL_HALTED
    if level not in (common_pb2.HALT_LEVEL_REDUCE_ONLY, common_pb2.HALT_LEVEL_HALTED):
        text = "level takes HALT_LEVEL_REDUCE_ONLY or HALT_LEVEL_HALTED"
        raise RefusedError(Reason.HALT_LEVEL_INVALID, text, field="level")
    _read_operator(command.operator, command.reason)
    standing = draft.book.halts.get(scope)
    if standing is not None and standing.level >= level:
        return admin_pb2.HaltResponse(halt=standing.to_wire())
    body = risk_pb2.Halt(
        scope=scope.to_wire(),
        level=level,
        operator=command.operator,
        reason_code=Reason.OPERATOR_HALT,
        reason=command.reason,
    )
    cancels = record_halt(draft, body)
    reply = admin_pb2.HaltResponse(halt=body, cancels_requested=cancels)
    reply.halt.time.CopyFrom(draft.events[0].time)
    reply.halt.sequence = draft.events[0].sequence
    return reply


def record_halt(draft: Draft, body: risk_pb2.Halt) -> int:
    """Record a halt and the cancels that it asks for; return how many."""
    draft.record(trading_halted=body)
    if body.level != common_pb2.HALT_LEVEL_HALTED:
        return 0
    scope, count = Scope.from_wire(body.scope), 0
    for order in draft.book.orders.values():
        if not order.cancel_requested and scope.covers(order.request.strategy_id, order.request.symbol):
            cancel = journal_pb2.CancelRequested(
                order_id=order.order_id, strategy_id=order.request.strategy_id, reason_code=body.reason_code
            )
            draft.record(cancel_requested=cancel)
            count += 1
    return count


def reset_halt(draft: Draft, command: admin_pb2.ResetHaltRequest) -> admin_pb2.ResetHaltResponse:
    """Let trading go on in a scope; refused when it would halt again at once."""
    scope = _read_scope(draft.book, command.scope)
    _read_operator(command.operator, command.reason)
    choice = command.high_water_mark
    if scope == PORTFOLIO and choice not in (_REBASE, _KEEP):
        text = "high_water_mark must be chosen: REBASE or KEEP"
        raise RefusedError(Reason.HIGH_WATER_MARK_UNDECIDED, text, field="high_water_mark")
    if scope not in draft.book.halts:
        return admin_pb2.ResetHaltResponse(changed=False)
    if scope == PORTFOLIO:
        _refuse_if_it_would_halt_again(draft, command)
    draft.record(
        halt_reset=journal_pb2.HaltReset(
            scope=scope.to_wire(),
            operator=command.operator,
            reason=command.reason,
            high_water_mark=choice if scope == PORTFOLIO else _KEEP,
        )
    )
    return admin_pb2.ResetHaltResponse(changed=True)


def transfer_capital(draft: Draft, command: admin_pb2.TransferCapitalRequest) -> admin_pb2.TransferCapitalResponse:
    """Move cash from one strategy or the reserve to another, whole or not at all."""
    door.identifier(command.transfer_id, "transfer_id")
    amount = door.amount(command.amount, "amount", positive=True)
    _read_operator(command.operator, command.reason)
    earlier = draft.archive.find(transfer_key(command.transfer_id))
    if earlier is not None:
        if earlier.capital_transferred != command:
            text = f"transfer_id {command.transfer_id} was used before, for another transfer"
            reason, subject = Reason.TRANSFER_ID_REUSED, command.transfer_id
            draft.refuse(reason, text, command="TransferCapital", subject=subject, operator=command.operator)
        return admin_pb2.TransferCapitalResponse(sequence=earlier.sequence)
    for field in ("from_strategy_id", "to_strategy_id"):
        strategy_id = getattr(command, field)
        if strategy_id and strategy_id not in draft.book.terms:
            raise RefusedError(Reason.STRATEGY_UNKNOWN, f"no strategy is called {door.shown(strategy_id)}", field=field)
    if command.from_strategy_id == command.to_strategy_id:
        text = "a transfer needs two different sides"
        raise RefusedError(Reason.TRANSFER_TO_ITSELF, text, field="to_strategy_id")
    _refuse_if_not_transferable(draft, command, amount)
    event = draft.record(capital_transferred=command)
    return admin_pb2.TransferCapitalResponse(sequence=event.sequence)


def pause_strategy(draft: Draft, command: journal_pb2.StrategyPaused) -> None:
    """Stop a strategy's code; its positions stay. A paused one stays paused for its first reason."""
    read_pause(draft.book, command.strategy_id, command.operator, command.reason)
    if command.strategy_id not in draft.book.pauses:
        draft.record(strategy_paused=command)


def resume_strategy(draft: Draft, command: journal_pb2.StrategyResumed) -> None:
    """Let a paused strategy's code run again, from the next bar."""
    read_pause(draft.book, command.strategy_id, command.operator, command.reason)
    if command.strategy_id in draft.book.pauses:
        draft.record(strategy_resumed=command)


def read_pause(book: Book, strategy_id: str, operator: str, reason: str) -> None:
    """Refuse a malformed pause or resumption."""
    _read_strategy(book, strategy_id)
    _read_operator(operator, reason)


def _read_operator(operator: str, reason: str) -> None:
    door.identifier(operator, "operator")
    door.words(reason, "reason", required=True)


def _read_strategy(book: Book, strategy_id: str) -> None:
    if strategy_id not in book.terms:
        text = f"no strategy is called {door.shown(strategy_id)}"
        raise RefusedError(Reason.STRATEGY_UNKNOWN, text, field="strategy_id")


def _read_scope(book: Book, message: common_pb2.Scope) -> Scope:
    scope = Scope.from_wire(message)
    if scope.kind == common_pb2.SCOPE_KIND_PORTFOLIO and not scope.name:
        return scope
    if scope.kind == common_pb2.SCOPE_KIND_STRATEGY and scope.name in book.terms:
        return scope
    if scope.kind == common_pb2.SCOPE_KIND_INSTRUMENT and scope.name in book.instruments:
        return scope
    text = "scope takes the portfolio without a name, a strategy with its id, or an instrument with its symbol"
    raise RefusedError(Reason.SCOPE_INVALID, f"{text}; not {door.shown(scope.name)}", field="scope")


def _refuse_if_it_would_halt_again(draft: Draft, command: admin_pb2.ResetHaltRequest) -> None:
    book = draft.book
    peak = book.equity if command.high_water_mark == _REBASE else book.high_water_mark
    limits = book.limits
    found = Drawdown(limits.warn_drawdown, limits.max_drawdown, limits.halt_drawdown).assess(book.equity, peak)
    # At equity <= 0 a re-based mark is no way out either: there is nothing to trade with.
    if book.equity <= ZERO or (found is not None and found.action == common_pb2.ACTION_HALT):
        text = found.text if found is not None else f"equity is {money(book.equity)}"
        draft.refuse(
            Reason.RESET_WOULD_HALT_AGAIN,
            f"trading would halt again at once: {text}",
            command="ResetHalt",
            subject=str(PORTFOLIO),
            operator=command.operator,
        )


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
