"""The log of refusals: each one, and those like it by their number."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway import refusal_log
from gateway.refusal_log import RefusalLog
from tests.unit.gateway.test_brake import Clock


def note(log: RefusalLog, **changes: Any) -> None:
    """Refuse somebody something."""
    fields = {"who": "bob", "method": "Halt", "peer": "ipv4:192.0.2.7:1", "reason": "PERMISSION_DENIED", "text": "no"}
    log.note(**(fields | changes))


def test_a_refusal_is_written_at_once_and_those_like_it_are_counted() -> None:
    """Pins the lines of a program that asks in vain all minute, and that its number is not lost."""
    clock = Clock()
    log = RefusalLog(clock)
    with capture_logs() as lines:
        for port in range(1_000):
            note(log, peer=f"ipv4:192.0.2.7:{port}")
        assert 1 == len(lines)
        clock.now_s = 60
        log.write_counts()
        log.write_counts()
        note(log)
    assert ["refused", "refused_again", "refused"] == [line["event"] for line in lines]
    assert {
        "event": "refused_again",
        "log_level": "warning",
        "times": 999,
        "who": "bob",
        "method": "Halt",
        "address": "192.0.2.7",
        "reason": "PERMISSION_DENIED",
    } == lines[1]


@pytest.mark.parametrize(
    "other",
    [{"who": "ann"}, {"method": "ResetHalt"}, {"peer": "ipv4:192.0.2.8:1"}, {"reason": "OPERATOR_NOT_CALLER"}],
)
def test_who_what_where_and_why_each_make_a_line(other: dict[str, str]) -> None:
    """Pins that only what is alike is counted."""
    log = RefusalLog(Clock())
    with capture_logs() as lines:
        note(log)
        note(log, **other)
    assert 2 == len(lines)


def test_a_stranger_cannot_fill_the_log_with_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins that what an unknown caller claims to be makes no line, and that the table is bounded."""
    monkeypatch.setattr(refusal_log, "KINDS_MAX", 10)
    log = RefusalLog(Clock())
    with capture_logs() as lines:
        for number in range(100):
            note(log, who=f"token {number}", reason="UNAUTHENTICATED")
        assert 1 == len(lines)
        for number in range(100):
            note(log, peer=f"ipv4:192.0.2.{number}:1")
    assert len(log._counts) <= 10
    assert 99 == sum(line["times"] for line in lines if line["event"] == "refused_again")
