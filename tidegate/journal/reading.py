"""Reading a journal's file from outside: it takes no epoch, so that a writer that is at work goes on undisturbed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tidegate.errors import JournalError
from tidegate.journal.batches import Batches, holds, read_batches
from tidegate.journal.contract import BEGINNING, Head, Snapshots
from tidegate.journal.snapshot_folder import SnapshotFolder
from tidegate.v1 import journal_pb2


class JournalFile:
    """One journal as a file: its events, each handed out only after the link of the hash chain that covers it."""

    def __init__(self, path: Path) -> None:
        """
        Look at a file, and change nothing in it.

        Raises:
            JournalError: there is no such file, or it is not a journal.
        """
        self._path = path
        self.snapshots: Snapshots = SnapshotFolder(path)
        if not path.is_file():
            message = f"{path}: there is no such journal"
            raise JournalError(message)
        try:
            with closing(self._connect()) as db:
                (head,) = db.execute("SELECT COALESCE(MAX(last_sequence), 0) FROM batches").fetchone()
        except sqlite3.Error as error:
            raise self._unreadable(error) from error
        self.head_sequence: int = head

    def events(self) -> Iterator[journal_pb2.Event]:
        """
        Read the events, oldest first, and verify the chain on the way.

        Raises:
            JournalError: an event, its epoch or a hash was changed, or one is missing.
        """
        for _, events in self.batches(BEGINNING):
            yield from events

    def holds(self, head: Head) -> bool:
        """Tell whether a batch ends there, with that hash."""
        with self._readable() as db:
            return holds(db, head)

    def batches(self, after: Head) -> Batches:
        """Read the batches after a place, with where each ends; raises as ``events`` does."""
        with self._readable() as db:
            yield from read_batches(db, self._path, after)

    @contextmanager
    def _readable(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._connect()) as db:
                yield db
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)

    def _unreadable(self, error: sqlite3.Error) -> JournalError:
        return JournalError(f"{self._path}: cannot read the journal: {error}")
