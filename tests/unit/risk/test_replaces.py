"""Replacing a working order: decided once, held at the larger of old and new until the broker reports."""

from decimal import Decimal
from operator import attrgetter

import pytest

from tests.unit.builders import (
    BUY,
    CANCEL_REJECTED,
    CANCELED,
    REPLACE_REJECTED,
    REPLACED,
    SELL,
    Desk,
    NewOrder,
    action,
    configuration,
    instrument_scope,
    limit,
    stamp,
)
from tests.unit.conftest import OpenDesk
from tidegate.numbers import ZERO, plain
from tidegate.v1 import admin_pb2, common_pb2, orders_pb2

REDUCE_ONLY = common_pb2.HALT_LEVEL_REDUCE_ONLY


def standing(desk: Desk) -> dict[str, tuple[orders_pb2.Order, tuple[Decimal, ...]]]:
    """Return the working orders as they are now, and what they reserve."""
    figures = attrgetter("quantity", "price", "unit_loss")
    return {order_id: (order.to_wire(), figures(order.reservation)) for order_id, order in desk.book.orders.items()}


def working(desk: Desk, quantity: str = "10", price: str = "110", side: common_pb2.Side.ValueType = BUY) -> NewOrder:
    """Let strategy cash work a limit order in A."""
    order = limit(desk.order("cash", side, quantity, "A"), price)
    assert desk.submit(order).order_id
    return order


def id_of(desk: Desk) -> str:
    """Return the id of the one working order."""
    (order_id,) = desk.book.orders
    return order_id


def reserved(desk: Desk) -> str:
    """Return what strategy cash reserves in A: quantity, cash, loss at the limit."""
    ledger = desk.book.strategies["cash"].ledger
    position = ledger.positions.get("A")
    quantity = position.working_buys if position else ZERO
    return " ".join(map(plain, (quantity, ledger.reserved_cash, ledger.reserved_loss)))


def status(desk: Desk, client_order_id: str) -> str:
    """Return an order's status by any of its ids."""
    return common_pb2.OrderStatus.Name(desk.found(client_order_id).order.status).removeprefix("ORDER_STATUS_")


@pytest.mark.control("order-counts-when-sent")
@pytest.mark.parametrize(
    ("new", "pending", "replaced"),
    [
        ("15 at 105", "15 1650 150", "15 1575 75"),
        ("15 at 120", "15 1800 300", "15 1800 300"),
        ("5 at 120", "10 1200 200", "5 600 100"),
        ("5 at 90", "10 1100 100", "5 500 0"),
    ],
)
@pytest.mark.parametrize("report", [REPLACED, REPLACE_REJECTED, CANCELED])
def test_the_larger_of_old_and_new_stays_reserved_until_the_broker_reports(
    desk: Desk, new: str, pending: str, replaced: str, report: orders_pb2.ExecutionType.ValueType
) -> None:
    """Pins quantity, cash and loss before, while and after, each measured for itself, also over a restart."""
    order = working(desk)
    assert "10 1100 100" == reserved(desk)
    assert "ALLOW" == action(desk.replace(desk.replacement(order, *new.split(" at "))))
    assert pending == reserved(desk)
    desk = desk.restarted()
    assert pending == reserved(desk)
    desk.report(desk.execution(id_of(desk), report))
    after = {REPLACED: replaced, REPLACE_REJECTED: "10 1100 100", CANCELED: "0 0 0"}
    assert after[report] == reserved(desk) == reserved(desk.restarted())


def test_a_fill_while_a_replacement_is_pending_counts_for_old_and_new(desk: Desk) -> None:
    """Pins that the larger remainder stays reserved, and that a whole fill leaves what the new order may add."""
    order = working(desk)
    request = desk.replacement(order, "15", "105")
    desk.replace(request)
    order_id = id_of(desk)
    desk.fill(order_id, "4", "110")
    assert "11 1210 110" == reserved(desk)
    desk.fill(order_id, "6", "110")
    assert "5 550 50" == reserved(desk)
    assert ("PENDING_REPLACE", "0") == (status(desk, order.client_order_id), desk.found("o1").order.leaves_quantity)
    desk.report(desk.execution(order_id, REPLACED))
    assert ("5 525 25", "PARTIALLY_FILLED") == (reserved(desk), status(desk, request.client_order_id))
    desk.fill(order_id, "5", "105")
    assert ("0 0 0", "FILLED") == (reserved(desk), status(desk, order.client_order_id))
    assert "0" == desk.conserved()


