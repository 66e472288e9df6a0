"""Messages of a caller: counted over all of its strategies, by whoever proved to be it."""

import pytest
from google.protobuf.message import Message

from tests.unit.builders import BUY, Desk, NewOrder, at, configuration
from tests.unit.conftest import OpenDesk
from tidegate.explanation import Wanted, explain
from tidegate.gate import Request
from tidegate.permissions import ALL, INTERNAL, LOCAL, Caller, Role
from tidegate.reasons import Reason
from tidegate.v1 import actors_pb2, admin_pb2, orders_pb2

EVERYTHING = frozenset({ALL})
ANN, BOB = (Caller(name, frozenset(Role), EVERYTHING, EVERYTHING) for name in ("ann", "bob"))


def opened(open_desk: OpenDesk, limit: int = 3) -> Desk:
    """Open a desk that takes so many messages a second of a caller, A at 100."""
    configured = configuration()
    configured.max_caller_messages_per_s = limit
    for strategy_id in ("cash", "margin"):
        configured.routes.add(strategy_id=strategy_id, adapter="paper")
    desk = open_desk(configured)
    desk.bar(1, A="100", B="50", F="20")
    return desk


def call(desk: Desk, caller: Caller, method: str, request: Message) -> bytes:
    """Call in somebody's name."""
    (reply,) = desk.gate.process([Request(method, request.SerializeToString(), caller)]).replies
    assert "" == reply.reason, reply.text
    return reply.body


def submit(desk: Desk, caller: Caller, strategy_id: str = "cash", order: NewOrder | None = None) -> orders_pb2.Decision:
    """Submit an order in somebody's name."""
    request = orders_pb2.SubmitOrderRequest(order=order or desk.order(strategy_id, BUY, "1", "A"))
    return orders_pb2.SubmitOrderResponse.FromString(call(desk, caller, "SubmitOrder", request)).decision


@pytest.mark.control("message-rate")
def test_one_message_more_than_a_callers_rate_is_refused_whatever_strategy_it_is_for(open_desk: OpenDesk) -> None:
    """Pins the count over strategies, the text, another caller's own, the next second, and a restart within it."""
    desk = opened(open_desk)
    decisions = [submit(desk, ANN, strategy_id) for strategy_id in ("cash", "margin", "cash", "margin")]
    assert ["", "", "", Reason.MESSAGE_RATE] == [decision.reason_code for decision in decisions]
    assert "message 4 of caller ann within a second is over its limit of 3" == decisions[-1].reason
    assert ("", Reason.MESSAGE_RATE) == (submit(desk, BOB).reason_code, submit(desk, ANN).reason_code)
    assert ["ann"] * 4 + ["bob", "ann"] == [event.caller for event in desk.events("order_decided")]
    desk = desk.restarted()
    assert Reason.MESSAGE_RATE == submit(desk, ANN).reason_code
    assert ["", "", Reason.MESSAGE_RATE] == [submit(desk, BOB).reason_code for _ in range(3)]
    at(desk, 1_000)
    assert "" == submit(desk, ANN).reason_code


@pytest.mark.control("message-rate")
def test_a_callers_cancels_and_replacements_count_and_cancels_are_never_refused(open_desk: OpenDesk) -> None:
    """Pins every kind of message."""
    desk = opened(open_desk, 4)
    orders = [desk.order("cash", BUY, "1", "A") for _ in range(2)]
    for order in orders:
        submit(desk, ANN, order=order)
    call(desk, ANN, "ReplaceOrder", desk.replacement(orders[0], "2"))
    for order in orders:
        cancel = orders_pb2.CancelOrderRequest(strategy_id="cash", client_order_id=order.client_order_id)
        call(desk, ANN, "CancelOrder", cancel)
    assert 2 == len(desk.events("cancel_requested"))
    assert Reason.MESSAGE_RATE == submit(desk, ANN).reason_code


def test_without_names_everybody_is_one_caller_and_the_clusters_own_are_none(open_desk: OpenDesk) -> None:
    """Pins a gateway without an access file, and strategies' orders of a bar."""
    desk = opened(open_desk, 2)
    orders = [desk.order("cash", BUY, "1", "A") for _ in range(5)]
    bar = actors_pb2.CompleteBarRequest(bar_sequence=desk.book.last_bar_sequence, orders=orders)
    bar.seen_sequence = bar.bar_sequence
    decisions = actors_pb2.CompleteBarResponse.FromString(call(desk, INTERNAL, "CompleteBar", bar)).decisions
    assert [""] * 5 == [decision.reason_code for decision in decisions]
    assert ["", "", Reason.MESSAGE_RATE] == [submit(desk, LOCAL).reason_code for _ in range(3)]
    assert {"", ALL} == {event.caller for event in desk.events("order_decided")}


def test_what_the_gate_sends_on_the_way_out_is_not_the_callers_that_made_it_happen(open_desk: OpenDesk) -> None:
    """Pins that an officer's Flatten goes out, however much the officer has sent."""
    desk = opened(open_desk, 2)
    for strategy_id in ("cash", "margin"):
        desk.fill(submit(desk, ANN, strategy_id).order_id, "1", "100")
    flatten = admin_pb2.FlattenRequest(operator="ann", reason="out")
    response = admin_pb2.FlattenResponse.FromString(call(desk, ANN, "Flatten", flatten))
    assert ["1", "1"] == [position.submitted_quantity for position in response.positions]


def test_the_decision_follows_again_with_its_callers_figures(open_desk: OpenDesk) -> None:
    """Pins what an auditor sees: recomputed the same, to the byte, with the caller's count beside the others."""
    desk = opened(open_desk, 1)
    submit(desk, ANN)
    refused = desk.order("margin", BUY, "1", "A")
    assert Reason.MESSAGE_RATE == submit(desk, ANN, order=refused).reason_code
    found = explain(desk.gate.journal.read(0), Wanted(strategy_id="margin", client_order_id=refused.client_order_id))
    assert [] == found.differences
    (result,) = [check for check in found.checks if check.name == "message rate"]
    assert ("messages within the second of caller ann", "2", "1") == result.figures[0]
    assert result.violation is not None


def test_callers_are_not_recorded_where_nobody_counts_them(open_desk: OpenDesk) -> None:
    """Pins that what is not configured leaves no trace."""
    desk = opened(open_desk, 0)
    assert [""] * 20 == [submit(desk, ANN).reason_code for _ in range(20)]
    assert {""} == {event.caller for event in desk.events()}
