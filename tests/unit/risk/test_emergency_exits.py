"""Emergency exits: a verified reducing order passes a halt, in the name of somebody who may; nothing else does."""

from typing import Literal

import pytest
from google.protobuf.message import Message

from tests.unit.builders import (
    BUY,
    CANCELED,
    NEW,
    REPLACED,
    SELL,
    Desk,
    NewOrder,
    action,
    instrument_scope,
    strategy_scope,
)
from tests.unit.builders import limit as at_limit
from tidegate.gate import Reply, Request
from tidegate.permissions import INTERNAL, Caller, Role
from tidegate.v1 import actors_pb2, common_pb2, orders_pb2

OFFICER = Caller("ann", frozenset({Role.RISK}))
TRADER = Caller("bob", frozenset({Role.TRADER}), frozenset({"*"}), frozenset({"*"}))
BOTH = Caller("cat", frozenset({Role.TRADER, Role.ADMIN}), frozenset({"margin"}))
CLAIMED = orders_pb2.CLAIM_OUTCOME_CLAIMED


def exit_of(desk: Desk, quantity: str, *, side: common_pb2.Side.ValueType = SELL, symbol: str = "A") -> NewOrder:
    """Write an emergency exit."""
    order = desk.order("cash", side, quantity, symbol)
    order.emergency.operator, order.emergency.reason = "ann", "get out"
    return order


def call(desk: Desk, who: Caller, method: str, request: Message) -> Reply:
    """Send one request in somebody's name."""
    (reply,) = desk.gate.process([Request(method, request.SerializeToString(), who)]).replies
    return reply


def submit(desk: Desk, who: Caller, *orders: NewOrder) -> tuple[str, list[str]]:
    """Submit orders in somebody's name; return the refusal of the call, and what was decided."""
    reply = call(desk, who, "SubmitOrders", orders_pb2.SubmitOrdersRequest(orders=orders))
    decisions = orders_pb2.SubmitOrdersResponse.FromString(reply.body).decisions
    return reply.reason, [action(decision) for decision in decisions]


@pytest.mark.control("emergency-exit")
@pytest.mark.parametrize("scope", [common_pb2.Scope(), strategy_scope("cash"), instrument_scope("A")])
def test_an_exit_passes_a_halt_of_every_scope_to_its_end(desk: Desk, scope: common_pb2.Scope) -> None:
    """Pins decision, claim and fill under a halt, and that the same order without the word passes at none of them."""
    desk.hold("cash", "10", "100")
    waiting = desk.sell("cash", "2")
    desk.halt(scope)
    assert "HALT TRADING_HALTED" == action(desk.sell("cash", "8"))
    assert "ORDER_PENDING_CANCEL" == desk.claim(waiting.order_id).reason_code
    decision = desk.submit(exit_of(desk, "8"))
    assert ("ALLOW", CLAIMED) == (action(decision), desk.claim(decision.order_id).outcome)
    desk.report(desk.execution(waiting.order_id, CANCELED))
    desk.fill(decision.order_id, "8", "99")
    assert 2 == desk.position("cash")


@pytest.mark.control("emergency-exit")
@pytest.mark.parametrize(
    ("quantity", "side", "expected"),
    [("10", SELL, "ALLOW"), ("11", SELL, "HALT TRADING_HALTED"), ("1", BUY, "HALT TRADING_HALTED")],
)
def test_an_exit_only_reduces(desk: Desk, quantity: str, side: common_pb2.Side.ValueType, expected: str) -> None:
    """Pins both sides of the position, under a halt; and that without a halt the word alone asks for it."""
    desk.hold("cash", "10", "100")
    order = exit_of(desk, quantity, side=side)
    first = desk.check(order)
    assert ("ALLOW" if expected == "ALLOW" else "REJECT NOT_REDUCING") == action(first)
    desk.halt()
    decision = desk.submit(order)
    assert expected == action(decision)
    codes = [violation.reason_code for violation in decision.violations]
    assert ([] if expected == "ALLOW" else ["TRADING_HALTED", "NOT_REDUCING"]) == codes[:2]


def test_working_orders_count_against_an_exit(desk: Desk) -> None:
    """Pins that what is being canceled may still be filled."""
    desk.hold("cash", "10", "100")
    desk.sell("cash", "4")
    desk.halt()
    assert "HALT TRADING_HALTED" == action(desk.submit(exit_of(desk, "7")))
    assert "ALLOW" == action(desk.submit(exit_of(desk, "6")))


def test_an_exit_passes_a_stale_price_and_no_missing_one(desk: Desk) -> None:
    """Pins a market order on both sides of the age, and that nothing is decided without any price."""
    desk.hold("cash", "10", "100")
    desk.price(9, B="50")
    assert "REJECT PRICE_STALE" == action(desk.sell("cash", "1"))
    assert "ALLOW" == action(desk.submit(exit_of(desk, "1")))
    unpriced = exit_of(desk, "1", symbol="F")
    desk.book.mark_times_ns.pop("F")
    assert "REJECT PRICE_MISSING" == action(desk.check(unpriced))


def test_an_exit_keeps_to_lot_and_tick(desk: Desk) -> None:
    """Pins that the broker's own rules are nobody's to skip."""
    desk.hold("cash", "10", "100")
    desk.halt()
    assert "REJECT QUANTITY_OFF_LOT" == action(desk.submit(exit_of(desk, "1.5")))
    assert "REJECT PRICE_OFF_TICK" == action(desk.submit(at_limit(exit_of(desk, "1"), "99.999")))


