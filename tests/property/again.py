"""Deciding again: every recorded decision follows from the journal before it (invariant 6)."""

from collections.abc import Iterable

from tidegate.explanation import explain_decision
from tidegate.past import Past, decided_in
from tidegate.v1 import journal_pb2


def assert_every_decision_follows_again(events: Iterable[journal_pb2.Event]) -> None:
    """
    Fold a journal from its first event, and make each of its decisions again, to the byte.

    The checks that explain it, each run by itself, find what was recorded.
    """
    past = Past()
    for event in events:
        decided = decided_in(event)
        if decided is not None:
            found = explain_decision(past, event, decided)
            assert found.differences == [], event
            violations = [result.violation.reason for result in found.checks if result.violation is not None]
            assert violations == [violation.reason_code for violation in decided.decision.violations], event
        past.apply(event)
