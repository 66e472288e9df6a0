"""Alerts: what a person should know, newest first, until a person has seen it."""

import pytest

from tests.unit.builders import BUY, PORTFOLIO, Desk, configuration, instrument_scope, strategy_scope
from tests.unit.conftest import OpenDesk
from tidegate.risk.alerts import ALERT_KINDS
from tidegate.risk.folding_controls import ALERTS_MAX
from tidegate.v1 import admin_pb2, orders_pb2, risk_pb2


def acknowledge(desk: Desk, sequence: int, operator: str = "ann") -> bool:
    """Acknowledge an alert; tell whether this changed anything."""
    request = risk_pb2.AcknowledgeAlertRequest(alert_sequence=sequence, operator=operator)
    return desk.ask("AcknowledgeAlert", request, risk_pb2.AcknowledgeAlertResponse).changed


def listed(desk: Desk, size: int) -> int:
    """Return how many alerts a page of this size has."""
    request = risk_pb2.ListAlertsRequest(page_size=size)
    return len(desk.ask("ListAlerts", request, risk_pb2.ListAlertsResponse).alerts)


@pytest.mark.control("alerts")
def test_every_kind_of_alert_says_what_it_is_about(open_desk: OpenDesk) -> None:
    """Pins reason, scope and text of each kind, in one day that has them all, and the same after a restart."""
    configured = configuration(max_concentration="0.3")
    configured.order_rules.throttle_fills, configured.order_rules.throttle_within_s = 2, 10
    configured.price_bands.add(band="0.1", confirmations=1)
    configured.price_bands.add(interval="1d", band="0.1")
    configured.halts.confirm_within_s = 5
    desk = open_desk(configured)
    desk.bar(1, A="100", B="50")
    desk.open_session("s1")
    order_id = desk.buy("cash", "250").order_id
    desk.fill(order_id, "250", "100")
    desk.fill(order_id, "1", "100")
    desk.bar(2, A="130")
    desk.price(2, B="56")
    desk.price(2, B="50")
    desk.halt(strategy_scope("cash"))
    reset = admin_pb2.ResetHaltRequest(scope=strategy_scope("cash"), operator="bob", reason="seen")
    first = desk.ask("ResetHalt", reset, admin_pb2.ResetHaltResponse).request_sequence
    confirm = admin_pb2.ConfirmResetRequest(request_sequence=first, operator="ann", reason="so have I")
    desk.ask("ConfirmReset", confirm, admin_pb2.ConfirmResetResponse)
    release = admin_pb2.ReleaseThrottleRequest(strategy_id="cash", operator="bob", reason="fixed")
    desk.ask("ReleaseThrottle", release, admin_pb2.ReleaseThrottleResponse)
    flatten = admin_pb2.FlattenRequest(scope=strategy_scope("cash"), operator="ann", reason="out")
    desk.ask("Flatten", flatten, admin_pb2.FlattenResponse)
    second = desk.ask("ResetHalt", reset, admin_pb2.ResetHaltResponse).request_sequence
    pause = admin_pb2.PauseStrategyRequest(strategy_id="cash", operator="ann", reason="odd")
    desk.ask("PauseStrategy", pause, admin_pb2.PauseStrategyResponse)
    desk.close_session("s1")
    late = desk.buy("margin", "1", "B").order_id
    orders = [desk.order("cash", BUY, "99999", "A") for _ in range(101)]
    desk.ask("SubmitOrders", orders_pb2.SubmitOrdersRequest(orders=orders), orders_pb2.SubmitOrdersResponse)
    desk.tick(31)
    empty = admin_pb2.RebalanceRequest(rebalance_id="r1", operator="ann", reason="plan")
    empty.weights.add(strategy_id="cash", weight="0")
    desk.ask("Rebalance", empty, admin_pb2.RebalanceResponse)
    done = admin_pb2.RebalanceRequest(rebalance_id="r2", operator="ann", reason="not now")
    desk.ask("Rebalance", done, admin_pb2.RebalanceResponse)
    add = admin_pb2.AddStrategyRequest(strategy_id="new", amount="1000", operator="ann", reason="a trial")
    desk.ask("AddStrategy", add, admin_pb2.AddStrategyResponse)
    remove = admin_pb2.RemoveStrategyRequest(strategy_id="new", operator="ann", reason="enough")
    desk.ask("RemoveStrategy", remove, admin_pb2.RemoveStrategyResponse)
    expected = [
        ("EXECUTION_AFTER_DONE", strategy_scope("cash"), "fill of 1 for order cash/o1, which was done"),
        ("EXECUTION_THROTTLE", strategy_scope("cash"), "strategy cash had 2 buys of A filled within 10 s"),
        ("CONCENTRATION", instrument_scope("A"), "exposure to A 32,630.00 is over 30% of equity, 32,259.00"),
        (
            "PRICE_UNCONFIRMED",
            instrument_scope("B"),
            "the price of B, 56, is more than 10% from its mark 50; further prints that confirm it: 0 of 1",
        ),
        ("OPERATOR_HALT", strategy_scope("cash"), "trading of the strategy cash is halted by ann: drill"),
        (
            "RESET_REQUESTED",
            strategy_scope("cash"),
            f"bob asks to reset the halt of the strategy cash: seen; another person confirms request {first}",
        ),
        (
            "HALT_RESET",
            strategy_scope("cash"),
            "the halt of the strategy cash is reset by bob: seen; confirmed by ann: so have I",
        ),
        ("THROTTLE_RELEASED", strategy_scope("cash"), "the throttle of strategy cash is released by bob: fixed"),
        ("FLATTEN", strategy_scope("cash"), "trading of the strategy cash is halted by ann: out"),
        ("FLATTEN", strategy_scope("cash"), "the strategy cash is to be flattened, by ann: out"),
        (
            "FLATTEN_INCOMPLETE",
            strategy_scope("cash"),
            "251 A of strategy cash are not closed: ROUTE_MISSING: strategy cash has no route",
        ),
        (
            "RESET_REQUESTED",
            strategy_scope("cash"),
            f"bob asks to reset the halt of the strategy cash: seen; another person confirms request {second}",
        ),
        ("STRATEGY_PAUSED", strategy_scope("cash"), "strategy cash is paused by ann: odd"),
        (
            "ADAPTER_DISCONNECTED",
            PORTFOLIO,
            "the session of adapter paper is lost; its working orders are to be canceled",
        ),
        ("ORDER_OVERDUE", strategy_scope("margin"), f"nobody has reported on order {late} of strategy margin in time"),
        (
            "RESET_EXPIRED",
            strategy_scope("cash"),
            f"nobody has confirmed request {second} of bob for a reset in time",
        ),
        (
            "REFUSALS_COUNTED",
            strategy_scope("cash"),
            "1 more refusals of SubmitOrder within a second are only counted, the last one REDUCE_ONLY",
        ),
        (
            "REBALANCE_PENDING",
            PORTFOLIO,
            "rebalance r1 waits for capital that is tied up: 32,630.00 of cash",
        ),
        (
            "REBALANCE_BLOCKED",
            strategy_scope("cash"),
            "251 A of cash are not closed for a rebalance: ROUTE_MISSING: no adapter sends the strategy's orders",
        ),
        (
            "REBALANCE_GIVEN_UP",
            PORTFOLIO,
            "rebalance r1 is given up with -32,630.00 of cash: rebalance r2 takes its place",
        ),
        (
            "STRATEGY_REMOVED",
            strategy_scope("new"),
            "strategy new is removed by ann: enough; 1,000.00 went back to the reserve",
        ),
    ]
    found = desk.alerts()[::-1]
    assert expected == [(alert.reason_code, alert.scope, alert.text) for alert in found]
    events = {event.sequence: event for event in desk.events()}
    # It takes sixty sessions: test_strategy_correlation.py pins it.
    assert ALERT_KINDS - {"correlation_breached"} == {events[alert.sequence].WhichOneof("body") for alert in found}
    assert [events[alert.sequence].time for alert in found] == [alert.time for alert in found]
    assert desk.alerts() == desk.restarted().alerts()