@pytest.mark.parametrize(("field", "expected"), [("operator", "IDENTIFIER_INVALID"), ("reason", "TEXT_INVALID")])
def test_an_exit_says_who_and_why(desk: Desk, field: Literal["operator", "reason"], expected: str) -> None:
    """Pins that an exit is signed like every act of an operator, and that the journal tells of both."""
    desk.hold("cash", "10", "100")
    order = exit_of(desk, "1")
    desk.submit(order)
    assert order.emergency == desk.events("order_decided")[-1].order_decided.order.emergency
    unsigned = exit_of(desk, "1")
    unsigned.emergency.ClearField(field)
    assert expected == desk.refusal("SubmitOrder", orders_pb2.SubmitOrderRequest(order=unsigned))


@pytest.mark.control("emergency-exit")
def test_an_exit_is_an_officers_for_any_strategy_and_no_traders(desk: Desk) -> None:
    """Pins each role, alone and in a batch with what is not its own; and that the name that was proved is journaled."""
    desk.hold("cash", "10", "100")
    out, plain, own = exit_of(desk, "1"), desk.order("cash", SELL, "1", "A"), desk.order("margin", BUY, "1", "A")
    assert ("PERMISSION_DENIED", []) == submit(desk, TRADER, out)
    assert ("PERMISSION_DENIED", []) == submit(desk, OFFICER, plain)
    assert ("PERMISSION_DENIED", []) == submit(desk, OFFICER, out, plain)
    assert ("PERMISSION_DENIED", []) == submit(desk, OFFICER)
    assert ("PERMISSION_DENIED", []) == submit(desk, BOTH, out, plain)
    assert ("OPERATOR_NOT_CALLER", []) == submit(desk, BOTH, out, own)
    out.emergency.ClearField("operator")
    assert ("", ["ALLOW", "ALLOW"]) == submit(desk, BOTH, out, own)
    assert ("", ["ALLOW"]) == submit(desk, OFFICER, exit_of(desk, "1"))
    names = [event.order_decided.order.emergency.operator for event in desk.events("order_decided")]
    assert ["", "cat", "", "ann"] == names


@pytest.mark.parametrize("operator", ["tidegate", "Tidegate"])
def test_nobody_calls_for_an_exit_in_the_gates_name(desk: Desk, operator: str) -> None:
    """Pins that the gate's own exits are told from everybody's, also on a gateway without roles."""
    order = exit_of(desk, "1")
    order.emergency.operator = operator
    request = orders_pb2.SubmitOrderRequest(order=order)
    assert "OPERATOR_NOT_CALLER" == desk.refusal("SubmitOrder", request)


def test_a_strategys_code_calls_for_no_exit(desk: Desk) -> None:
    """Pins that an order which comes with a bar is refused for the word, and leaves no trace."""
    desk.hold("cash", "10", "100")
    bar, seen = desk.book.next_bar_sequence, desk.book.sequence
    orders = [exit_of(desk, "1"), desk.order("cash", SELL, "1", "A")]
    request = actors_pb2.CompleteBarRequest(bar_sequence=bar, seen_sequence=seen, orders=orders)
    reply = call(desk, INTERNAL, "CompleteBar", request)
    decisions = actors_pb2.CompleteBarResponse.FromString(reply.body).decisions
    assert ["REJECT PERMISSION_DENIED", "ALLOW"] == [action(decision) for decision in decisions]
    assert ["order_decided", "bar_completed"] == desk.kinds(seen)


def test_a_halt_leaves_an_exit_working_and_others_not(desk: Desk) -> None:
    """Pins that a second halt does not cancel the way out of the first."""
    desk.hold("cash", "10", "100")
    out, plain = desk.submit(exit_of(desk, "5")), desk.sell("cash", "5")
    assert 1 == desk.halt().cancels_requested
    assert {out.order_id: False, plain.order_id: True} == {
        order_id: order.cancel_requested for order_id, order in desk.book.orders.items()
    }


def test_an_exit_that_no_longer_reduces_is_not_handed_out(desk: Desk) -> None:
    """Pins that it is looked at again at the claim: what a broker sold too much meanwhile is not sold twice."""
    desk.hold("cash", "10", "100")
    sale = desk.sell("cash", "1").order_id
    decision = desk.submit(exit_of(desk, "9"))
    desk.halt()
    desk.fill(sale, "2", "100")
    claim = desk.claim(decision.order_id)
    assert ("TRADING_HALTED", orders_pb2.CLAIM_OUTCOME_REFUSED) == (claim.reason_code, claim.outcome)


def test_what_a_trader_makes_of_an_exit_is_none(desk: Desk) -> None:
    """Pins that a replacement is its own order: decided as one, held back by a halt, and no exit afterwards."""
    desk.hold("cash", "10", "100")
    order = at_limit(exit_of(desk, "5"), "99")
    order_id = desk.submit(order).order_id
    desk.claim(order_id)
    desk.report(desk.execution(order_id, NEW))
    desk.replace(desk.replacement(order, "4", "99"))
    assert not desk.book.orders[order_id].is_emergency
    desk.report(desk.execution(order_id, REPLACED))
    assert not desk.book.orders[order_id].request.HasField("emergency")
    other = at_limit(exit_of(desk, "5"), "99")
    desk.halt()
    desk.submit(other)
    assert "HALT TRADING_HALTED" == action(desk.replace(desk.replacement(other, "4", "99")))


def test_an_exit_is_the_same_after_a_restart(desk: Desk) -> None:
    """Pins the retry, to the byte, and the state."""
    desk.hold("cash", "10", "100")
    order = exit_of(desk, "5")
    first = desk.submit(order)
    again = desk.restarted()
    assert (first, desk.state()) == (again.submit(order), again.state())
    order.emergency.reason = "another"
    request = orders_pb2.SubmitOrderRequest(order=order)
    assert "CLIENT_ORDER_ID_REUSED" == again.refusal("SubmitOrder", request)