@pytest.mark.parametrize(("quantity", "alerts"), [("15", []), ("16", ["EXECUTION_OVERFILL"])])
def test_a_broker_may_fill_the_replacement_before_it_reports_it(desk: Desk, quantity: str, alerts: list[str]) -> None:
    """Pins that an overfill is what is over the larger of old and new."""
    desk.replace(desk.replacement(working(desk), "15", "105"))
    order_id = id_of(desk)
    desk.fill(order_id, quantity, "105")
    assert alerts == [event.alert_raised.reason_code for event in desk.events("alert_raised")]
    desk.report(desk.execution(order_id, REPLACED))
    assert ({}, "0 0 0") == (desk.book.orders, reserved(desk))


def test_a_replacement_that_the_broker_refuses_ends_an_order_that_is_filled(desk: Desk) -> None:
    """Pins that nothing stays reserved when nothing can come any more."""
    order = working(desk)
    desk.replace(desk.replacement(order, "15", "110"))
    order_id = id_of(desk)
    desk.fill(order_id, "10", "110")
    desk.report(desk.execution(order_id, REPLACE_REJECTED))
    assert ({}, "0 0 0", "FILLED") == (desk.book.orders, reserved(desk), status(desk, order.client_order_id))


def test_a_replacement_below_what_was_filled_meanwhile_ends_the_order(desk: Desk) -> None:
    """Pins that fills which were faster than the broker's report are all booked, and nothing stays reserved."""
    order = working(desk)
    desk.replace(desk.replacement(order, "6", "110"))
    order_id = id_of(desk)
    desk.fill(order_id, "8", "110")
    assert "2 220 20" == reserved(desk)
    desk.report(desk.execution(order_id, REPLACED))
    assert ({}, "0 0 0", "FILLED") == (desk.book.orders, reserved(desk), status(desk, order.client_order_id))


@pytest.mark.parametrize(
    ("state", "quantity", "price", "expected"),
    [
        ("working", "10", "110", "REPLACE_CHANGES_NOTHING"),
        ("working", "10.0", "110.00", "REPLACE_CHANGES_NOTHING"),
        ("working", "10", "109.99", ""),
        ("partly filled", "4", "110", "REPLACE_BELOW_FILLED"),
        ("partly filled", "3", "110", "REPLACE_BELOW_FILLED"),
        ("partly filled", "5", "110", ""),
        ("pending cancel", "11", "110", "ORDER_PENDING_CANCEL"),
        ("pending replace", "11", "110", "REPLACE_PENDING"),
        ("replace rejected", "11", "110", ""),
        ("cancel rejected", "11", "110", ""),
        ("done", "11", "110", "ORDER_DONE"),
        ("refused", "11", "110", "ORDER_UNKNOWN"),
        ("unseen", "11", "110", "ORDER_UNKNOWN"),
    ],
)
def test_only_a_working_order_becomes_something_else(
    desk: Desk, state: str, quantity: str, price: str, expected: str
) -> None:
    """Pins what cannot be replaced, that the journal tells of it, and that the order and its ledger stay."""
    order = limit(desk.order("cash", BUY, "9999" if state == "refused" else "10", "A"), "110")
    order_id = desk.submit(order).order_id if state != "unseen" else ""
    if state == "partly filled":
        desk.fill(order_id, "4", "110")
    elif state == "done":
        desk.report(desk.execution(order_id, CANCELED))
    elif state.endswith("cancel") or state.startswith("cancel"):
        desk.cancel(order)
    elif "replace" in state:
        desk.replace(desk.replacement(order, "12", "110"))
    if state.endswith("rejected"):
        desk.report(desk.execution(order_id, CANCEL_REJECTED if state.startswith("cancel") else REPLACE_REJECTED))
    before = standing(desk), desk.book.strategies["cash"].ledger.digest()
    assert expected == desk.refusal("ReplaceOrder", desk.replacement(order, quantity, price))
    refused = [event.command_refused.reason_code for event in desk.events("command_refused")]
    assert ([expected] if expected else []) == refused
    assert (expected == "") is (before != (standing(desk), desk.book.strategies["cash"].ledger.digest()))


