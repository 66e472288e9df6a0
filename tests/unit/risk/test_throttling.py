"""The throttle: repeated executions turn a strategy off, and only a named person turns it on again."""

import pytest

from tests.unit.builders import NEW, SELL, Desk, action, at, configuration, limit
from tests.unit.conftest import OpenDesk
from tidegate.v1 import admin_pb2


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    """Open a desk where three fills within ten seconds are too many."""
    return throttled_desk(open_desk, by_instrument=False)


def throttled_desk(open_desk: OpenDesk, *, by_instrument: bool) -> Desk:
    """Open such a desk, with the throttle on the strategy or on its instrument."""
    configured = configuration()
    rules = configured.order_rules
    rules.throttle_fills, rules.throttle_within_s, rules.throttle_instrument = 3, 10, by_instrument
    desk = open_desk(configured)
    desk.bar(1, A="100", B="50")
    return desk


def filled(desk: Desk, times: int, strategy_id: str = "cash", quantity: str = "1", symbol: str = "A") -> None:
    """Fill orders of one unit each."""
    for _ in range(times):
        desk.hold(strategy_id, quantity, "100", symbol)


def release(desk: Desk, strategy_id: str = "cash", symbol: str = "", reason: str = "fixed") -> bool:
    """Release a throttle; tell whether this changed anything."""
    request = admin_pb2.ReleaseThrottleRequest(strategy_id=strategy_id, symbol=symbol, operator="ann", reason=reason)
    return desk.ask("ReleaseThrottle", request, admin_pb2.ReleaseThrottleResponse).changed


@pytest.mark.control("execution-throttle")
@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(9_999, "REJECT EXECUTION_THROTTLE"), (10_000, "ALLOW"), (10_001, "ALLOW")],
)
def test_so_many_fills_within_the_time_turn_the_strategy_off(desk: Desk, milliseconds: int, expected: str) -> None:
    """Pins the time to the millisecond, and that the fill before is not one too many."""
    filled(desk, 2)
    assert "ALLOW" == action(desk.buy("cash", "1", "B"))
    at(desk, milliseconds)
    filled(desk, 1)
    assert expected == action(desk.buy("cash", "1", "B"))
    assert "ALLOW" == action(desk.buy("margin", "1", "B"))


def test_parts_of_one_order_are_fills_and_other_reports_are_none(desk: Desk) -> None:
    """Pins what is counted: what the broker did, not what it said."""
    order_id = desk.buy("cash", "10").order_id
    desk.report(*(desk.execution(order_id, NEW) for _ in range(5)))
    desk.fill(order_id, "1", "100")
    desk.fill(order_id, "1", "100")
    assert not desk.events("throttle_tripped")
    desk.fill(order_id, "1", "100")
    (event,) = desk.events("throttle_tripped")
    assert "strategy cash had 3 buys of A filled within 10 s" == event.throttle_tripped.reason
    desk.fill(order_id, "1", "100")
    assert 1 == len(desk.events("throttle_tripped"))


def test_instruments_and_sides_are_counted_apart(desk: Desk) -> None:
    """Pins that a strategy that trades many things is not one that repeats itself."""
    filled(desk, 2, "margin", "1", "A")
    filled(desk, 2, "margin", "1", "B")
    filled(desk, 2, "margin", "-1", "A")
    assert "ALLOW" == action(desk.buy("margin", "1"))


def test_fills_of_unknown_orders_throttle_nobody(desk: Desk) -> None:
    """Pins that the suspense ledger has no strategy to turn off."""
    for _ in range(5):
        trade = desk.trade("", "1", "100")
        trade.symbol, trade.side = "A", SELL
        desk.report(trade)
    assert not desk.events("throttle_tripped")


def test_a_throttled_strategy_may_only_reduce(desk: Desk) -> None:
    """Pins the way out; a flip is none, and a replacement must not add either."""
    order = limit(desk.order("margin", SELL, "1", "B"), "60")
    desk.submit(order)
    filled(desk, 3, "margin", "-1")
    assert "REJECT EXECUTION_THROTTLE" == action(desk.buy("margin", "4"))
    assert "ALLOW" == action(desk.buy("margin", "3"))
    assert "REJECT EXECUTION_THROTTLE" == action(desk.replace(desk.replacement(order, "2", "60")))


@pytest.mark.control("execution-throttle")
def test_it_stays_off_over_time_and_restarts_until_it_is_released(desk: Desk) -> None:
    """Pins that nothing but a named person turns it on, who is told what for, and that the count begins anew."""
    filled(desk, 3)
    desk.price(2, A="100", B="50")
    again = desk.restarted()
    assert "REJECT EXECUTION_THROTTLE" == action(again.buy("cash", "1"))
    assert release(again)
    assert "ALLOW" == action(again.buy("cash", "1"))
    assert not release(again)
    filled(again, 2)
    assert "ALLOW" == action(again.buy("cash", "1"))
    filled(again, 1)
    assert "REJECT EXECUTION_THROTTLE" == action(again.buy("cash", "1"))
    third = again.restarted()
    assert "REJECT EXECUTION_THROTTLE" == action(third.buy("cash", "1"))
    for one in (again, third):
        one.gate.journal.close()


def test_a_throttle_may_be_of_one_instrument(open_desk: OpenDesk) -> None:
    """Pins the narrower scope, and a release that names an instrument or all of them."""
    desk = throttled_desk(open_desk, by_instrument=True)
    for symbol in ("A", "B"):
        filled(desk, 3, "cash", "1", symbol)
        assert "REJECT EXECUTION_THROTTLE" == action(desk.buy("cash", "1", symbol))
    assert release(desk, symbol="A")
    assert ["ALLOW", "REJECT EXECUTION_THROTTLE"] == [action(desk.buy("cash", "1", symbol)) for symbol in "AB"]
    assert release(desk)
    assert "ALLOW" == action(desk.buy("cash", "1", "B"))


@pytest.mark.control("execution-throttle")
@pytest.mark.parametrize(
    ("strategy_id", "symbol", "reason", "expected"),
    [
        ("nobody", "", "fixed", "STRATEGY_UNKNOWN"),
        ("cash", "A B", "fixed", "IDENTIFIER_INVALID"),
        ("cash", "", "", "TEXT_INVALID"),
    ],
)
def test_a_release_says_who_and_why(desk: Desk, strategy_id: str, symbol: str, reason: str, expected: str) -> None:
    """Pins what is refused at the door."""
    request = admin_pb2.ReleaseThrottleRequest(strategy_id=strategy_id, symbol=symbol, operator="ann", reason=reason)
    assert expected == desk.refusal("ReleaseThrottle", request)
