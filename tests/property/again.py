"""Deciding again: every recorded decision follows from the journal before it (invariant 6)."""

from collections.abc import Iterable

from tidegate.explanation import Past, decided_in, differences
from tidegate.v1 import journal_pb2


def assert_every_decision_follows_again(events: Iterable[journal_pb2.Event]) -> None:
    """Fold a journal from its first event, and make each of its decisions again, to the byte."""
    past = Past()
    for event in events:
        if decided_in(event) is not None:
            assert differences(past, event) == [], event
        past.apply(event)
