"""Flattening: every position of a scope is closed, to the end, and nothing is sold that may be sold already."""

from decimal import Decimal
from typing import Literal

import pytest

from tests.unit.builders import (
    BUY,
    CANCELED,
    SELL,
    TRADE,
    Desk,
    action,
    configuration,
    instrument_scope,
    strategy_scope,
)
from tests.unit.builders import PORTFOLIO as WHOLE
from tests.unit.conftest import OpenDesk
from tests.unit.sources import NEEDS_SOURCES
from tidegate.gate import Request
from tidegate.permissions import Caller, Role
from tidegate.risk import orders
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, orders_pb2

REDUCE_ONLY = common_pb2.HALT_LEVEL_REDUCE_ONLY
HALTED = common_pb2.HALT_LEVEL_HALTED
REJECTED = orders_pb2.EXECUTION_TYPE_REJECTED


def routed(*, flatten: bool = False, **limits: str) -> journal_pb2.PortfolioConfigured:
    """Configure the desk with a route for both strategies."""
    configured = configuration(**limits)
    configured.routes.add(strategy_id="cash", adapter="paper")
    configured.routes.add(strategy_id="margin", adapter="other")
    if flatten:
        configured.halts.flatten = True
    return configured


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    """Open a desk whose strategies have routes."""
    opened = open_desk(routed())
    opened.bar(1, A="100", B="50", F="20")
    return opened


def flatten(desk: Desk, scope: common_pb2.Scope = WHOLE) -> admin_pb2.FlattenResponse:
    """Flatten a scope."""
    request = admin_pb2.FlattenRequest(scope=scope, operator="ann", reason="enough")
    return desk.ask("Flatten", request, admin_pb2.FlattenResponse)


def told(reply: admin_pb2.FlattenResponse) -> list[str]:
    """Write what a Flatten says about each position."""
    return [
        f"{one.strategy_id} {one.symbol} {one.quantity}: {one.submitted_quantity} now, {one.waiting_quantity} later "
        f"{one.reason_code}".strip()
        for one in reply.positions
    ]


def exits(desk: Desk) -> dict[str, str]:
    """Return what works to close positions, by order id."""
    found = {}
    for order_id, order in desk.book.orders.items():
        if order.is_emergency and not order.cancel_requested:
            side = "sell" if order.sign < 0 else "buy"
            found[order_id] = f"{order.request.strategy_id} {side} {order.leaves_quantity} {order.request.symbol}"
    return found


def ends(desk: Desk) -> list[str]:
    """Return how the positions ended, oldest first."""
    found = [event.flatten_ended for event in desk.events("flatten_ended")]
    return [f"{end.strategy_id} {end.symbol} {end.quantity} {end.reason_code}".strip() for end in found]


def fill_all(desk: Desk) -> None:
    """Fill every order that works to close a position."""
    for order_id in exits(desk):
        desk.fill(order_id, str(desk.book.orders[order_id].leaves_quantity), "100")


@pytest.mark.control("flatten")
@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (WHOLE, ["cash sell 10 A", "cash sell 4 B", "margin buy 5 A"]),
        (strategy_scope("cash"), ["cash sell 10 A", "cash sell 4 B"]),
        (instrument_scope("A"), ["cash sell 10 A", "margin buy 5 A"]),
    ],
)
@pytest.mark.parametrize("level", [None, REDUCE_ONLY, HALTED])
def test_it_closes_every_position_of_its_scope(
    desk: Desk, scope: common_pb2.Scope, expected: list[str], level: common_pb2.HaltLevel.ValueType | None
) -> None:
    """Pins longs and shorts, at every level, to the end; and what is recorded: who, routes, ids."""
    desk.hold("cash", "10", "100")
    desk.hold("cash", "4", "50", "B")
    desk.hold("margin", "-5", "100")
    if level is not None:
        desk.halt(scope, level)
    reply = flatten(desk, scope)
    assert expected == list(exits(desk).values())
    assert [False] * len(expected) == [bool(one.reason_code) for one in reply.positions]
    for order_id in exits(desk):
        request = desk.book.orders[order_id].request
        assert f"flatten-{order_id}-{request.symbol}" == request.client_order_id
        assert ("ann", "enough", common_pb2.ORDER_TYPE_MARKET) == (
            request.emergency.operator,
            request.emergency.reason,
            request.order_type,
        )
        assert {"cash": "paper", "margin": "other"}[request.strategy_id] == request.route
    fill_all(desk)
    assert ({}, {}) == (exits(desk), desk.book.flattenings)
    assert len(expected) == len(ends(desk))
    assert desk.conserved() == "0"


