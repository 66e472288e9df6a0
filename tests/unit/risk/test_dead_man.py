"""The dead-man's switch: a lost session that asked for it sets its adapter's strategies to what it asked for."""

import pytest

from tests.unit.builders import BUY, Desk, action, configuration, strategy_scope
from tests.unit.conftest import OpenDesk
from tests.unit.risk.test_lifecycle import added, remove
from tidegate.v1 import actors_pb2, admin_pb2, common_pb2, orders_pb2

UNSPECIFIED = common_pb2.HALT_LEVEL_UNSPECIFIED
REDUCE_ONLY = common_pb2.HALT_LEVEL_REDUCE_ONLY
HALTED = common_pb2.HALT_LEVEL_HALTED
ACTIVE = common_pb2.HALT_LEVEL_ACTIVE


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    """Open a desk on which cash routes to paper, and margin nowhere."""
    configured = configuration()
    configured.routes.add(strategy_id="cash", adapter="paper")
    opened = open_desk(configured)
    opened.bar(1, A="100", B="50")
    return opened


def open_session(desk: Desk, level: common_pb2.HaltLevel.ValueType, adapter: str = "paper") -> None:
    """Open a session with a switch."""
    request = actors_pb2.OpenSessionRequest(adapter=adapter, session_id="s1", heartbeat_s=5, halt_on_loss=level)
    desk.ask("OpenSession", request, actors_pb2.OpenSessionResponse)


def halts(desk: Desk) -> list[tuple[str, common_pb2.HaltLevel.ValueType]]:
    """Name what is halted, and how far."""
    return [(scope.name, halt.level) for scope, halt in desk.book.halts.items()]


@pytest.mark.control("dead-man")
@pytest.mark.parametrize("level", [REDUCE_ONLY, HALTED])
def test_a_silent_session_halts_what_routes_to_its_adapter(desk: Desk, level: common_pb2.HaltLevel.ValueType) -> None:
    """Pins the last second in which it lives, whose strategies, the reason and the alert; and that others trade on."""
    open_session(desk, level)
    assert [] == desk.tick(15)
    before = desk.book.sequence
    desk.tick(1)
    assert ["session_closed", "trading_halted"] == desk.kinds(before)[1:]
    (halt,) = (event.trading_halted for event in desk.events("trading_halted"))
    assert ("tidegate", "DEAD_MAN", "the session of adapter paper is lost: ADAPTER_SILENT") == (
        halt.operator,
        halt.reason_code,
        halt.reason,
    )
    assert ([("cash", level)], "DEAD_MAN") == (halts(desk), desk.alerts()[0].reason_code)
    expected = "REJECT REDUCE_ONLY" if level == REDUCE_ONLY else "HALT TRADING_HALTED"
    assert [expected, "ALLOW"] == [action(desk.buy(s, "1")) for s in ("cash", "margin")]


@pytest.mark.control("dead-man", "halt-is-final")
def test_it_takes_a_reset_to_go_on(desk: Desk) -> None:
    """Pins that an adapter which comes back lifts nothing, and neither does a restart."""
    open_session(desk, REDUCE_ONLY)
    desk.close_session("s1")
    desk = desk.restarted()
    open_session(desk, REDUCE_ONLY)
    assert [("cash", REDUCE_ONLY)] == halts(desk)
    reset = admin_pb2.ResetHaltRequest(scope=strategy_scope("cash"), operator="ann", reason="it is back")
    desk.ask("ResetHalt", reset, admin_pb2.ResetHaltResponse)
    assert "ALLOW" == action(desk.buy("cash", "1"))


def test_a_strategy_that_came_is_halted_with_the_others_and_one_that_went_is_not(desk: Desk) -> None:
    """Pins that the switch knows strategies that were added, and leaves a removed one alone."""
    assert "" == added(desk)
    desk.ask("RemoveStrategy", remove("cash"), admin_pb2.RemoveStrategyResponse)
    open_session(desk, HALTED)
    desk.close_session("s1")
    assert [("new", HALTED)] == halts(desk)


def test_a_session_without_a_switch_halts_nothing(desk: Desk) -> None:
    """Pins that it is an option."""
    open_session(desk, UNSPECIFIED)
    desk.close_session("s1")
    assert [] == halts(desk)


def test_a_session_that_is_replaced_halts_nothing(desk: Desk) -> None:
    """Pins that the switch is that of the session which is lost."""
    open_session(desk, HALTED)
    desk.open_session("s2")
    desk.close_session("s1")
    desk.close_session("s2")
    assert [] == halts(desk)


def test_a_strategy_with_an_order_there_is_one_of_its_own(desk: Desk) -> None:
    """Pins a strategy without a route of its own; and that each order is canceled once, also beside the adapter's."""
    desk.buy("margin", "1")
    elsewhere = desk.order("margin", BUY, "1", "A")
    elsewhere.route = "other"
    desk.submit(elsewhere)
    open_session(desk, HALTED)
    before = desk.book.sequence
    desk.close_session("s1")
    assert [("cash", HALTED), ("margin", HALTED)] == halts(desk)
    kinds = desk.kinds(before)
    assert ["session_closed", "cancel_requested", "trading_halted", "trading_halted", "cancel_requested"] == kinds
    assert ["ADAPTER_DISCONNECTED", "DEAD_MAN"] == [
        event.cancel_requested.reason_code for event in desk.events("cancel_requested")
    ]


def test_it_raises_a_level_and_lowers_none(desk: Desk) -> None:
    """Pins a milder and a more severe halt that stand already."""
    desk.halt(strategy_scope("cash"), REDUCE_ONLY)
    open_session(desk, HALTED)
    desk.close_session("s1")
    assert [("cash", HALTED)] == halts(desk)
    open_session(desk, REDUCE_ONLY)
    before = desk.book.sequence
    desk.close_session("s1")
    assert (["session_closed"], [("cash", HALTED)]) == (desk.kinds(before), halts(desk))


@pytest.mark.parametrize("level", [ACTIVE, 99])
def test_a_switch_has_a_level_that_halts(desk: Desk, level: common_pb2.HaltLevel.ValueType) -> None:
    """Pins the refusal, in the session and already when the orders are watched."""
    request = actors_pb2.OpenSessionRequest(adapter="paper", session_id="s1", halt_on_loss=level)
    watch = orders_pb2.WatchOrdersRequest(adapter="paper", cancel_on_disconnect=True, halt_on_loss=level)
    assert ("HALT_LEVEL_INVALID", {}) == (desk.refusal("OpenSession", request), desk.book.sessions)
    assert "HALT_LEVEL_INVALID" == desk.refusal("WatchOrders", watch)


def test_a_switch_goes_with_a_session(desk: Desk) -> None:
    """Pins that a switch which would never do anything is refused."""
    watch = orders_pb2.WatchOrdersRequest(adapter="paper", halt_on_loss=HALTED)
    assert "HALT_LEVEL_INVALID" == desk.refusal("WatchOrders", watch)
    watch.cancel_on_disconnect = True
    assert "" == desk.refusal("WatchOrders", watch)
