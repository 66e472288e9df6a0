"""Adapters' sessions: a lost one asks for the cancel of what its adapter routes."""

import pytest

from tests.callers import caller_of
from tests.unit.builders import BUY, Desk
from tidegate.gate import Request
from tidegate.v1 import actors_pb2, orders_pb2


def tick(desk: Desk, after_s: int = 0) -> list[str]:
    """Let time advance; return the kinds of what falls due."""
    return [event.WhichOneof("body") or "" for event in desk.tick(after_s)]


@pytest.mark.parametrize(("asked", "given"), [(0, 5), (1, 1), (60, 60)])
def test_a_session_says_how_often_it_wants_to_hear(desk: Desk, asked: int, given: int) -> None:
    """Pins the default and the bounds, on the wire and in the journal."""
    request = actors_pb2.OpenSessionRequest(adapter="paper", session_id="s1", heartbeat_s=asked)
    assert given == desk.ask("OpenSession", request, actors_pb2.OpenSessionResponse).heartbeat_s
    assert given == desk.events("session_opened")[0].session_opened.heartbeat_s


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("adapter", "stranger", "ADAPTER_UNKNOWN"),
        ("session_id", "", "IDENTIFIER_INVALID"),
        ("heartbeat_s", 61, "HEARTBEAT_INVALID"),
        ("heartbeat_s", 2**32 - 1, "HEARTBEAT_INVALID"),
    ],
)
def test_a_malformed_session_is_not_opened(desk: Desk, field: str, value: str | int, expected: str) -> None:
    """Pins the reasons, and that nothing is recorded."""
    request = actors_pb2.OpenSessionRequest(adapter="paper", session_id="s1")
    setattr(request, field, value)
    recorded = len(desk.events())
    assert (expected, recorded, {}) == (desk.refusal("OpenSession", request), len(desk.events()), desk.book.sessions)


@pytest.mark.control("cancel-on-disconnect")
@pytest.mark.parametrize("heartbeat_s", [1, 5, 60])
def test_three_missing_heartbeats_close_a_session_and_ask_for_cancels(desk: Desk, heartbeat_s: int) -> None:
    """Pins the last second in which it lives, the reason, and whose orders: the adapter's, working, not yet asked."""
    mine, other, own = (desk.order("cash", BUY, "1", "A") for _ in range(3))
    other.route, own.route = "other", ""
    for order in (mine, other, own):
        desk.report(desk.execution(desk.submit(order).order_id, orders_pb2.EXECUTION_TYPE_NEW))
    desk.open_session("s1", heartbeat_s)
    assert [] == tick(desk, 3 * heartbeat_s)
    closed, cancel = desk.tick(1)
    assert ("paper", "s1", "ADAPTER_SILENT") == (
        closed.session_closed.adapter,
        closed.session_closed.session_id,
        closed.session_closed.reason_code,
    )
    assert (mine.client_order_id, "ADAPTER_SILENT") == (
        desk.book.orders[cancel.cancel_requested.order_id].request.client_order_id,
        cancel.cancel_requested.reason_code,
    )
    assert ({}, [], "SESSION_UNKNOWN") == (desk.book.sessions, tick(desk, 1), desk.heartbeat("s1"))
    assert ["ADAPTER_SILENT"] == [alert.reason_code for alert in desk.alerts() if alert.sequence >= closed.sequence]


def test_heartbeats_keep_a_session_and_leave_no_trace(desk: Desk) -> None:
    """Pins that one in time is enough, however late in its interval, and that none is journaled."""
    desk.open_session("s1", 5)
    recorded = len(desk.events("session_opened"))
    for _ in range(4):
        desk.wait(15)
        assert "" == desk.heartbeat("s1")
        assert [] == tick(desk)
    assert ["session_closed"] == tick(desk, 16)
    assert 1 == recorded == len(desk.events("session_opened"))


@pytest.mark.parametrize(
    ("adapter", "session_id"), [("paper", "s2"), ("paper", ""), ("other", "s1"), ("stranger", "s1")]
)
def test_a_heartbeat_of_no_open_session_is_refused_and_counts_for_none(
    desk: Desk, adapter: str, session_id: str
) -> None:
    """Pins that a program with an old session learns that it has to watch again."""
    desk.open_session("s1", 5)
    desk.wait(15)
    assert "SESSION_UNKNOWN" == desk.heartbeat(session_id, adapter)
    assert ["session_closed"] == tick(desk, 1)


@pytest.mark.control("cancel-on-disconnect")
def test_a_lost_stream_closes_its_session_at_once(desk: Desk) -> None:
    """Pins the reason, the alert and the cancel, and that closing twice changes nothing."""
    desk.buy("cash", "1")
    desk.open_session("s1")
    before = desk.book.sequence
    desk.close_session("s1")
    desk.close_session("s1")
    assert ["session_closed", "cancel_requested"] == desk.kinds(before)
    assert "ADAPTER_DISCONNECTED" == desk.events("cancel_requested")[0].cancel_requested.reason_code
    assert "ADAPTER_DISCONNECTED" == desk.alerts()[0].reason_code


def test_a_reopened_session_is_not_closed_by_the_end_of_the_old_stream(desk: Desk) -> None:
    """Pins that the end of what was replaced cancels nothing, nor does the replacement itself."""
    desk.buy("cash", "1")
    desk.open_session("s1", 5)
    desk.wait(15)
    desk.open_session("s2", 5)
    desk.close_session("s1")
    assert ("s2", []) == (desk.book.sessions["paper"].session_id, desk.events("cancel_requested"))
    assert ("SESSION_UNKNOWN", "") == (desk.heartbeat("s1"), desk.heartbeat("s2"))
    assert [] == tick(desk, 15)


def test_an_unknown_adapters_close_changes_nothing(desk: Desk) -> None:
    """Pins that there is nothing to close without a session."""
    desk.open_session("s1")
    before = desk.book.sequence
    desk.close_session("s1", "other")
    desk.close_session("s1", "stranger")
    assert before == desk.book.sequence


def test_a_restart_gives_every_session_a_new_start(desk: Desk) -> None:
    """Pins that the gate's own absence is nobody's silence, and that who stays away is closed all the same."""
    desk.open_session("s1", 5)
    desk.open_session("s2", 5, "other")
    desk.wait(14)
    desk = desk.restarted()
    assert [] == tick(desk, 1_000)
    assert [] == tick(desk, 15)
    assert "" == desk.heartbeat("s1")
    assert ["other"] == [event.session_closed.adapter for event in desk.tick(1)]


def test_a_lost_session_does_not_ask_twice_for_a_cancel(desk: Desk) -> None:
    """Pins that what is being canceled already is left alone, and a session without orders only closes."""
    order = desk.order("cash", BUY, "1", "A")
    desk.submit(order)
    desk.cancel(order)
    desk.open_session("s1")
    before = desk.book.sequence
    desk.close_session("s1")
    assert ["session_closed"] == desk.kinds(before)


def test_a_session_opened_and_lost_in_one_batch_leaves_nothing_open(desk: Desk) -> None:
    """Pins that the order within a batch counts."""
    opened = actors_pb2.OpenSessionRequest(adapter="paper", session_id="s1")
    closed = actors_pb2.CloseSessionRequest(adapter="paper", session_id="s1")
    named = (("OpenSession", opened), ("CloseSession", closed))
    requests = [Request(name, message.SerializeToString(), caller_of(name)) for name, message in named]
    desk.gate.process(requests)
    assert {} == desk.book.sessions
    desk.gate.process(requests[::-1])
    assert "s1" == desk.restarted().book.sessions["paper"].session_id