@pytest.mark.control("flatten")
def test_its_scope_stays_reduce_only_until_it_is_reset(desk: Desk) -> None:
    """Pins that nothing fills what is being emptied, and that a halt that stands is not touched."""
    desk.hold("cash", "10", "100")
    flatten(desk, strategy_scope("cash"))
    assert "REJECT REDUCE_ONLY" == action(desk.buy("cash", "1"))
    assert "ALLOW" == action(desk.buy("margin", "1"))
    desk.halt(strategy_scope("margin"))
    before = desk.book.halts.copy()
    flatten(desk, strategy_scope("margin"))
    assert before == desk.book.halts
    assert [("ann", "FLATTEN")] == [
        (halt.operator, halt.reason_code) for halt in desk.book.halts.values() if halt.level == REDUCE_ONLY
    ]


def test_what_working_orders_may_still_fill_goes_out_when_they_are_done(desk: Desk) -> None:
    """Pins both sides: a sale that is being canceled counts until it is done, and a purchase's late fill is closed."""
    desk.hold("cash", "10", "100")
    sale, purchase = desk.sell("cash", "4").order_id, desk.buy("cash", "3").order_id
    reply = flatten(desk)
    assert (2, ["cash A 10: 6 now, 4 later"]) == (reply.cancels_requested, told(reply))
    desk.report(desk.execution(sale, CANCELED))
    assert ["cash sell 6 A", "cash sell 4 A"] == list(exits(desk).values())
    desk.fill(purchase, "2", "100")
    assert ["cash sell 6 A", "cash sell 4 A", "cash sell 2 A"] == list(exits(desk).values())
    fill_all(desk)
    assert (Decimal(0), list[str]()) == (desk.position("cash"), ends(desk))
    desk.report(desk.execution(purchase, CANCELED))
    assert ["cash A 0"] == ends(desk)


@pytest.mark.control("flatten")
def test_a_canceled_sale_that_fills_after_all_is_not_sold_twice(desk: Desk) -> None:
    """Pins that no prefix of a day sells more than there is."""
    desk.hold("cash", "10", "100")
    sale = desk.sell("cash", "10").order_id
    assert ["cash A 10: 0 now, 10 later"] == told(flatten(desk))
    desk.fill(sale, "7", "100")
    assert {} == exits(desk)
    desk.report(desk.execution(sale, CANCELED))
    assert ["cash sell 3 A"] == list(exits(desk).values())


def test_orders_that_work_without_a_position_are_closed_too(desk: Desk) -> None:
    """Pins a purchase that fills while it is being canceled, and one that does not."""
    first, second = desk.buy("cash", "5").order_id, desk.buy("margin", "5").order_id
    assert ["cash A 0: 0 now, 0 later", "margin A 0: 0 now, 0 later"] == told(flatten(desk))
    desk.fill(first, "5", "100")
    desk.report(desk.execution(second, CANCELED))
    assert (["cash sell 5 A"], ["margin A 0"]) == (list(exits(desk).values()), ends(desk))


def test_what_has_no_route_is_named_and_left(open_desk: OpenDesk) -> None:
    """Pins a strategy that sends its own orders, and a fill that nobody asked for."""
    desk = open_desk(configuration())
    desk.bar(1, A="100")
    desk.hold("cash", "10", "100")
    stray = desk.execution("", TRADE)
    stray.symbol, stray.side, stray.last_quantity, stray.last_price = "A", BUY, "7", "100"
    desk.report(stray)
    assert ["cash A 10: 0 now, 0 later ROUTE_MISSING", "A 7: 0 now, 0 later ROUTE_MISSING"] == [
        line.strip() for line in told(flatten(desk))
    ]
    assert ({}, ["FLATTEN_INCOMPLETE"] * 2) == (desk.book.flattenings, [a.reason_code for a in desk.alerts()[:2]])


