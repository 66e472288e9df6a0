"""Carrying on: a state written at any place, and the events after it, are the state that all events make."""

from collections.abc import Sequence

from tidegate.past import Past
from tidegate.risk.engine import Engine
from tidegate.state.differences import differences, state_digest
from tidegate.state.engine import read_engine, write_engine
from tidegate.v1 import journal_pb2


def assert_snapshots_carry_on(events: Sequence[journal_pb2.Event], live: Engine, places: int = 5) -> None:
    """
    Fold a life whole, and again from snapshots at some of its places, the last one among them.

    Each comes to the live engine's state, to the byte.
    """
    every = max(len(events) // places, 1)
    written: list[tuple[int, bytes]] = []
    whole = Past()
    for event in events:
        whole.engine.apply(event)
        if event.sequence % every == 0 or event.sequence == len(events):
            written.append((event.sequence, write_engine(whole.engine)))
    assert differences(whole.engine, live) == []
    expected = state_digest(whole.engine)
    assert state_digest(live) == expected
    for sequence, body in written:
        resumed = Past()
        read_engine(body, resumed.engine)
        assert write_engine(resumed.engine) == body, f"written again after event {sequence}"
        for event in events[sequence:]:
            resumed.engine.apply(event)
        assert state_digest(resumed.engine) == expected, f"resumed after event {sequence}"
