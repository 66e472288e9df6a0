"""Deciding on executions: what the broker did is booked, whatever the state; what is odd about it is alerted."""

from decimal import Decimal

from tidegate.errors import RefusedError
from tidegate.numbers import ZERO, plain
from tidegate.orders import Order, is_fill, is_reversal, sign_of
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.draft import Draft, assignment_key, execution_key, reversal_key
from tidegate.risk.refusals import Sender
from tidegate.risk.scopes import PORTFOLIO, Scope, strategy_scope
from tidegate.strategy_book import SUSPENSE
from tidegate.v1 import journal_pb2, orders_pb2

_TYPES = frozenset(orders_pb2.ExecutionType.values()) - {orders_pb2.EXECUTION_TYPE_UNSPECIFIED}
_TRADE = orders_pb2.EXECUTION_TYPE_TRADE
_ABOUT_A_REPLACEMENT = (orders_pb2.EXECUTION_TYPE_REPLACED, orders_pb2.EXECUTION_TYPE_REPLACE_REJECTED)


def read_execution(execution: orders_pb2.Execution, field: str, *, is_known: bool) -> None:
    """Refuse a malformed execution, naming the field at fault; is_known: whether the gate has its order."""
    door.identifier(execution.execution_id, f"{field}.execution_id")
    if execution.execution_type not in _TYPES:
        text = f"{field}.execution_type is not one that the gate knows"
        raise RefusedError(Reason.EXECUTION_TYPE_INVALID, text, field=f"{field}.execution_type")
    for name in ("order_id", "symbol"):
        if text := getattr(execution, name):
            door.identifier(text, f"{field}.{name}")
    door.amount(execution.fee, f"{field}.fee", positive=False)
    door.words(execution.text, f"{field}.text", required=False)
    if execution.HasField("time"):
        door.time_ns(execution.time, f"{field}.time")
    if is_reversal(execution):
        door.identifier(execution.reference_execution_id, f"{field}.reference_execution_id")
    if is_fill(execution):
        door.quantity(execution.last_quantity, f"{field}.last_quantity")
        door.price(execution.last_price, f"{field}.last_price")
        if not is_known and not is_reversal(execution):
            _read_orphan(execution, field)
    elif not execution.order_id and not is_reversal(execution):
        door.identifier(execution.order_id, f"{field}.order_id")
    elif execution.last_quantity or execution.last_price or execution.fee:
        text = f"{field}: only a TRADE or a TRADE_CORRECT has last_quantity, last_price and fee"
        raise RefusedError(Reason.QUANTITY_INVALID, text, field=field)


def _read_orphan(execution: orders_pb2.Execution, field: str) -> None:
    """Ask of a fill without an order what is needed to book it."""
    door.identifier(execution.symbol, f"{field}.symbol")
    if not sign_of(execution.side):
        text = f"{field}.side takes SIDE_BUY or SIDE_SELL"
        raise RefusedError(Reason.SIDE_INVALID, text, field=f"{field}.side")


def book_execution(draft: Draft, command: journal_pb2.ExecutionBooked) -> journal_pb2.Event:
    """
    Book one execution, once.

    The command names account, adapter and an execution that ``read_execution`` let in; whose it is follows from the
    order. The reply is the event that booked it, now or before.
    """
    execution = command.execution
    earlier = draft.archive.find(execution_key(command.account, execution.execution_id))
    if earlier is not None:
        if _facts(earlier.execution_booked.execution) != _facts(execution):
            text = f"execution_id {execution.execution_id} was booked before, with other figures; not booked"
            _alert(draft, Reason.EXECUTION_ID_REUSED, text)
            draft.refused_sender = Sender("ReportExecutions")
            raise RefusedError(Reason.EXECUTION_ID_REUSED, text)
        return earlier
    booked = journal_pb2.ExecutionBooked(account=command.account, adapter=command.adapter, execution=execution)
    if is_reversal(execution):
        _reverse(draft, booked)
    is_stray = booked.HasField("reversed") and booked.strategy_id == SUSPENSE
    # An order that was given a stray fill's order_id later has nothing to do with it.
    order, is_working = (None, False) if is_stray else _order_of(draft, booked.execution.order_id)
    if booked.HasField("reversed"):
        pass  # whose the fill was, it is
    elif order is not None:
        booked.strategy_id = order.request.strategy_id
        booked.symbol, booked.side = order.request.symbol, order.request.side
    else:
        booked.strategy_id = SUSPENSE
        booked.symbol, booked.side = execution.symbol, execution.side
    event = draft.record(execution_booked=booked)
    if order is not None and is_working and order.request.route not in ("", command.adapter):
        text = f"adapter {command.adapter} reports on order {order.order_id}, which {order.request.route} routes"
        _alert(draft, Reason.EXECUTION_BY_OTHER_ADAPTER, text, strategy_scope(order.request.strategy_id))
    if execution.execution_type == _TRADE:
        _alert_odd_fill(draft, execution, order, is_working=is_working)
    elif order is not None:
        _alert_odd_report(draft, booked, order, is_working=is_working)
    return event


