"""Reading a journal's file from outside: it takes no epoch, so that a writer that is at work goes on undisturbed."""

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

from tidegate.errors import JournalError
from tidegate.journal.contract import HASH_OF_NOTHING, Head, link
from tidegate.v1 import journal_pb2

_BATCHES_PER_READ = 500
_BATCHES = "SELECT last_sequence, epoch, hash FROM batches WHERE last_sequence > ? ORDER BY last_sequence LIMIT ?"
_EVENTS = "SELECT sequence, epoch, body FROM events WHERE sequence > ? AND sequence <= ? ORDER BY sequence"


class JournalFile:
    """One journal as a file: its events, each handed out only after the link of the hash chain that covers it."""

    def __init__(self, path: Path) -> None:
        """
        Look at a file, and change nothing in it.

        Raises:
            JournalError: there is no such file, or it is not a journal.
        """
        self._path = path
        if not path.is_file():
            message = f"{path}: there is no such journal"
            raise JournalError(message)
        try:
            with closing(self._connect()) as db:
                (head,) = db.execute("SELECT COALESCE(MAX(last_sequence), 0) FROM batches").fetchone()
        except sqlite3.Error as error:
            raise self._unreadable(error) from error
        self.head_sequence: int = head
        self._followed = Head(0, HASH_OF_NOTHING)

    def events(self) -> Iterator[journal_pb2.Event]:
        """
        Read the events, oldest first, and verify the chain on the way.

        Raises:
            JournalError: an event, its epoch or a hash was changed, or one is missing.
        """
        for _, event in self._read(Head(0, HASH_OF_NOTHING)):
            yield event

    def new_events(self) -> Generator[journal_pb2.Event]:
        """
        Read what this method has not read yet, as ``events`` does; to be read to its end, then called again.

        Raises:
            JournalError: as in ``events``.
        """
        for head, event in self._read(self._followed):
            yield event
            self._followed = head

    def _read(self, begin: Head) -> Iterator[tuple[Head, journal_pb2.Event]]:
        """Read the events after a link of the chain, each with the link that covers it."""
        last, chained = begin
        try:
            with closing(self._connect()) as db:
                while batches := db.execute(_BATCHES, (last, _BATCHES_PER_READ)).fetchall():
                    for end, epoch, recorded in batches:
                        rows = db.execute(_EVENTS, (last, end)).fetchall()
                        chained = link(chained, epoch, [body for _, _, body in rows])
                        whole = [(sequence, epoch) for sequence in range(last + 1, end + 1)]
                        if chained != recorded or [row[:2] for row in rows] != whole:
                            message = f"{self._path}: the hash chain breaks between events {last + 1} and {end}"
                            raise JournalError(message)
                        last, head = end, Head(end, chained)
                        yield from ((head, journal_pb2.Event.FromString(body)) for _, _, body in rows)
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)

    def _unreadable(self, error: sqlite3.Error) -> JournalError:
        return JournalError(f"{self._path}: cannot read the journal: {error}")
