"""What falls due when time goes on: orders that nobody reports on are alerted, then canceled."""

import pytest

from tests.unit.builders import (
    BUY,
    CANCEL_REJECTED,
    CANCELED,
    NEW,
    REPLACE_REJECTED,
    REPLACED,
    Desk,
    configuration,
    strategy_scope,
)
from tests.unit.conftest import OpenDesk
from tidegate.v1 import orders_pb2

# The desk's orders have 30 s until the alert, and as long again until the cancel.


def tick(desk: Desk, after_s: int = 0) -> list[str]:
    """Let time advance; return the kinds of what falls due."""
    return [event.WhichOneof("body") or "" for event in desk.tick(after_s)]


@pytest.mark.control("overdue-orders")
def test_an_order_that_nobody_reports_on_is_alerted_then_canceled(desk: Desk) -> None:
    """Pins each second on both sides of both times, once each, with the reason, over restarts."""
    order_id = desk.buy("cash", "10").order_id
    assert [] == tick(desk, 30)
    (overdue,) = desk.tick(1)
    assert (order_id, "cash") == (overdue.order_overdue.order_id, overdue.order_overdue.strategy_id)
    alert = desk.alerts()[0]
    assert ("ORDER_OVERDUE", strategy_scope("cash"), overdue.sequence) == (
        alert.reason_code,
        alert.scope,
        alert.sequence,
    )
    desk = desk.restarted()
    assert [[], []] == [tick(desk), tick(desk, 29)]
    (cancel,) = desk.tick(1)
    assert (order_id, "ORDER_OVERDUE") == (cancel.cancel_requested.order_id, cancel.cancel_requested.reason_code)
    desk = desk.restarted()
    assert [[], []] == [tick(desk), tick(desk, 30)]


def test_a_cancel_that_nobody_reports_on_is_alerted_in_its_turn(desk: Desk) -> None:
    """Pins that a cancel has its own time, from when it was asked for, and is not asked for twice."""
    desk.buy("cash", "10")
    assert ["order_overdue", "cancel_requested"] == tick(desk, 61)
    assert [[], ["order_overdue"], []] == [tick(desk, 30), tick(desk, 1), tick(desk, 1_000)]


@pytest.mark.parametrize("kind", [NEW, CANCELED, CANCEL_REJECTED])
def test_an_order_that_was_reported_on_is_never_overdue(desk: Desk, kind: orders_pb2.ExecutionType.ValueType) -> None:
    """Pins that any word of the broker is enough."""
    desk.report(desk.execution(desk.buy("cash", "10").order_id, kind))
    assert [] == tick(desk, 1_000)


def test_a_partial_fill_acknowledges_an_order(desk: Desk) -> None:
    """Pins that a fill says that the broker has it."""
    desk.fill(desk.buy("cash", "10").order_id, "1", "100")
    assert [] == tick(desk, 1_000)


def test_a_claim_is_no_report(desk: Desk) -> None:
    """Pins that an adapter which claims an order and falls silent is noticed."""
    desk.claim(desk.buy("cash", "10").order_id)
    assert ["order_overdue"] == tick(desk, 31)


def test_an_order_that_its_submitter_sends_is_only_alerted(desk: Desk) -> None:
    """Pins that only the submitter knows what it did with its permission: a cancel has nobody to go to."""
    order = desk.order("cash", BUY, "10", "A")
    order.route = ""
    desk.submit(order)
    assert ["order_overdue"] == tick(desk, 61)
    assert ([], False) == (tick(desk, 1_000), next(iter(desk.book.orders.values())).cancel_requested)


@pytest.mark.parametrize(("report", "expected"), [(None, True), (REPLACED, False), (REPLACE_REJECTED, False)])
def test_a_replacement_that_nobody_reports_on_is_overdue_too(
    desk: Desk, report: orders_pb2.ExecutionType.ValueType | None, *, expected: bool
) -> None:
    """Pins that it is counted from the replacement, and that what it waits for is its own report."""
    order = desk.order("cash", BUY, "10", "A")
    order_id = desk.submit(order).order_id
    desk.report(desk.execution(order_id, NEW))
    desk.wait(1_000)
    desk.replace(desk.replacement(order, "11"))
    desk.fill(order_id, "1", "100")
    if report is not None:
        desk.report(desk.execution(order_id, report))
    assert [[], ["order_overdue"] if expected else []] == [tick(desk, 30), tick(desk, 1)]
    assert (["cancel_requested"] if expected else []) == tick(desk, 30)


def test_reports_that_do_not_answer_do_not_alert_again(desk: Desk) -> None:
    """Pins one alert an instruction: fills of an order that is overdue with its cancel add none."""
    order = desk.order("cash", BUY, "10", "A")
    order_id = desk.submit(order).order_id
    desk.cancel(order)
    assert ["order_overdue"] == tick(desk, 31)
    for _ in range(3):
        desk.fill(order_id, "1", "100")
        assert [] == tick(desk, 1)
    desk.report(desk.execution(order_id, CANCEL_REJECTED))
    desk.cancel(order)
    assert [[], ["order_overdue"]] == [tick(desk, 30), tick(desk, 1)]


@pytest.mark.parametrize("route", ["paper", ""])
def test_a_fill_does_not_put_off_what_an_order_waits_for(desk: Desk, route: str) -> None:
    """Pins that a replacement falls due from its own time, whatever was filled or submitted since."""
    order, later = (desk.order("cash", BUY, "10", "A") for _ in range(2))
    order.route = later.route = route
    order_id = desk.submit(order).order_id
    desk.report(desk.execution(order_id, NEW))
    desk.replace(desk.replacement(order, "12"))
    desk.wait(20)
    desk.submit(later)
    desk.fill(order_id, "1", "100")
    assert [order_id] == [event.order_overdue.order_id for event in desk.tick(11)]


def test_each_order_has_a_time_of_its_own(desk: Desk) -> None:
    """Pins that what came later falls due later, and in the order of submission within one moment."""
    first, second = desk.buy("cash", "10").order_id, desk.buy("margin", "10").order_id
    desk.wait(10)
    third = desk.buy("cash", "10").order_id
    assert [first, second] == [event.order_overdue.order_id for event in desk.tick(21)]
    assert [third] == [event.order_overdue.order_id for event in desk.tick(10)]
    due = [(e.WhichOneof("body"), e.cancel_requested.order_id) for e in desk.tick(20)]
    assert [("cancel_requested", first), ("cancel_requested", second)] == due


def test_the_portfolio_file_says_how_long_routing_may_take(open_desk: OpenDesk) -> None:
    """Pins route_within_s."""
    configured = configuration()
    configured.route_within_s = 2
    desk = open_desk(configured)
    desk.bar(1, A="100")
    desk.buy("cash", "1")
    assert [[], ["order_overdue"], [], ["cancel_requested"]] == [tick(desk, s) for s in (2, 1, 1, 1)]


def test_time_that_passes_over_nothing_records_nothing(desk: Desk) -> None:
    """Pins that a quiet gate's timer writes no journal."""
    before = desk.gate.journal.head()
    assert ([], before) == (tick(desk), desk.gate.journal.head())