def _reverse(draft: Draft, booked: journal_pb2.ExecutionBooked) -> None:
    """Find the fill that a report takes back; refuse one that there is not, or that was taken back before."""
    execution = booked.execution
    reference = execution.reference_execution_id
    found = draft.archive.find(execution_key(booked.account, reference))
    original = found.execution_booked if found is not None else None
    if original is None or not is_fill(original.execution) or _is_reversed(draft, booked.account, original):
        text = f"execution {execution.execution_id} takes back {reference}, which is no fill, or no longer one"
        _alert(draft, Reason.EXECUTION_REFERENCE_UNKNOWN, text)
        draft.refused_sender = Sender("ReportExecutions")
        raise RefusedError(Reason.EXECUTION_REFERENCE_UNKNOWN, text)
    booked.reversed.CopyFrom(original.execution)
    booked.strategy_id, booked.symbol, booked.side = original.strategy_id, original.symbol, original.side
    booked.execution.order_id = original.execution.order_id
    assigned = None
    if original.strategy_id == SUSPENSE:
        assigned = draft.archive.find(assignment_key(booked.account, reference))
    if assigned is not None:
        booked.strategy_id = assigned.suspense_assigned.strategy_id
        booked.execution.order_id = ""  # the one that the broker named was never the strategy's


def _is_reversed(draft: Draft, account: str, original: journal_pb2.ExecutionBooked) -> bool:
    return draft.archive.find(reversal_key(account, original.execution.execution_id)) is not None


def _order_of(draft: Draft, order_id: str) -> tuple[Order | None, bool]:
    """Return the order and whether it is working; a done one comes from the archive."""
    if not order_id:
        return None, False
    order = draft.book.orders.get(order_id)
    if order is not None:
        return order, True
    events = draft.archive.events_of_order(order_id)
    return (Order.from_events(events) if events else None), False


def _alert_odd_fill(draft: Draft, execution: orders_pb2.Execution, order: Order | None, *, is_working: bool) -> None:
    quantity = execution.last_quantity
    if order is None:
        text = f"fill of {quantity} {execution.symbol} for unknown order {door.shown(execution.order_id)}: in suspense"
        _alert(draft, Reason.EXECUTION_OF_UNKNOWN_ORDER, text)
        return
    scope = strategy_scope(order.request.strategy_id)
    if not is_working:
        text = f"fill of {quantity} for order {_name(order)}, which was done"
        _alert(draft, Reason.EXECUTION_AFTER_DONE, text, scope)
    elif door.quantity(quantity, "last_quantity") > (left := order.reservation.quantity):
        text = f"fill of {quantity} for order {_name(order)}, of which {plain(left)} was left"
        _alert(draft, Reason.EXECUTION_OVERFILL, text, scope)


def _alert_odd_report(draft: Draft, booked: journal_pb2.ExecutionBooked, order: Order, *, is_working: bool) -> None:
    """Alert a correction that overfills, and a report on a replacement that the gate does not know of."""
    execution, scope = booked.execution, strategy_scope(order.request.strategy_id)
    kind = execution.execution_type
    if kind == orders_pb2.EXECUTION_TYPE_TRADE_CORRECT:
        corrected = Decimal(execution.last_quantity) - Decimal(booked.reversed.last_quantity)
        filled = order.cumulative_quantity + corrected
        if corrected > ZERO and filled > order.quantity:
            text = f"a correction makes it {plain(filled)} filled of order {_name(order)} of {plain(order.quantity)}"
            _alert(draft, Reason.EXECUTION_OVERFILL, text, scope)
    elif kind in _ABOUT_A_REPLACEMENT:
        is_late = kind == orders_pb2.EXECUTION_TYPE_REPLACED and not is_working
        if order.replacement is None or is_late:
            word = orders_pb2.ExecutionType.Name(kind).removeprefix("EXECUTION_TYPE_")
            text = f"report {word} on order {_name(order)}, which is not to be replaced: ask the broker what it works"
            _alert(draft, Reason.EXECUTION_OF_UNKNOWN_REPLACEMENT, text, scope)


def _name(order: Order) -> str:
    return f"{order.request.strategy_id}/{order.request.client_order_id}"


def _alert(draft: Draft, reason: Reason, text: str, scope: Scope = PORTFOLIO) -> None:
    alert = journal_pb2.AlertRaised(reason_code=reason, scope=scope.to_wire(), text=text)
    draft.record(alert_raised=alert)


def _facts(execution: orders_pb2.Execution) -> tuple[object, ...]:
    """Keep what must not differ when a report is repeated; a broker may stamp and word it anew."""
    return (
        execution.execution_type,
        "" if is_reversal(execution) else execution.order_id,
        *(Decimal(text or 0) for text in (execution.last_quantity, execution.last_price, execution.fee)),
        execution.symbol,
        execution.side,
        execution.reference_execution_id,
    )
