"""An order's life, from its decision to its end."""

from decimal import Decimal

import pytest

from tests.unit.builders import BUY, CANCEL_REJECTED, CANCELED, NEW, REPLACE_REJECTED, REPLACED, SELL, TRADE
from tidegate.errors import BookError
from tidegate.orders import Order, is_accepted, sign_of
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2

EXPIRED = orders_pb2.EXECUTION_TYPE_EXPIRED
REJECTED = orders_pb2.EXECUTION_TYPE_REJECTED


def decided(quantity: str = "10") -> journal_pb2.Event:
    """Record the decision that accepts an order."""
    order = orders_pb2.NewOrder(strategy_id="cash", client_order_id="o1", symbol="A", side=BUY, route="paper")
    decision = orders_pb2.Decision(action=common_pb2.ACTION_ALLOW, order_id="2", approved_quantity=quantity)
    return journal_pb2.Event(
        sequence=2, order_decided=journal_pb2.OrderDecided(order=order, decision=decision, valuation_price="100")
    )


def booked(kind: orders_pb2.ExecutionType.ValueType, quantity: str = "", price: str = "") -> journal_pb2.Event:
    """Record what the broker reported."""
    execution = orders_pb2.Execution(execution_type=kind, order_id="2", last_quantity=quantity, last_price=price)
    return journal_pb2.Event(execution_booked=journal_pb2.ExecutionBooked(execution=execution))


def taken_back(execution: journal_pb2.Event, *correction: str) -> journal_pb2.Event:
    """Record that the broker takes a fill back, or corrects it to a quantity and a price."""
    kind = orders_pb2.EXECUTION_TYPE_TRADE_CORRECT if correction else orders_pb2.EXECUTION_TYPE_TRADE_CANCEL
    event = booked(kind, *correction)
    event.execution_booked.reversed.CopyFrom(execution.execution_booked.execution)
    return event


def to_replace(quantity: str, order_id: str = "2") -> journal_pb2.Event:
    """Record the decision on a replacement; without an order's id it is refused."""
    replace = orders_pb2.ReplaceOrderRequest(client_order_id="r1", quantity=quantity)
    decided = journal_pb2.ReplaceDecided(replace=replace, order_id="2", valuation_price="100")
    decided.decision.order_id = order_id
    return journal_pb2.Event(replace_decided=decided)


CLAIM = journal_pb2.Event(order_claimed=journal_pb2.OrderClaimed(order_id="2", adapter="paper"))
CANCEL = journal_pb2.Event(cancel_requested=journal_pb2.CancelRequested(order_id="2"))
SOME = booked(TRADE, "4", "100")
REST = booked(TRADE, "6", "101")


@pytest.mark.parametrize(
    ("events", "status", "leaves"),
    [
        ([], "PENDING_NEW", "10"),
        ([CLAIM], "PENDING_NEW", "10"),
        ([booked(NEW)], "NEW", "10"),
        ([SOME], "PARTIALLY_FILLED", "6"),
        ([SOME, REST], "FILLED", "0"),
        ([SOME, CANCEL], "PENDING_CANCEL", "6"),
        ([SOME, CANCEL, booked(CANCEL_REJECTED)], "PARTIALLY_FILLED", "6"),
        ([booked(NEW), CANCEL, booked(CANCEL_REJECTED)], "NEW", "10"),
        ([SOME, CANCEL, booked(CANCELED)], "CANCELED", "0"),
        ([SOME, CANCEL, REST], "FILLED", "0"),
        ([booked(REJECTED)], "REJECTED", "0"),
        ([SOME, booked(EXPIRED)], "EXPIRED", "0"),
        ([booked(CANCELED), SOME], "CANCELED", "0"),
        ([booked(CANCELED), SOME, REST], "FILLED", "0"),
        ([SOME, to_replace("12")], "PENDING_REPLACE", "6"),
        ([SOME, to_replace("12", order_id="")], "PARTIALLY_FILLED", "6"),
        ([to_replace("12"), CANCEL], "PENDING_CANCEL", "10"),
        ([to_replace("12"), booked(REPLACED)], "NEW", "12"),
        ([to_replace("12"), booked(REPLACE_REJECTED)], "NEW", "10"),
        ([to_replace("12"), booked(CANCELED)], "CANCELED", "0"),
        ([to_replace("4"), SOME, booked(REPLACED)], "FILLED", "0"),
        ([to_replace("12"), SOME, REST, booked(REPLACED)], "PARTIALLY_FILLED", "2"),
        ([to_replace("12"), SOME, REST, booked(REPLACE_REJECTED)], "FILLED", "0"),
        ([booked(REPLACED)], "NEW", "10"),
        ([SOME, taken_back(SOME)], "NEW", "10"),
        ([SOME, taken_back(SOME, "5", "99")], "PARTIALLY_FILLED", "5"),
        ([SOME, taken_back(SOME, "10", "99")], "FILLED", "0"),
        ([SOME, REST, taken_back(REST)], "CANCELED", "0"),
        ([SOME, booked(EXPIRED), taken_back(SOME)], "EXPIRED", "0"),
        ([SOME, REST, taken_back(REST, "6", "99")], "FILLED", "0"),
    ],
)
def test_the_status_follows_from_what_happened(events: list[journal_pb2.Event], status: str, leaves: str) -> None:
    """Pins FIX's status and leaves quantity over each life."""
    order = Order.from_events([decided(), *events])
    assert f"ORDER_STATUS_{status}" == common_pb2.OrderStatus.Name(order.status)
    assert Decimal(leaves) == order.leaves_quantity
    assert (leaves == "0") is order.is_done