def test_what_is_less_than_a_lot_is_named_and_left(desk: Desk) -> None:
    """Pins that whole lots go out, and that the rest is said."""
    desk.fill(desk.buy("cash", "10").order_id, "9.5", "100")
    (working,) = desk.book.orders
    assert ["cash A 9.5: 9 now, 0 later"] == told(flatten(desk))
    desk.report(desk.execution(working, CANCELED))
    fill_all(desk)
    assert ["cash A 0.5 QUANTITY_OFF_LOT"] == ends(desk)


def test_it_keeps_to_the_size_of_one_order(open_desk: OpenDesk) -> None:
    """Pins several orders where one would be too large, by quantity and by value, and that they close it all."""
    desk = open_desk(routed(max_order_quantity="40", max_order_notional="3000"))
    desk.bar(1, A="100", B="50")
    for _ in range(4):
        desk.hold("cash", "25", "100")
        desk.hold("cash", "40", "50", "B")
    flatten(desk)
    sells = list(exits(desk).values())
    assert ["cash sell 30 A"] * 3 + ["cash sell 10 A"] + ["cash sell 40 B"] * 4 == sells
    assert [] == [e for e in desk.events("order_decided") if not e.order_decided.decision.order_id]
    fill_all(desk)
    assert ["cash A 0", "cash B 0"] == ends(desk)


@pytest.mark.parametrize("kind", [REJECTED, CANCELED])
def test_an_order_that_the_broker_does_not_fill_ends_it_until_somebody_asks_again(
    desk: Desk, kind: orders_pb2.ExecutionType.ValueType
) -> None:
    """Pins that a broker which refuses is not asked for ever, and that asking again works."""
    desk.hold("cash", "10", "100")
    flatten(desk)
    (order_id,) = exits(desk)
    desk.fill(order_id, "3", "100")
    desk.report(desk.execution(order_id, kind))
    assert ({}, ["cash A 7 FLATTEN_INCOMPLETE"]) == (exits(desk), ends(desk))
    assert ["cash A 7: 7 now, 0 later"] == told(flatten(desk))


def test_asking_twice_sends_nothing_twice(desk: Desk) -> None:
    """Pins that what is on its way out counts, and that the first exits stay."""
    desk.hold("cash", "10", "100")
    flatten(desk)
    before = exits(desk)
    reply = flatten(desk)
    assert (0, ["cash A 10: 0 now, 10 later"], before) == (reply.cancels_requested, told(reply), exits(desk))
    fill_all(desk)
    assert ["cash A 0"] == ends(desk)


def test_a_reset_ends_it(desk: Desk) -> None:
    """Pins that nothing is closed any more once trading goes on."""
    desk.hold("cash", "10", "100")
    sale = desk.sell("cash", "10").order_id
    flatten(desk, strategy_scope("cash"))
    reset = admin_pb2.ResetHaltRequest(scope=strategy_scope("cash"), operator="ann", reason="seen")
    desk.ask("ResetHalt", reset, admin_pb2.ResetHaltResponse)
    desk.report(desk.execution(sale, CANCELED))
    assert ({}, {}) == (exits(desk), desk.book.flattenings)


def test_a_stale_price_does_not_lock_a_position_in(desk: Desk) -> None:
    """Pins that the exits are emergency exits in this, too."""
    desk.hold("cash", "10", "100")
    desk.price(9, B="50")
    assert ["cash A 10: 10 now, 0 later"] == told(flatten(desk))


def test_a_name_that_is_taken_ends_it_with_its_reason(desk: Desk) -> None:
    """Pins that an id which a sender has used up already is refused for the gate as for everybody."""
    desk.hold("cash", "10", "100")
    order = desk.order("cash", SELL, "1", "A")
    order.client_order_id = f"flatten-{desk.book.sequence + 5}-A"
    desk.submit(order)
    assert ["cash A 10: 0 now, 1 later CLIENT_ORDER_ID_REUSED"] == told(flatten(desk))
    assert ["cash A 10: 9 now, 1 later"] == told(flatten(desk))