def test_a_retry_gets_the_first_answer_whatever_became_of_the_order(desk: Desk) -> None:
    """Pins once per client_order_id while pending, after the report, after the end and over a restart."""
    request = desk.replacement(working(desk), "15", "105")
    first, order_id = desk.replace(request), id_of(desk)
    assert first == desk.replace(request)
    desk.report(desk.execution(order_id, REPLACED))
    assert first == desk.replace(request)
    desk.fill(order_id, "15", "105")
    recorded = len(desk.events())
    assert first == desk.replace(request) == desk.restarted().replace(request)
    assert recorded == len(desk.events())


def test_a_refused_replacement_leaves_everything_as_it_was_and_is_remembered(desk: Desk) -> None:
    """Pins that the order works on, that a retry is refused alike, and that the id stands for no order."""
    order = working(desk)
    before = standing(desk), desk.book.strategies["cash"].ledger.digest()
    request = desk.replacement(order, "501", "110")
    decision = desk.replace(request)
    assert ("REJECT CAPITAL", "", "0") == (action(decision), decision.order_id, decision.approved_quantity)
    assert decision.sequence == desk.events("replace_decided")[0].sequence
    desk.bar(2, A="1")
    assert decision == desk.replace(request)
    desk = desk.restarted()
    assert decision == desk.replace(request)
    assert before == (standing(desk), desk.book.strategies["cash"].ledger.digest())
    found = desk.found(request.client_order_id)
    assert (decision, False) == (found.decision, found.HasField("order"))
    cancel = orders_pb2.CancelOrderRequest(strategy_id="cash", client_order_id=request.client_order_id)
    assert "ORDER_UNKNOWN" == desk.refusal("CancelOrder", cancel)
    desk.fill(id_of(desk), "10", "110")
    assert "FILLED" == status(desk, order.client_order_id)


@pytest.mark.parametrize("restart", [False, True], ids=["at once", "after a restart"])
@pytest.mark.parametrize("used_by", ["the order itself", "another order", "a refused order", "another replacement"])
def test_an_id_that_was_used_before_replaces_nothing(desk: Desk, used_by: str, *, restart: bool) -> None:
    """Pins CLIENT_ORDER_ID_REUSED for an order's, a refused order's and a replacement's id, and never a failure."""
    order, other = working(desk), working(desk, "1")
    refused = desk.order("cash", BUY, "9999", "A")
    desk.submit(refused)
    taken = desk.replacement(other, "2", "110")
    desk.replace(taken)
    request = desk.replacement(order, "11", "110")
    request.client_order_id = {
        "the order itself": order.client_order_id,
        "another order": other.client_order_id,
        "a refused order": refused.client_order_id,
        "another replacement": taken.client_order_id,
    }[used_by]
    desk = desk.restarted() if restart else desk
    assert "CLIENT_ORDER_ID_REUSED" == desk.refusal("ReplaceOrder", request)
    assert "CLIENT_ORDER_ID_REUSED" == desk.events("command_refused")[-1].command_refused.reason_code
    assert [None] == [o.replacement for o in desk.book.orders.values() if o.request == order]


def test_an_id_that_the_same_batch_has_used_replaces_nothing(desk: Desk) -> None:
    """Pins that what is not durable yet counts as used."""
    request, fresh = desk.replacement(working(desk), "11", "110"), desk.order("cash", BUY, "1", "A")
    request.client_order_id = fresh.client_order_id
    submit = orders_pb2.SubmitOrderRequest(order=fresh)
    first, second = desk.replies(("SubmitOrder", submit), ("ReplaceOrder", request))
    assert ("", "CLIENT_ORDER_ID_REUSED") == (first.reason, second.reason)


