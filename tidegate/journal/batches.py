"""Reading a journal's file batch by batch, each handed out only after the link of the hash chain that covers it."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tidegate.errors import JournalError
from tidegate.journal.contract import BEGINNING, Head, link
from tidegate.v1 import journal_pb2

Batches = Iterator[tuple[Head, list[journal_pb2.Event]]]

# Events of one query: no reader holds a transaction open for long, or the write-ahead log would grow.
_EVENTS_PER_READ = 5_000
_BATCHES_PER_READ = 500
_BATCHES = "SELECT last_sequence, epoch, hash FROM batches WHERE last_sequence > ? ORDER BY last_sequence LIMIT ?"
_EVENTS = "SELECT sequence, epoch, body FROM events WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?"
_BATCH_AT = "SELECT hash FROM batches WHERE last_sequence = ?"
# One statement: a writer may be at work.
_ENDS = """
SELECT COALESCE((SELECT MAX(sequence) FROM events), 0), COALESCE((SELECT MAX(last_sequence) FROM batches), 0)
"""


def read_batches(db: sqlite3.Connection, path: Path, after: Head) -> Batches:
    """
    Read the batches after a place in the journal, with where each ends.

    Raises:
        JournalError: the place is not in this journal, the chain breaks, or events are in no batch.
    """
    if not holds(db, after):
        message = f"{path}: no batch of this journal ends at event {after.sequence} with that hash"
        raise JournalError(message)
    while batches := db.execute(_BATCHES, (after.sequence, _BATCHES_PER_READ)).fetchall():
        rows = _rows(db, after.sequence, batches[-1][0])
        for end, epoch, recorded in batches:
            expected = [(sequence, epoch) for sequence in range(after.sequence + 1, end + 1)]
            found = [row for _, row in zip(expected, rows, strict=False)]
            bodies = [body for _, _, body in found]
            if [row[:2] for row in found] != expected or link(after.hash, epoch, bodies) != recorded:
                message = f"{path}: the hash chain breaks between events {after.sequence + 1} and {end}"
                raise JournalError(message)
            after = Head(end, recorded)
            yield after, [journal_pb2.Event.FromString(body) for body in bodies]
    newest, last = db.execute(_ENDS).fetchone()
    if newest != last:
        message = f"{path}: events {last + 1} to {newest} are in no batch"
        raise JournalError(message)


def holds(db: sqlite3.Connection, head: Head) -> bool:
    """Tell whether a batch of this journal ends there, with that hash."""
    if not head.sequence:
        return head == BEGINNING
    return bool(db.execute(_BATCH_AT, (head.sequence,)).fetchone() == (head.hash,))


def _rows(db: sqlite3.Connection, after: int, last: int) -> Iterator[tuple[int, int, bytes]]:
    while rows := db.execute(_EVENTS, (after, last, _EVENTS_PER_READ)).fetchall():
        yield from rows
        after = rows[-1][0]