def test_the_average_price_weighs_each_fill() -> None:
    """Pins the figures that the wire shows of partial fills."""
    wire = Order.from_events([decided(), SOME, REST]).to_wire()
    assert ("10", "0", "100.6") == (wire.cumulative_quantity, wire.leaves_quantity, wire.average_price)


def test_an_order_that_is_filled_while_a_replacement_is_pending_is_not_done() -> None:
    """Pins that only the broker's report on the replacement ends it."""
    order = Order.from_events([decided(), to_replace("12"), SOME, REST])
    assert ("0", "PENDING_REPLACE", False) == (
        str(order.leaves_quantity),
        common_pb2.OrderStatus.Name(order.status).removeprefix("ORDER_STATUS_"),
        order.is_done,
    )
    left = order.reservation
    assert (Decimal(2), Decimal(100), Decimal(0)) == (left.quantity, left.price, left.unit_loss)


def test_the_average_price_forgets_what_was_taken_back() -> None:
    """Pins that a correction weighs with its own figures, and that of no fill there is no average."""
    wire = Order.from_events([decided(), SOME, REST, taken_back(REST, "4", "110")]).to_wire()
    assert ("8", "105") == (wire.cumulative_quantity, wire.average_price)
    assert "" == Order.from_events([decided(), SOME, taken_back(SOME)]).to_wire().average_price


@pytest.mark.parametrize(
    ("events", "possibly_sent", "awaits"),
    [
        ([], False, True),
        ([CLAIM], True, True),
        ([CLAIM, booked(NEW)], False, False),
        ([CLAIM, booked(NEW), CANCEL], False, True),
        ([CLAIM, booked(CANCELED)], False, False),
        ([booked(NEW), to_replace("12")], False, True),
        ([booked(NEW), to_replace("12"), booked(REPLACED)], False, False),
        ([booked(NEW), to_replace("12"), booked(REPLACE_REJECTED)], False, False),
    ],
)
def test_a_claimed_order_without_a_report_is_possibly_sent(
    events: list[journal_pb2.Event], *, possibly_sent: bool, awaits: bool
) -> None:
    """Pins when nobody may send an order again, and when its adapter owes a report."""
    order = Order.from_events([decided(), *events])
    assert possibly_sent is order.to_wire().possibly_sent
    assert awaits is order.awaits_report


def test_an_event_that_is_not_about_an_order_is_refused() -> None:
    """Pins that a wrong event is never taken silently."""
    with pytest.raises(BookError, match="not about an order"):
        Order.from_events([decided(), journal_pb2.Event(bar_completed=journal_pb2.BarCompleted())])


@pytest.mark.parametrize(("side", "sign"), [(BUY, 1), (SELL, -1), (common_pb2.SIDE_UNSPECIFIED, 0)])
def test_a_side_is_a_sign(side: common_pb2.Side.ValueType, sign: int) -> None:
    """Pins what quantities are multiplied by."""
    assert sign == sign_of(side)


@pytest.mark.parametrize(
    ("action", "expected"), [("ALLOW", True), ("WARN", True), ("REDUCE", True), ("REJECT", False), ("HALT", False)]
)
def test_only_reject_and_halt_stop_an_order(action: str, *, expected: bool) -> None:
    """Pins which decisions let an order through."""
    assert expected is is_accepted(orders_pb2.Decision(action=common_pb2.Action.Value(f"ACTION_{action}")))