@pytest.mark.parametrize("again", ["in the same batch", "later", "after a restart"])
@pytest.mark.parametrize("quantity", ["11", "501"], ids=["accepted", "refused"])
def test_a_replacements_id_orders_nothing_new(desk: Desk, quantity: str, again: str) -> None:
    """Pins the other direction: an order under a replacement's id is refused, alone, in a batch and when checked."""
    request = desk.replacement(working(desk), quantity, "110")
    order = desk.order("cash", BUY, "1", "A")
    order.client_order_id = request.client_order_id
    submit = orders_pb2.SubmitOrderRequest(order=order)
    if again == "in the same batch":
        _, reply = desk.replies(("ReplaceOrder", request), ("SubmitOrder", submit))
        assert "CLIENT_ORDER_ID_REUSED" == reply.reason
    else:
        desk.replace(request)
    desk = desk.restarted() if again == "after a restart" else desk
    assert "CLIENT_ORDER_ID_REUSED" == desk.refusal("SubmitOrder", submit)
    assert "CLIENT_ORDER_ID_REUSED" == desk.refusal("CheckOrder", orders_pb2.CheckOrderRequest(order=order))
    batch = orders_pb2.SubmitOrdersRequest(orders=[order])
    (decision,) = desk.ask("SubmitOrders", batch, orders_pb2.SubmitOrdersResponse).decisions
    assert ("REJECT CLIENT_ORDER_ID_REUSED", 0) == (action(decision), decision.sequence)


def test_an_order_is_found_and_canceled_by_each_of_its_ids(desk: Desk) -> None:
    """Pins old and new ids while pending and after, working and done, each with the decision on that id."""
    order = working(desk)
    first, second = desk.replacement(order, "15", "105"), desk.replacement(order, "16", "105")
    decision, order_id = desk.replace(first), id_of(desk)
    assert desk.found("o1").order == desk.found(first.client_order_id).order
    assert ("o1", "15") == (desk.found("o1").order.order.client_order_id, desk.found("o1").order.replacement.quantity)
    desk.report(desk.execution(order_id, REPLACED))
    second.orig_client_order_id = first.client_order_id
    desk.replace(second)
    desk.report(desk.execution(order_id, REPLACED))
    names = ["o1", first.client_order_id, second.client_order_id]
    shown = [desk.found(name).order for name in names]
    assert [second.client_order_id] * 3 == [one.order.client_order_id for one in shown]
    assert [("16", "105", "16")] * 3 == [(o.order.quantity, o.order.limit_price, o.leaves_quantity) for o in shown]
    assert decision == desk.found(first.client_order_id).decision
    for name in names:
        cancel = orders_pb2.CancelOrderRequest(strategy_id="cash", client_order_id=name)
        canceled = desk.ask("CancelOrder", cancel, orders_pb2.CancelOrderResponse).order
        assert common_pb2.ORDER_STATUS_PENDING_CANCEL == canceled.status
    assert 1 == len(desk.events("cancel_requested"))
    desk.report(desk.execution(order_id, CANCELED))
    done = [desk.restarted().found(name).order for name in names]
    assert [("CANCELED", "16")] * 3 == [
        (status(desk, name), o.order.quantity) for name, o in zip(names, done, strict=True)
    ]


def test_an_older_id_still_names_the_order_that_is_to_be_replaced(desk: Desk) -> None:
    """Pins that a sender which does not know of a replacement still reaches its order."""
    order = working(desk)
    desk.replace(desk.replacement(order, "15", "105"))
    desk.report(desk.execution(id_of(desk), REPLACED))
    assert "ALLOW" == action(desk.replace(desk.replacement(order, "16", "105")))


