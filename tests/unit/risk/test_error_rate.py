"""Error rate: a strategy whose commands are refused too often within a time is halted, by the stamps alone."""

import pytest

from tests.unit.builders import BUY, SELL, Desk, action, configuration, strategy_scope
from tests.unit.conftest import OpenDesk
from tests.unit.sources import NEEDS_SOURCES
from tidegate.gate import Request
from tidegate.permissions import LOCAL
from tidegate.risk import orders
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, orders_pb2

COUNT, WITHIN_S = 3, 10


def bounded(count: int = COUNT) -> journal_pb2.PortfolioConfigured:
    """Configure a bound on refused commands."""
    configured = configuration()
    configured.halts.error_count, configured.halts.error_within_s = count, WITHIN_S
    return configured


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    """Open a desk with a bound of three within ten seconds."""
    opened = open_desk(bounded())
    opened.bar(1, A="100", B="50")
    return opened


def err(desk: Desk, strategy_id: str = "cash") -> str:
    """Submit an order that is refused."""
    return action(desk.buy(strategy_id, "99999"))


def halted(desk: Desk) -> list[str]:
    """Name the strategies that the gate has halted, in their order."""
    return [event.trading_halted.scope.name for event in desk.events("trading_halted")]


def reset(desk: Desk, scope: common_pb2.Scope) -> None:
    """Reset a scope's halt."""
    keep = admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP
    request = admin_pb2.ResetHaltRequest(scope=scope, operator="ann", reason="fixed", high_water_mark=keep)
    desk.ask("ResetHalt", request, admin_pb2.ResetHaltResponse)


@pytest.mark.control("error-rate")
def test_one_refusal_more_than_the_bound_halts_that_strategy(desk: Desk) -> None:
    """Pins the bound, the halt's facts, the cancels, and that others trade on."""
    working = desk.buy("cash", "1").order_id
    for _ in range(COUNT):
        err(desk)
    assert [] == halted(desk)
    assert "REJECT CAPITAL" == err(desk)
    (halt,) = (event.trading_halted for event in desk.events("trading_halted"))
    assert ("cash", common_pb2.HALT_LEVEL_HALTED, "tidegate", "ERROR_RATE") == (
        halt.scope.name,
        halt.level,
        halt.operator,
        halt.reason_code,
    )
    assert "more than 3 commands of cash were refused within 10 s, the last one for CAPITAL" == halt.reason
    assert desk.book.orders[working].cancel_requested
    assert ["HALT TRADING_HALTED", "ALLOW"] == [action(desk.buy(s, "1")) for s in ("cash", "margin")]


@pytest.mark.parametrize(("wait_s", "expected"), [(10, ["cash"]), (11, [])])
def test_refusals_count_within_the_time(desk: Desk, wait_s: int, expected: list[str]) -> None:
    """Pins both sides of the time, by the commands' stamps."""
    err(desk)
    desk.wait(wait_s)
    for _ in range(COUNT):
        err(desk)
    assert expected == halted(desk)


