"""An order's life, from its decision to its end."""

from decimal import Decimal

import pytest

from tests.unit.builders import BUY, CANCELED, NEW, SELL, TRADE
from tidegate.errors import BookError
from tidegate.orders import Order, is_accepted, sign_of
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2

EXPIRED = orders_pb2.EXECUTION_TYPE_EXPIRED
REJECTED = orders_pb2.EXECUTION_TYPE_REJECTED
CANCEL_REJECTED = orders_pb2.EXECUTION_TYPE_CANCEL_REJECTED


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


@pytest.mark.parametrize(
    ("events", "possibly_sent", "awaits"),
    [
        ([], False, True),
        ([CLAIM], True, True),
        ([CLAIM, booked(NEW)], False, False),
        ([CLAIM, booked(NEW), CANCEL], False, True),
        ([CLAIM, booked(CANCELED)], False, False),
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
