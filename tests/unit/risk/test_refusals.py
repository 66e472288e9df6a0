"""Refusals by the thousand: recorded up to a rate, then counted, so that no sender fills the disk."""

from typing import TYPE_CHECKING

import pytest

from tests.unit.builders import BUY, NEW, Desk, action, bar
from tidegate.risk.refusals import RECORDED_PER_S_MAX, Refusals, Sender
from tidegate.times import NS_PER_S
from tidegate.v1 import admin_pb2, journal_pb2, orders_pb2

if TYPE_CHECKING:
    from google.protobuf.message import Message

ONE, OTHER = Sender("SubmitOrder", "one"), Sender("SubmitOrder", "other")


def refuse(desk: Desk, count: int, strategy_id: str = "cash") -> list[orders_pb2.Decision]:
    """Submit orders that are all refused, as many as may be in one batch at a time."""
    decisions: list[orders_pb2.Decision] = []
    while count > 0:
        orders = [desk.order(strategy_id, BUY, "99999", "A") for _ in range(min(count, 1_000))]
        request = orders_pb2.SubmitOrdersRequest(orders=orders)
        decisions += desk.ask("SubmitOrders", request, orders_pb2.SubmitOrdersResponse).decisions
        count -= 1_000
    return decisions


def counted(desk: Desk) -> list[journal_pb2.RefusalsCounted]:
    """Return every count that was recorded."""
    return [event.refusals_counted for event in desk.events("refusals_counted")]


@pytest.mark.control("bounded-records")
def test_a_hundred_refusals_a_second_are_recorded_and_the_rest_is_counted() -> None:
    """Pins both sides of the bound, that a second begins anew, and that seconds are those of the stamps."""
    refusals = Refusals()
    admitted = [refusals.admit(ONE, "WHY", 5 * NS_PER_S + step) for step in range(RECORDED_PER_S_MAX + 2)]
    assert (100, [True] * 100 + [False] * 2) == (RECORDED_PER_S_MAX, admitted)
    assert [] == refusals.due(6 * NS_PER_S - 1)
    count = journal_pb2.RefusalsCounted(command="SubmitOrder", strategy_id="one", count=2, reason_code="WHY")
    assert [count] == refusals.due(6 * NS_PER_S)
    assert [] == refusals.due(7 * NS_PER_S)
    assert refusals.admit(ONE, "WHY", 6 * NS_PER_S)


def test_each_sender_has_its_own_hundred() -> None:
    """Pins that a runaway sender takes nobody else's place in the journal, and only full counts are due."""
    refusals = Refusals()
    for _ in range(101):
        refusals.admit(ONE, "WHY", 0)
    assert refusals.admit(OTHER, "WHY", 0)
    assert refusals.admit(Sender("CancelOrder"), "WHY", 0)
    assert ["one"] == [count.strategy_id for count in refusals.due(NS_PER_S)]


def test_counted_refusals_have_no_place_and_one_event(desk: Desk) -> None:
    """Pins the sequence 0, that the answer is otherwise whole, and that the count comes with the next refusal."""
    decisions = refuse(desk, 103)
    assert ["REJECT CAPITAL"] * 103 == [action(decision) for decision in decisions]
    assert [True] * 100 + [False] * 3 == [decision.sequence > 0 for decision in decisions]
    assert decisions[0].violations == decisions[-1].violations
    assert (100, []) == (len(desk.events("order_decided")), counted(desk))
    desk.wait(1)
    (decision,) = refuse(desk, 1)
    order, count = desk.events()[-2:]
    expected = journal_pb2.RefusalsCounted(command="SubmitOrder", strategy_id="cash", count=3, reason_code="CAPITAL")
    assert (decision.sequence, expected) == (order.sequence, count.refusals_counted)
    assert ["REFUSALS_COUNTED", "3 more refusals"] == [desk.alerts()[0].reason_code, desk.alerts()[0].text[:15]]
    assert desk.state() == desk.restarted().state()


def test_time_that_goes_on_records_the_count_too(desk: Desk) -> None:
    """Pins that the last second of a runaway does not stay untold, and is told once."""
    refuse(desk, 150)
    assert [] == desk.tick()
    assert [["refusals_counted"], []] == [[e.WhichOneof("body") for e in desk.tick(s)] for s in (1, 1)]
    assert [50] == [count.count for count in counted(desk)]


def test_what_is_accepted_is_always_recorded(desk: Desk) -> None:
    """Pins that a sender over its bound still trades, and an accepted order has its place."""
    refuse(desk, 150)
    decision = desk.buy("cash", "1")
    assert ("ALLOW", True) == (action(decision), decision.sequence > 0)
    assert "REJECT CAPITAL" == action(refuse(desk, 1, "margin")[0])
    assert refuse(desk, 1, "margin")[0].sequence > 0