def test_every_kind_of_refusal_counts_and_only_the_strategys_own(desk: Desk) -> None:
    """Pins orders, ids used before, cancels and replacements; nobody's, and another strategy's, count for nobody."""
    order = desk.order("cash", BUY, "1", "A")
    desk.submit(order)
    order.quantity = "2"
    for _ in range(5):
        err(desk, "ghost")
        desk.cancel_all()
    err(desk, "margin")
    assert "CLIENT_ORDER_ID_REUSED" == desk.refusal("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order))
    unknown = orders_pb2.CancelOrderRequest(strategy_id="cash", client_order_id="none")
    assert "ORDER_UNKNOWN" == desk.refusal("CancelOrder", unknown)
    assert "ORDER_PENDING_CANCEL" == desk.refusal("ReplaceOrder", desk.replacement(order, "3"))
    assert [] == halted(desk)
    assert "ORDER_UNKNOWN" == desk.refusal("CancelOrder", unknown)
    assert ["cash"] == halted(desk)


def test_what_a_halt_or_a_pause_refuses_is_no_error(desk: Desk) -> None:
    """Pins that a strategy which goes on as it should while it may not trade needs no second reset."""
    pause = admin_pb2.PauseStrategyRequest(strategy_id="cash", operator="ann", reason="odd")
    desk.ask("PauseStrategy", pause, admin_pb2.PauseStrategyResponse)
    for level in (None, common_pb2.HALT_LEVEL_REDUCE_ONLY, common_pb2.HALT_LEVEL_HALTED):
        if level is not None:
            desk.halt(level=level)
        for _ in range(COUNT + 1):
            desk.buy("cash", "1")
    assert ["", ""] == halted(desk)


def test_an_officers_refused_exit_is_no_error_of_the_strategy(desk: Desk) -> None:
    """Pins that what somebody else asks for does not count."""
    for _ in range(COUNT + 1):
        order = desk.order("cash", SELL, "1", "A")
        order.emergency.operator, order.emergency.reason = "ann", "out"
        assert "REJECT NOT_REDUCING" == action(desk.submit(order))
    assert [] == halted(desk)


@pytest.mark.parametrize("scope", [strategy_scope("cash"), common_pb2.Scope()])
def test_a_reset_begins_anew(desk: Desk, scope: common_pb2.Scope) -> None:
    """Pins that the refusals before a reset do not halt again with the next one."""
    desk.halt()
    for strategy_id in ("cash", "margin"):
        reset(desk, common_pb2.Scope())
        for _ in range(COUNT + 1):
            err(desk, strategy_id)
        desk.halt()
    reset(desk, strategy_scope("cash"))
    reset(desk, scope)
    reset(desk, common_pb2.Scope())
    before = len(halted(desk))
    for _ in range(COUNT):
        err(desk)
    assert before == len(halted(desk))
    err(desk)
    assert ["cash"] == halted(desk)[before:]


@pytest.mark.control("error-rate")
def test_a_restart_forgets_no_refusal(desk: Desk) -> None:
    """Pins that the count is folded from the journal."""
    for _ in range(COUNT):
        err(desk)
    again = desk.restarted()
    err(again)
    assert (["cash"], again.state()) == (halted(again), again.restarted().state())


def test_what_is_only_counted_counts(open_desk: OpenDesk) -> None:
    """Pins that a runaway which is over the rate of recording is halted when its count is recorded, a second later."""
    desk = open_desk(bounded(150))
    desk.bar(1, A="100")
    orders = [desk.order("cash", BUY, "99999", "A") for _ in range(170)]
    desk.ask("SubmitOrders", orders_pb2.SubmitOrdersRequest(orders=orders), orders_pb2.SubmitOrdersResponse)
    assert (100, []) == (len(desk.events("order_decided")), halted(desk))
    desk.wait(1)
    assert ["refusals_counted", "trading_halted"] == [event.WhichOneof("body") for event in desk.tick()]


@NEEDS_SOURCES
def test_a_command_on_which_the_gate_fails_counts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins that whoever makes the gate fail again and again is halted; its alerts name the strategy."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    requests = [
        Request(
            "SubmitOrder",
            orders_pb2.SubmitOrderRequest(order=desk.order("cash", BUY, "1", "A")).SerializeToString(),
            LOCAL,
        )
        for _ in range(COUNT + 1)
    ]
    monkeypatch.setattr(orders, "assess", fail)
    replies = [desk.gate.process([request]).replies[0].reason for request in requests]
    assert (["INTERNAL"] * (COUNT + 1), ["cash"]) == (replies, halted(desk))
    assert strategy_scope("cash") == desk.events("alert_raised")[0].alert_raised.scope


def test_a_strategy_that_is_halted_is_not_halted_again(desk: Desk) -> None:
    """Pins one halt, whatever else is refused under it."""
    for _ in range(COUNT + 1):
        err(desk)
    unknown = orders_pb2.CancelOrderRequest(strategy_id="cash", client_order_id="none")
    for _ in range(COUNT + 1):
        desk.refusal("CancelOrder", unknown)
    assert ["cash"] == halted(desk)


@pytest.mark.control("error-rate")
def test_a_thousand_orders_of_a_runaway_are_halted_within_the_bound(desk: Desk) -> None:
    """Pins that the orders after the bound are refused by the halt, in the same batch."""
    orders = [desk.order("cash", BUY, "99999", "A") for _ in range(20)]
    request = orders_pb2.SubmitOrdersRequest(orders=orders)
    decisions = desk.ask("SubmitOrders", request, orders_pb2.SubmitOrdersResponse).decisions
    assert ["REJECT CAPITAL"] * 4 + ["HALT TRADING_HALTED"] * 16 == [action(decision) for decision in decisions]