def test_a_cancel_while_a_replacement_is_pending_leaves_both_to_the_broker(desk: Desk) -> None:
    """Pins that the larger stays reserved, and that each of the broker's reports answers its own question."""
    order = working(desk)
    desk.replace(desk.replacement(order, "15", "105"))
    order_id = id_of(desk)
    desk.cancel(order)
    assert ("15 1650 150", "PENDING_CANCEL") == (reserved(desk), status(desk, "o1"))
    desk.report(desk.execution(order_id, CANCEL_REJECTED))
    assert ("15 1650 150", "PENDING_REPLACE") == (reserved(desk), status(desk, "o1"))
    desk.cancel(order)
    desk.report(desk.execution(order_id, REPLACED))
    assert ("15 1575 75", "PENDING_CANCEL") == (reserved(desk), status(desk, "o1"))
    desk.report(desk.execution(order_id, CANCELED))
    assert ("0 0 0", "CANCELED") == (reserved(desk), status(desk, "o1"))


@pytest.mark.parametrize(
    ("level", "quantity", "expected"),
    [
        (common_pb2.HALT_LEVEL_HALTED, "5", "HALT TRADING_HALTED"),
        (common_pb2.HALT_LEVEL_HALTED, "15", "HALT TRADING_HALTED"),
        (REDUCE_ONLY, "15", "REJECT REDUCE_ONLY"),
    ],
)
def test_a_halted_scope_refuses_replacements(
    desk: Desk, level: common_pb2.HaltLevel.ValueType, quantity: str, expected: str
) -> None:
    """Pins that a halt is final for replacements too, also when its own cancels were refused by the broker."""
    order = working(desk)
    desk.halt(instrument_scope("A"), level)
    if level == common_pb2.HALT_LEVEL_HALTED:
        desk.report(desk.execution(id_of(desk), CANCEL_REJECTED))
    assert expected == action(desk.replace(desk.replacement(order, quantity, "110")))
    assert "10 1100 100" == reserved(desk)


@pytest.mark.parametrize(("quantity", "expected"), [("30", "ALLOW"), ("31", "REJECT REDUCE_ONLY")])
@pytest.mark.parametrize("paused", [False, True], ids=["reduce only", "paused"])
def test_a_way_out_may_be_replaced_up_to_what_is_left_to_sell(
    desk: Desk, quantity: str, expected: str, *, paused: bool
) -> None:
    """Pins that other sells count and the replaced one does not: 40 held, 10 in another sell."""
    desk.hold("margin", "40", "100")
    desk.sell("margin", "10")
    order = desk.order("margin", SELL, "20", "A")
    desk.submit(order)
    if paused:
        request = admin_pb2.PauseStrategyRequest(strategy_id="margin", operator="ann", reason="odd")
        desk.ask("PauseStrategy", request, admin_pb2.PauseStrategyResponse)
    else:
        desk.halt(level=REDUCE_ONLY)
    found = action(desk.replace(desk.replacement(order, quantity)))
    assert (expected if not paused else expected.replace("REDUCE_ONLY", "STRATEGY_PAUSED")) == found


@pytest.mark.parametrize(
    ("quantity", "price", "expected"),
    [
        ("490", "100", "ALLOW"),
        ("491", "100", "REJECT CAPITAL"),
        ("250", "196", "ALLOW"),
        ("250", "196.01", "REJECT CAPITAL"),
    ],
)
def test_only_what_a_replacement_adds_has_to_fit(desk: Desk, quantity: str, price: str, expected: str) -> None:
    """Pins the last cent of a cash strategy's 50,000, of which another order has 1,000."""
    desk.buy("cash", "10")
    order = working(desk, "240", "100")
    assert expected == action(desk.replace(desk.replacement(order, quantity, price)))


@pytest.mark.parametrize(("price", "expected"), [("125", "ALLOW"), ("125.01", "REJECT CAPITAL")])
def test_less_at_a_dearer_limit_has_to_fit_at_its_worst(desk: Desk, price: str, expected: str) -> None:
    """Pins that 400 may still be filled, at what 200 are to be bought for: 50,000 carry 125 each."""
    order = working(desk, "400", "100")
    assert expected == action(desk.replace(desk.replacement(order, "200", price)))


@pytest.mark.parametrize(("quantity", "expected"), [("300", "ALLOW"), ("301", "REJECT CAPITAL")])
def test_more_at_a_better_limit_has_to_fit_at_its_worst(desk: Desk, quantity: str, expected: str) -> None:
    """Pins that 300 may lose 50 each, as the 100 that work now: 15,000 are left, which carry 30,000."""
    order = limit(desk.order("margin", BUY, "100", "A"), "150")
    desk.submit(order)
    assert expected == action(desk.replace(desk.replacement(order, quantity, "100")))