@NEEDS_SOURCES
def test_an_exit_on_which_the_gate_fails_ends_it_and_is_logged(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins that such a failure is one position's, and that somebody hears of it."""
    desk.hold("cash", "10", "100")

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(orders, "assess", fail)
    request = admin_pb2.FlattenRequest(operator="ann", reason="enough")
    batch = desk.gate.process([Request("Flatten", request.SerializeToString())])
    assert [ZeroDivisionError] == [type(failure) for failure in batch.failures]
    reply = admin_pb2.FlattenResponse.FromString(batch.replies[0].body)
    assert (["cash A 10: 0 now, 0 later INTERNAL"], {}) == (told(reply), desk.book.flattenings)


@pytest.mark.parametrize("by_file", [True, False])
def test_a_halt_flattens_when_it_is_asked_or_the_file_wants_it(open_desk: OpenDesk, *, by_file: bool) -> None:
    """Pins both, the milder level that the file does not mean, and the halt that stands already."""
    desk = open_desk(routed(flatten=by_file))
    desk.bar(1, A="100")
    desk.hold("cash", "10", "100")
    desk.halt(level=REDUCE_ONLY)
    assert {} == exits(desk)
    request = admin_pb2.HaltRequest(operator="ann", reason="drill", flatten=not by_file)
    first = desk.ask("Halt", request, admin_pb2.HaltResponse).halt
    assert (HALTED, ["cash sell 10 A"]) == (first.level, list(exits(desk).values()))
    (order_id,) = exits(desk)
    desk.report(desk.execution(order_id, REJECTED))
    request.flatten = True
    assert first == desk.ask("Halt", request, admin_pb2.HaltResponse).halt
    assert ["cash sell 10 A"] == list(exits(desk).values())


@pytest.mark.control("flatten", "kill-automatic")
def test_a_halt_of_the_gates_own_flattens_where_the_file_wants_it(open_desk: OpenDesk) -> None:
    """Pins that nobody has to be there, and whose name the exits carry."""
    desk = open_desk(routed(flatten=True, halt_drawdown="0.01"))
    desk.bar(1, A="100")
    desk.hold("cash", "100", "100")
    desk.bar(2, A="80")
    assert ["cash sell 100 A"] == list(exits(desk).values())
    (order_id,) = exits(desk)
    assert "tidegate" == desk.book.orders[order_id].request.emergency.operator
    fill_all(desk)
    assert (["cash A 0"], HALTED) == (ends(desk), desk.level())


def test_a_trader_flattens_nothing(desk: Desk) -> None:
    """Pins that neither the method nor a halt of its own strategy does it for a trader."""
    trader = Caller("bob", frozenset({Role.TRADER}), frozenset({"cash"}))
    halt = admin_pb2.HaltRequest(scope=strategy_scope("cash"), reason="out", flatten=True)
    request = admin_pb2.FlattenRequest(scope=strategy_scope("cash"), reason="out")
    for method, message in (("Flatten", request), ("Halt", halt)):
        (reply,) = desk.gate.process([Request(method, message.SerializeToString(), trader)]).replies
        assert "PERMISSION_DENIED" == reply.reason


@pytest.mark.control("flatten")
def test_it_goes_on_after_a_restart(desk: Desk) -> None:
    """Pins that what is being closed is folded from the journal."""
    desk.hold("cash", "10", "100")
    sale = desk.sell("cash", "4").order_id
    flatten(desk)
    state, again = desk.state(), desk.restarted()
    assert (state, desk.book.flattenings) == (again.state(), again.book.flattenings)
    again.report(again.execution(sale, CANCELED))
    assert ["cash sell 6 A", "cash sell 4 A"] == list(exits(again).values())


@pytest.mark.parametrize(("field", "expected"), [("operator", "IDENTIFIER_INVALID"), ("reason", "TEXT_INVALID")])
def test_a_malformed_flatten_is_refused(desk: Desk, field: Literal["operator", "reason"], expected: str) -> None:
    """Pins that it is signed, with a reason, and of a scope that exists."""
    request = admin_pb2.FlattenRequest(operator="ann", reason="enough")
    request.ClearField(field)
    assert expected == desk.refusal("Flatten", request)
    request = admin_pb2.FlattenRequest(operator="ann", reason="enough", scope=strategy_scope("nobody"))
    assert "SCOPE_INVALID" == desk.refusal("Flatten", request)