def test_a_retry_of_a_recorded_refusal_is_answered_as_before_and_of_a_counted_one_decided_anew(desk: Desk) -> None:
    """Pins that only what has a place in the journal is remembered."""
    order, late = desk.order("cash", BUY, "99999", "A"), desk.order("cash", BUY, "501", "A")
    first = desk.submit(order)
    refuse(desk, 100)
    assert first == desk.submit(order)
    assert 0 == desk.submit(late).sequence
    desk.bar(2, A="1")
    assert ("ALLOW", first) == (action(desk.submit(late)), desk.submit(order))


def test_strategies_that_nobody_knows_share_one_count(desk: Desk) -> None:
    """Pins that made-up names make no sender of their own, so that memory and journal stay bounded."""
    for number in range(120):
        order = desk.order(f"ghost-{number}", BUY, "1", "A")
        assert "REJECT STRATEGY_UNKNOWN" == action(desk.submit(order))
    desk.tick(1)
    assert [("", 20)] == [(count.strategy_id, count.count) for count in counted(desk)]


def test_refusals_of_every_command_are_bounded(desk: Desk) -> None:
    """Pins cancels, claims, replacements, reports, transfers, withdrawals and prices: none fills the disk alone."""
    order = desk.order("cash", BUY, "10", "A")
    desk.report(desk.execution(desk.submit(order).order_id, NEW))
    replacement = desk.replacement(order, "9999")
    reused = desk.replacement(order, "10")
    bust = desk.bust(orders_pb2.Execution(execution_id="none"))
    too_much = {"amount": "999999", "operator": "ann", "reason": "greed"}
    requests: list[tuple[str, Message]] = [
        ("CancelOrder", orders_pb2.CancelOrderRequest(strategy_id="cash", client_order_id="none")),
        ("ClaimOrders", orders_pb2.ClaimOrdersRequest(adapter="paper", order_ids=["999"])),
        ("ReplaceOrder", reused),
        (
            "ReportExecutions",
            orders_pb2.ReportExecutionsRequest(account="u1", adapter="paper", executions=[bust]),
        ),
        ("PublishBars", bar(-1, A="1")),
        ("TransferCapital", admin_pb2.TransferCapitalRequest(transfer_id="t", to_strategy_id="cash", **too_much)),
        ("WithdrawCapital", admin_pb2.WithdrawCapitalRequest(transfer_id="t", **too_much)),
    ]
    for method, request in requests:
        before = len(desk.events())
        desk.replies(*[(method, request)] * 250)
        assert before + 100 == len(desk.events()), method
    desk.wait(1)
    before = len(desk.events())
    for number in range(250):
        replacement.client_order_id = f"late-{number}"
        decision = desk.replace(replacement)
        assert (number < 100, "REJECT CAPITAL") == (decision.sequence > 0, action(decision))
    assert before + 100 + 7 == len(desk.events())
    desk.tick(1)
    found = [(count.command, count.strategy_id, count.count, count.reason_code) for count in counted(desk)]
    assert [
        ("CancelOrder", "cash", 150, "ORDER_UNKNOWN"),
        ("ClaimOrders", "", 150, "ORDER_UNKNOWN"),
        ("ReplaceOrder", "cash", 150, "REPLACE_CHANGES_NOTHING"),
        ("ReportExecutions", "", 150, "EXECUTION_REFERENCE_UNKNOWN"),
        ("PublishBars", "", 150, "BAR_OUT_OF_ORDER"),
        ("TransferCapital", "", 150, "CASH_NOT_AVAILABLE"),
        ("WithdrawCapital", "", 150, "CASH_NOT_AVAILABLE"),
        ("ReplaceOrder", "cash", 150, "CAPITAL"),
    ] == found


@pytest.mark.control("bounded-records")
@pytest.mark.parametrize("seconds", [0, 10])
def test_twenty_thousand_refused_orders_leave_a_bounded_journal(desk: Desk, seconds: int) -> None:
    """Pins that the journal grows with time, not with a sender's fury: 100 refusals and a count a second."""
    before = len(desk.events())
    for _ in range(10):
        desk.wait(1 if seconds else 0)
        refuse(desk, 2_000)
    desk.tick(1)
    recorded, prices = len(desk.events("order_decided")), len(desk.events("prices_published"))
    assert (1_000 if seconds else 100) == recorded
    assert 20_000 == recorded + sum(count.count for count in counted(desk))
    assert before + recorded + prices + len(counted(desk)) == len(desk.events())
    assert len(counted(desk)) == (10 if seconds else 1)
