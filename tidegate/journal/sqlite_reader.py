"""A journal's SQLite file, read from outside: opened read-only, while a writer may be at work on it."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tidegate.errors import JournalError
from tidegate.journal.contract import BEGINNING, NOTHING_ARCHIVED, Archived, Batch, Head, Snapshots, Stored
from tidegate.journal.reading import ADVICE
from tidegate.journal.snapshot_folder import SnapshotFolder
from tidegate.risk.draft import Key

# One read transaction a page: a longer one would keep the writer's log from being cleaned up.
_BATCHES_PER_READ = 500
_BATCHES = "SELECT last_sequence, epoch, hash FROM batches WHERE last_sequence > ? ORDER BY last_sequence LIMIT ?"
_BEFORE = "SELECT COALESCE(MAX(last_sequence), 0) FROM batches WHERE last_sequence <= ?"
_EVENTS = "SELECT sequence, epoch, body FROM events WHERE sequence > ? AND sequence <= ? ORDER BY sequence"
_HEAD = "SELECT last_sequence, hash FROM batches ORDER BY last_sequence DESC LIMIT 1"
_HASH = "SELECT hash FROM batches WHERE last_sequence = ?"
_UNBATCHED = """
SELECT MAX(sequence) FROM events WHERE sequence > (SELECT COALESCE(MAX(last_sequence), 0) FROM batches)
"""
_PLACES = "SELECT key, sequence FROM keys WHERE key IN (SELECT value FROM json_each(?))"
_COPY_IT = "SQLite has to write beside it, and may not: copy it, with its -wal if there is one, to a folder of your own"
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class SqliteReader:
    """One journal as a file. Each call opens it anew, so there is nothing to close."""

    def __init__(self, path: Path) -> None:
        """
        Look at a file, and change nothing in it.

        Raises:
            JournalError: there is no such file, or it is not a journal.
        """
        self.name = str(path)
        self.snapshots: Snapshots = SnapshotFolder(path)
        self._path = path
        if not path.is_file():
            message = f"{path}: there is no such journal"
            raise JournalError(message)
        check_not_empty(path)
        with self._opened() as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'batches'").fetchone():
                message = f"{path}: a database of SQLite's, but not a journal"
                raise JournalError(message)
        self.head()

    def head(self) -> Head:
        """Return where the journal ends."""
        with self._opened() as db:
            row = db.execute(_HEAD).fetchone()
        return BEGINNING if row is None else Head(*row)

    def stored(self, after: int = 0) -> Iterator[Batch]:
        """Read the batches that end after a sequence, oldest first."""
        with self._opened() as db:
            (last,) = db.execute(_BEFORE, (after,)).fetchone()
            while page := db.execute(_BATCHES, (last, _BATCHES_PER_READ)).fetchall():
                end = page[-1][0]
                yield from split(page, map(Stored._make, db.execute(_EVENTS, (last, end))))
                last = end

    def hash_at(self, sequence: int) -> bytes | None:
        """Return the hash of the batch that ends with an event; None where none does."""
        with self._opened() as db:
            row = db.execute(_HASH, (sequence,)).fetchone()
        return None if row is None else bytes(row[0])

    def unbatched(self) -> int:
        """Return the newest event if no batch covers it, else 0."""
        with self._opened() as db:
            (newest,) = db.execute(_UNBATCHED).fetchone()
        return newest or 0

    def archived(self) -> Archived:
        """Return up to where the journal was archived."""
        with self._opened() as db:
            return archived_in(db)

    def kept(self, after: int, last: int) -> list[Stored]:
        """Return what lies after an event up to another one."""
        with self._opened() as db:
            return [Stored._make(row) for row in db.execute(_EVENTS, (after, last))]

    def places_of(self, keys: Collection[Key]) -> dict[Key, int]:
        """Return the event that each of these senders' ids is kept with."""
        with self._opened() as db:
            return dict(db.execute(_PLACES, (json.dumps(list(keys)),)))

    def count_keys(self, until: int) -> int:
        """Return how many senders' ids are kept with the events up to a sequence."""
        with self._opened() as db:
            (count,) = db.execute("SELECT COUNT(*) FROM keys WHERE sequence <= ?", (until,)).fetchone()
        return int(count)

    def check(self) -> None:
        """Have SQLite look over every page, and hold each index against its table."""
        with self._opened() as db:
            (found,) = db.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            message = f"{self.name}: the file is damaged: {' '.join(found.split())}; {ADVICE}"
            raise JournalError(message)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        uri = f"{self._path.resolve().as_uri()}?mode=ro"
        with readable(self._path), closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as db:
            yield db


def check_not_empty(path: Path) -> None:
    """Raise JournalError where a file was cut to nothing: SQLite would take it for a new one."""
    if path.is_file() and not path.stat().st_size:
        message = f"{path}: the file is empty: if it was a journal, {ADVICE}; else remove it, to begin one"
        raise JournalError(message)


def archived_in(db: sqlite3.Connection) -> Archived:
    """Read up to where a journal was archived; one of before there were archives says nothing of it."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'archived'").fetchone():
        return NOTHING_ARCHIVED
    row = db.execute("SELECT last_sequence, hash, place FROM archived").fetchone()
    return NOTHING_ARCHIVED if row is None else Archived(Head(row[0], row[1]), row[2])


def split(batches: Iterable[tuple[int, int, bytes]], events: Iterator[Stored]) -> Iterator[Batch]:
    """Lay each event under the first batch that reaches it."""
    event = next(events, None)
    for last_sequence, epoch, hash_ in batches:
        covered = []
        while event is not None and event.sequence <= last_sequence:
            covered.append(event)
            event = next(events, None)
        yield Batch(last_sequence, epoch, hash_, covered)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say of what SQLite cannot do which file it was, and of a damaged one what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code: Any = getattr(error, "sqlite_errorcode", 0)
        text = _COPY_IT if code & 0xFF == sqlite3.SQLITE_READONLY else said(error)
        message = f"{path}: cannot read the journal: {text}"
        raise JournalError(message) from error


def said(error: sqlite3.Error) -> str:
    """Return what SQLite says; of a damaged file also what to do."""
    code: Any = getattr(error, "sqlite_errorcode", 0)
    return f"{error}; {ADVICE}" if code & 0xFF in _DAMAGED else str(error)
