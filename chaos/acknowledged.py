"""What the clients were told, held against the journal: all of it is there, as it was told, and in that order."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from chaos.records import DEPOSIT, EXECUTION, HALT, ORDER, READ, RESET, TRANSFER, WITHDRAWAL, Record
from tidegate.v1 import admin_pb2, journal_pb2, orders_pb2

_ELSE = "moves something else"


def check_acknowledged(events: Sequence[journal_pb2.Event], records: Sequence[Record]) -> Iterator[str]:
    """Name what was acknowledged and is not in the journal as it was, and what is in it that nobody reported."""
    resets = {event.halt_reset.reason for event in events if event.HasField("halt_reset")}
    for record in records:
        if record.is_answer and (text := _missing(events, resets, record)):
            yield f"{record.kind} {record.key} was acknowledged at event {record.sequence}, {text}"
    asked = {record.key for record in records if record.kind == EXECUTION}
    for event in events:
        booked = event.execution_booked
        if event.HasField("execution_booked") and f"{booked.account} {booked.execution.execution_id}" not in asked:
            yield f"event {event.sequence}: nobody reported execution {booked.execution.execution_id}"


def _missing(events: Sequence[journal_pb2.Event], resets: set[str], record: Record) -> str:
    """Say what is wrong with what one record says of the journal."""
    if record.kind == READ:
        return ""
    if record.kind == RESET:
        return "" if record.key in resets else "and the journal has no such reset"
    if not record.sequence:
        is_lost = record.kind == ORDER and orders_pb2.Decision.FromString(record.answer).order_id
        return "and it was accepted, and has no place in the journal" if is_lost else ""
    if record.sequence > len(events):
        return "and the journal ends before it"
    text = _CHECKS[record.kind](events[record.sequence - 1], record)
    return f"which {text}" if text else ""


def check_order_in_time(events: Sequence[journal_pb2.Event], records: Iterable[Record]) -> Iterator[str]:
    """
    Name what was asked for after something else had been acknowledged, and stands before it in the journal.

    So nothing that was asked for after a halt had returned is decided as if there were none; and no answer is older
    than what anybody had been told before it was asked for: not a read's, nor that of a halt which stands already.
    """
    resets = [event for event in events if event.HasField("halt_reset")]
    first_asked: dict[tuple[str, str], int] = {}
    answers: list[Record] = []
    for record in records:
        if record.is_answer:
            answers.append(record)
        else:
            place = (record.kind, record.key)
            first_asked[place] = min(first_asked.get(place, record.time_ns), record.time_ns)
    known = sorted((record.time_ns, record.sequence) for record in answers)
    floor, index = 0, 0
    for record in sorted(answers, key=lambda one: first_asked[one.kind, one.key]):
        asked_ns = first_asked[record.kind, record.key]
        while index < len(known) and known[index][0] < asked_ns:
            floor, index = max(floor, known[index][1]), index + 1
        is_old = record.sequence < floor if record.kind == READ else record.sequence <= floor
        if not record.sequence or not is_old or record.kind == RESET:
            continue
        if record.kind == HALT:
            scope = admin_pb2.HaltRequest.FromString(record.asked).scope
            if not any(e.halt_reset.scope == scope for e in resets if record.sequence < e.sequence <= floor):
                continue  # it stood already, and still does
        yield f"{record.kind} {record.key} was asked for after event {floor} was known, and says {record.sequence}"


def _order(event: journal_pb2.Event, record: Record) -> str:
    decided = event.order_decided
    if not event.HasField("order_decided"):
        return "is no decision"
    if decided.order != orders_pb2.NewOrder.FromString(record.asked):
        return "decides on another order"
    return "" if decided.decision == orders_pb2.Decision.FromString(record.answer) else "decides otherwise"


def _execution(event: journal_pb2.Event, record: Record) -> str:
    booked, reported = event.execution_booked, orders_pb2.Execution.FromString(record.asked)
    if f"{booked.account} {booked.execution.execution_id}" != record.key:
        return "books something else"
    same = all(
        Decimal(getattr(booked.execution, name) or 0) == Decimal(getattr(reported, name) or 0)
        for name in ("last_quantity", "last_price", "fee")
    )
    kinds = (booked.execution.execution_type, booked.execution.order_id)
    is_same = same and kinds == (reported.execution_type, reported.order_id)
    return "" if is_same else "books other figures"


def _transfer(event: journal_pb2.Event, record: Record) -> str:
    moved = admin_pb2.TransferCapitalRequest.FromString(record.asked)
    return "" if event.HasField("capital_transferred") and event.capital_transferred == moved else _ELSE


def _deposit(event: journal_pb2.Event, record: Record) -> str:
    deposit = admin_pb2.DepositCapitalRequest.FromString(record.asked)
    return _moves(event, deposit.transfer_id, Decimal(deposit.amount))


def _withdrawal(event: journal_pb2.Event, record: Record) -> str:
    withdrawal = admin_pb2.WithdrawCapitalRequest.FromString(record.asked)
    return _moves(event, withdrawal.transfer_id, -Decimal(withdrawal.amount))


def _moves(event: journal_pb2.Event, transfer_id: str, amount: Decimal) -> str:
    moved = (event.capital_moved.transfer_id, Decimal(event.capital_moved.amount or 0))
    return "" if event.HasField("capital_moved") and moved == (transfer_id, amount) else _ELSE


def _halt(event: journal_pb2.Event, record: Record) -> str:
    asked, halt = admin_pb2.HaltRequest.FromString(record.asked), event.trading_halted
    same_scope = (halt.scope.kind, halt.scope.name) == (asked.scope.kind, asked.scope.name)
    return "" if same_scope and halt.level >= asked.level else "does not halt what was to be halted"


_CHECKS = {
    ORDER: _order,
    EXECUTION: _execution,
    TRANSFER: _transfer,
    DEPOSIT: _deposit,
    WITHDRAWAL: _withdrawal,
    HALT: _halt,
}
