"""CheckOrder: what SubmitOrder would answer now, and nothing else."""

import pytest

from tests.unit.builders import BUY, SELL, Desk, NewOrder, configuration, limit
from tests.unit.conftest import OpenDesk
from tidegate.v1 import common_pb2, orders_pb2


def without_place(decision: orders_pb2.Decision) -> orders_pb2.Decision:
    """Leave out what only a recorded decision has."""
    found = orders_pb2.Decision()
    found.CopyFrom(decision)
    found.ClearField("order_id")
    found.ClearField("sequence")
    return found


def orders(desk: Desk) -> list[NewOrder]:
    """Write orders of every outcome: let through, warned of, refused for one reason and for many, halted."""
    found = [
        desk.order("cash", BUY, "10", "A"),
        desk.order("cash", BUY, "160", "A"),
        desk.order("cash", BUY, "99999.5", "A"),
        desk.order("cash", SELL, "40", "A"),
        desk.order("cash", SELL, "51", "A"),
        desk.order("margin", SELL, "70", "A"),
        desk.order("ghost", BUY, "1", "A"),
        desk.order("cash", BUY, "1", "Z"),
        desk.order("cash", BUY, "1", "F"),
        limit(desk.order("cash", BUY, "10", "A"), "100.001"),
    ]
    found[0].route, found[3].reduce_only = "", True
    return found


@pytest.mark.parametrize("level", [common_pb2.HALT_LEVEL_ACTIVE, *(2, 3)])
def test_it_answers_as_the_order_itself_would_be_answered(
    open_desk: OpenDesk, level: common_pb2.HaltLevel.ValueType
) -> None:
    """Pins the whole decision but its place, for every outcome, and that the order is still decided afterwards."""
    desk = open_desk(configuration(warn_concentration="0.15", max_concentration="0.5"))
    desk.bar(1, A="100", B="50")
    desk.hold("cash", "50", "100")
    if level != common_pb2.HALT_LEVEL_ACTIVE:
        desk.halt(level=level)
    actions = set()
    for order in orders(desk):
        checked = desk.check(order)
        decided = desk.submit(order)
        assert ("", 0) == (checked.order_id, checked.sequence)
        assert (without_place(decided), True) == (checked, decided.sequence > 0)
        actions.add(common_pb2.Action.Name(decided.action))
    assert len(actions) > 1


def test_it_changes_nothing(desk: Desk) -> None:
    """Pins the state to the byte, the journal's head, and that a thousand checks reserve nothing."""
    desk.hold("cash", "50", "100")
    before, head, book_time = desk.state(), desk.gate.journal.head(), desk.book.time_ns
    for order in orders(desk) * 100:
        desk.check(order)
    assert (before, head, book_time) == (desk.state(), desk.gate.journal.head(), desk.book.time_ns)
    assert before == desk.restarted().state()


def test_it_sees_what_the_batch_has_done_before_it(desk: Desk) -> None:
    """Pins that a check is decided in its place, and leaves nothing to what follows."""
    first, checked, second = (desk.order("cash", BUY, "300", "A") for _ in range(3))
    replies = desk.replies(
        ("CheckOrder", orders_pb2.CheckOrderRequest(order=checked)),
        ("SubmitOrder", orders_pb2.SubmitOrderRequest(order=first)),
        ("CheckOrder", orders_pb2.CheckOrderRequest(order=checked)),
        ("SubmitOrder", orders_pb2.SubmitOrderRequest(order=second)),
    )
    found = [orders_pb2.CheckOrderResponse.FromString(replies[place].body).decision.reason_code for place in (0, 2)]
    assert ["", "CAPITAL"] == found
    assert [1, 1] == [len(desk.book.orders), len(desk.events("order_decided")) - 1]


@pytest.mark.parametrize("quantity", ["10", "501"], ids=["accepted", "refused"])
def test_an_order_that_was_decided_gets_that_answer(desk: Desk, quantity: str) -> None:
    """Pins that a check with a used id says what a retry would be told, and an id for another order is refused."""
    order = desk.order("cash", BUY, quantity, "A")
    decided = desk.submit(order)
    desk.bar(2, A="400")
    head = desk.gate.journal.head()
    assert without_place(decided) == desk.check(order)
    order.quantity = "11"
    assert "CLIENT_ORDER_ID_REUSED" == desk.refusal("CheckOrder", orders_pb2.CheckOrderRequest(order=order))
    assert head == desk.gate.journal.head()


def test_a_malformed_order_is_refused_like_the_order_itself(desk: Desk) -> None:
    """Pins reason, text and field."""
    order = desk.order("cash", BUY, "0", "A")
    check, submit = orders_pb2.CheckOrderRequest(order=order), orders_pb2.SubmitOrderRequest(order=order)
    assert desk.reply("SubmitOrder", submit) == desk.reply("CheckOrder", check)
    assert "IDENTIFIER_INVALID" == desk.refusal("CheckOrder", orders_pb2.CheckOrderRequest())


def test_checks_are_nobodys_refusals(desk: Desk) -> None:
    """Pins that asking often takes no place in the journal from refusals that count."""
    order = desk.order("cash", BUY, "501", "A")
    for _ in range(200):
        desk.check(order)
    assert desk.submit(order).sequence > 0
    assert [] == desk.tick(1)
