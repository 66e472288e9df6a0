"""Cancels of many orders at once: asked of the brokers, never done by our own hand."""

import pytest

from tests.unit.builders import (
    BUY,
    CANCEL_REJECTED,
    CANCELED,
    NEW,
    PORTFOLIO,
    Desk,
    instrument_scope,
    strategy_scope,
)
from tidegate.v1 import common_pb2, orders_pb2


@pytest.mark.control("cancel-all")
@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (PORTFOLIO, ["cash A", "cash B", "margin A"]),
        (common_pb2.Scope(), ["cash A", "cash B", "margin A"]),
        (strategy_scope("cash"), ["cash A", "cash B"]),
        (strategy_scope("margin"), ["margin A"]),
        (instrument_scope("A"), ["cash A", "margin A"]),
        (instrument_scope("F"), []),
    ],
)
def test_every_working_order_of_a_scope_is_to_be_canceled(
    desk: Desk, scope: common_pb2.Scope, expected: list[str]
) -> None:
    """Pins whose orders, with the reason, and that they stay reserved and trading goes on."""
    orders = [desk.order(*place) for place in (("cash", BUY, "10", "A"), ("cash", BUY, "10", "B"))]
    orders.append(desk.order("margin", BUY, "10", "A"))
    orders[1].route = ""
    for order in orders:
        desk.submit(order)
    before = desk.book.strategies["cash"].ledger.digest()
    assert len(expected) == desk.cancel_all(scope)
    asked = [o.request for o in desk.book.orders.values() if o.cancel_requested]
    assert expected == [f"{order.strategy_id} {order.symbol}" for order in asked]
    assert {"CANCEL_ALL"} >= {e.cancel_requested.reason_code for e in desk.events("cancel_requested")}
    assert before == desk.book.strategies["cash"].ledger.digest()
    assert desk.buy("cash", "1").order_id


def test_what_is_being_canceled_or_done_is_not_asked_for_again(desk: Desk) -> None:
    """Pins the count, and that a broker's refusal of a cancel lets it be asked for anew."""
    orders = [desk.order("cash", BUY, "10", "A") for _ in range(4)]
    order_ids = [desk.submit(order).order_id for order in orders]
    desk.report(*(desk.execution(order_id, NEW) for order_id in order_ids[:3]))
    desk.cancel(orders[0])
    desk.report(desk.execution(order_ids[3], CANCELED))
    assert [2, 0] == [desk.cancel_all(), desk.cancel_all()]
    desk.report(desk.execution(order_ids[1], CANCEL_REJECTED))
    assert (1, 4) == (desk.cancel_all(), len(desk.events("cancel_requested")))


@pytest.mark.control("cancel-all")
def test_a_cancel_of_everything_survives_a_restart(desk: Desk) -> None:
    """Pins that what was asked of the brokers is shown to them again."""
    order_id = desk.buy("cash", "10").order_id
    desk.cancel_all()
    desk = desk.restarted()
    message = orders_pb2.WatchOrdersRequest(adapter="paper")
    (told,) = desk.ask("WatchOrders", message, orders_pb2.WatchOrdersResponse).instructions
    assert (order_id, "cancel") == (told.cancel.order_id, told.WhichOneof("instruction"))
    assert 0 == desk.cancel_all()


@pytest.mark.parametrize(("kind", "name"), [(1, "cash"), (2, ""), (2, "nobody"), (3, "Z"), (99, "cash"), (0, "A")])
def test_a_scope_that_does_not_exist_cancels_nothing(desk: Desk, kind: int, name: str) -> None:
    """Pins that nobody believes to have canceled what the gate did not find."""
    desk.buy("cash", "10")
    scope = common_pb2.Scope(name=name)
    scope.kind = common_pb2.ScopeKind.ValueType(kind)
    recorded = len(desk.events())
    assert "SCOPE_INVALID" == desk.refusal("CancelAllOrders", orders_pb2.CancelAllOrdersRequest(scope=scope))
    assert recorded == len(desk.events())