def test_less_is_no_way_out_while_the_broker_may_still_do_more(desk: Desk) -> None:
    """Pins that a sell of 60 of 40 held would flip, also when it is to become one of 30."""
    desk.hold("margin", "40", "100")
    order = desk.order("margin", SELL, "60", "A")
    desk.submit(order)
    desk.halt(level=REDUCE_ONLY)
    assert "REJECT REDUCE_ONLY" == action(desk.replace(desk.replacement(order, "30")))


@pytest.mark.control("gross-exposure")
@pytest.mark.parametrize(("quantity", "expected"), [("200", "ALLOW"), ("201", "REJECT CONCENTRATION")])
def test_a_replacement_is_held_against_the_limits_at_its_worst(
    open_desk: OpenDesk, quantity: str, expected: str
) -> None:
    """Pins that a part that is filled counts once, as position: 100,000 carry 20,000 in A."""
    desk = open_desk(configuration(max_concentration="0.2"))
    desk.bar(1, A="100")
    order = working(desk, "100", "100")
    desk.fill(id_of(desk), "60", "100")
    assert expected == action(desk.replace(desk.replacement(order, quantity, "100")))


@pytest.mark.control("order-size")
@pytest.mark.parametrize(("quantity", "expected"), [("100", "ALLOW"), ("101", "REJECT ORDER_QUANTITY")])
def test_the_size_of_an_order_is_that_of_the_whole_replacement(
    open_desk: OpenDesk, quantity: str, expected: str
) -> None:
    """Pins that an order does not grow past the limit of one order step by step."""
    desk = open_desk(configuration(max_order_quantity="100"))
    desk.bar(1, A="100")
    order = working(desk, "90", "100")
    desk.fill(id_of(desk), "80", "100")
    assert expected == action(desk.replace(desk.replacement(order, quantity, "100")))


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("strategy_id", "", "IDENTIFIER_INVALID"),
        ("orig_client_order_id", "a b", "IDENTIFIER_INVALID"),
        ("client_order_id", "x" * 65, "IDENTIFIER_INVALID"),
        ("quantity", "", "QUANTITY_INVALID"),
        ("quantity", "0", "QUANTITY_INVALID"),
        ("quantity", "NaN", "QUANTITY_INVALID"),
        ("limit_price", "", "PRICE_INVALID"),
        ("limit_price", "-1", "PRICE_INVALID"),
    ],
)
def test_a_malformed_replacement_is_refused_at_the_door(desk: Desk, field: str, value: str, expected: str) -> None:
    """Pins the reason and the request's own field, and that nothing is recorded."""
    request = desk.replacement(working(desk), "11", "110")
    setattr(request, field, value)
    recorded = len(desk.events())
    reply = desk.reply("ReplaceOrder", request)
    assert (expected, field, recorded) == (reply.reason, reply.field, len(desk.events()))


def test_a_market_order_takes_no_limit_by_a_replacement(desk: Desk) -> None:
    """Pins that a replacement changes quantity and limit, not the type."""
    order = desk.order("cash", BUY, "10", "A")
    desk.submit(order)
    reply = desk.reply("ReplaceOrder", desk.replacement(order, "11", "100"))
    assert ("PRICE_INVALID", "limit_price") == (reply.reason, reply.field)
    assert "ALLOW" == action(desk.replace(desk.replacement(order, "11")))


def test_a_submitter_that_routes_itself_gets_a_deadline_for_its_replacement(desk: Desk) -> None:
    """Pins that a permission to replace runs out like one to send, for orders without a route only."""
    order = limit(desk.order("cash", BUY, "10", "A"), "110")
    order.route = ""
    desk.submit(order)
    decision = desk.replace(desk.replacement(order, "11", "110"))
    assert stamp(1).seconds + 30 == decision.route_by.seconds
    assert not desk.replace(desk.replacement(working(desk), "11", "110")).HasField("route_by")
