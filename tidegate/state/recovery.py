"""Snapshots made and used: the state is the newest one that fits, and the events after it."""

from typing import NamedTuple

from google.protobuf.message import DecodeError

from tidegate.errors import BookError, JournalError, StateError
from tidegate.journal.contract import BEGINNING, Head, Recorded
from tidegate.journal.snapshots import Snapshot
from tidegate.risk.engine import Engine
from tidegate.state.classes import VERSION, NoPast
from tidegate.state.engine import read_engine, write_engine


class Recovery(NamedTuple):
    """From where a state goes on: the head that its snapshot was taken at; and why newer ones were refused."""

    head: Head
    refused: tuple[str, ...]


def resume(engine: Engine, recorded: Recorded, before: int | None = None) -> Recovery:
    """
    Let an engine that has seen nothing go on from the newest snapshot that fits; without one it stays as it is.

    A snapshot fits when it is whole, of this version, and taken at a place of this very journal. before: of those only
    that were taken before an event.
    """
    refused: list[str] = []
    for sequence in recorded.snapshots.sequences():
        if before is not None and sequence >= before:
            continue
        try:
            snapshot = Snapshot.from_bytes(recorded.snapshots.load(sequence))
            if snapshot.version != VERSION:
                text = f"it is of version {snapshot.version}, and the gate of {VERSION}"
            elif not recorded.holds(snapshot.head):
                text = "it was taken at no place of this journal"
            else:
                read_engine(snapshot.state, engine)
                return Recovery(snapshot.head, tuple(refused))
        except (JournalError, StateError) as error:
            text = str(error)
        refused.append(f"snapshot {sequence}: {text}")
    return Recovery(BEGINNING, tuple(refused))


def take_snapshot(recorded: Recorded, *, anew: bool = False) -> Head | None:
    """
    Fold what was recorded since the newest snapshot, and save another one; None when nothing was.

    anew: from the first event, whatever snapshots there are.

    Raises:
        JournalError: the journal cannot be read, its chain breaks, or the snapshot cannot be saved.
    """
    engine = Engine(NoPast())
    begun = BEGINNING if anew else resume(engine, recorded).head
    head = begun
    try:
        for head, events in recorded.batches(begun):  # noqa: B007 -- where the last one ended is wanted afterwards
            for event in events:
                engine.apply(event)
    except (BookError, DecodeError, ArithmeticError, LookupError) as error:
        message = f"the journal cannot be replayed past event {engine.book.sequence}: {error}"
        raise JournalError(message) from error
    if head == begun:
        return None
    recorded.snapshots.save(head.sequence, Snapshot(head, VERSION, write_engine(engine)).to_bytes())
    return head