@pytest.mark.control("alerts")
def test_an_alert_is_acknowledged_by_the_first_who_says_so(desk: Desk) -> None:
    """Pins that the first name stays, over a restart, and that open alerts can be asked for alone."""
    desk.halt(instrument_scope("A"))
    desk.halt(instrument_scope("B"))
    newest, oldest = (alert.sequence for alert in desk.alerts())
    assert [True, False] == [acknowledge(desk, oldest, name) for name in ("ann", "bob")]
    assert 1 == len(desk.events("alert_acknowledged"))
    for one in (desk, desk.restarted()):
        assert ["", "ann"] == [alert.acknowledged_by for alert in one.alerts()]
        assert [newest] == [alert.sequence for alert in one.alerts(open_only=True)]


@pytest.mark.parametrize(
    ("sequence", "operator", "expected"),
    [
        (1, "ann", "ALERT_UNKNOWN"),
        (2**64 - 1, "ann", "ALERT_UNKNOWN"),
        (0, "ann", "ALERT_UNKNOWN"),
        (3, "", "IDENTIFIER_INVALID"),
    ],
)
def test_what_is_no_alert_is_not_acknowledged(desk: Desk, sequence: int, operator: str, expected: str) -> None:
    """Pins that nothing is recorded of it."""
    desk.halt()
    recorded = len(desk.events())
    request = risk_pb2.AcknowledgeAlertRequest(alert_sequence=sequence, operator=operator)
    assert (expected, recorded) == (desk.refusal("AcknowledgeAlert", request), len(desk.events()))


def test_only_the_newest_alerts_are_kept_in_memory(desk: Desk) -> None:
    """Pins the bound, on the page as well, and that what has gone from memory can only be read again."""
    (first,) = desk.report(orphan(desk))
    for _ in range(10):
        desk.report(*(orphan(desk) for _ in range(ALERTS_MAX // 10)))
    assert [1_000, 100, 1, 1_000] == [ALERTS_MAX, *(listed(desk, size) for size in (0, 1, 2**32 - 1))]
    assert ALERTS_MAX == len(desk.book.alerts)
    request = risk_pb2.AcknowledgeAlertRequest(alert_sequence=first + 1, operator="ann")
    assert "ALERT_UNKNOWN" == desk.refusal("AcknowledgeAlert", request)
    assert acknowledge(desk, desk.alerts()[-1].sequence)
    assert desk.alerts() == desk.restarted().alerts()


def orphan(desk: Desk) -> orders_pb2.Execution:
    """Write a fill that nobody asked for: it makes one alert."""
    execution = desk.trade("", "1", "1")
    execution.symbol, execution.side = "B", BUY
    return execution
