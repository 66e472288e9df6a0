"""The journal in one SQLite file: write-ahead log, synchronous=FULL, one commit a batch."""

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from tidegate.errors import CommitFailedError, EpochFencedError, JournalError
from tidegate.journal.contract import BEGINNING, Archived, Entry, Head, Snapshots, link
from tidegate.journal.reading import batches, holds, verify
from tidegate.journal.snapshot_folder import SnapshotFolder
from tidegate.journal.sqlite_lock import WRITER_ENDS_WITHIN_S, still_locked
from tidegate.journal.sqlite_reader import SqliteReader, archived_in, check_not_empty, readable, said
from tidegate.risk.draft import Key
from tidegate.v1 import journal_pb2

FORMAT_VERSION = 1
_BUSY_TIMEOUT_S = 5
_ROWS_PER_READ = 1_000
# Pages of the write-ahead log that ``checkpoint`` may leave; past them a commit of the writer itself cleans up.
_WAL_PAGES_MAX = 16_384
# Few sizes, so that the statements stay prepared; any number of rows takes few of them.
_ROWS_PER_INSERT = (256, 128, 64, 32, 16, 8, 4, 2, 1)
# SQLite's largest integer: a reader may ask for what is behind any place.
_SEQUENCE_MAX = 2**63 - 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS writer (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
    last_sequence INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, hash BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, epoch INTEGER NOT NULL, kind TEXT NOT NULL,
    order_id INTEGER, topic TEXT, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_of_order ON events (order_id) WHERE order_id <> sequence;
CREATE INDEX IF NOT EXISTS events_of_topic ON events (topic, sequence) WHERE topic IS NOT NULL;
CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS archived (
    one INTEGER PRIMARY KEY CHECK (one = 1), last_sequence INTEGER NOT NULL, hash BLOB NOT NULL, place TEXT NOT NULL
);
"""

# An order has the number of the event that accepted it: only its later events need an index, one page less a commit.
# The index of an older journal, which has them all, serves as well.
_OF_ORDER = """
SELECT sequence, body FROM events WHERE sequence = :order AND order_id = :order
UNION ALL SELECT sequence, body FROM events WHERE order_id = :order AND order_id <> sequence ORDER BY 1
"""
_FIND_ALL = """
SELECT keys.key, events.body FROM keys JOIN events USING (sequence)
WHERE keys.key IN (SELECT value FROM json_each(?))
"""
# The same for one key, in a third of the time: an order that comes alone waits for it.
_FIND_ONE = "SELECT keys.key, events.body FROM keys JOIN events USING (sequence) WHERE keys.key = ?"


class SqliteJournal:
    """
    The journal's contract over one file.

    Opening takes the next epoch, which fences every earlier writer: its next append is refused inside the store's own
    transaction. ``read`` opens a connection of its own, so any thread may read while one writes.
    """

    def __init__(self, path: Path, timed: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
        """
        Open or create the file, and become its one writer; ``timed`` is entered round each commit.

        Raises:
            JournalError: the file cannot be opened, or is not a journal that this version can read.
        """
        self._path = path
        self._timed = timed
        self.snapshots: Snapshots = SnapshotFolder(path)
        try:
            _create(path)
            self._db = _connect(path)
        except (sqlite3.Error, OSError) as error:
            raise _not_opened(path, error) from error
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES_MAX}")
            self._await_writer()
            # After an fsync that failed the log may be in memory only, though it reads well: it is written anew.
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.epoch = self._take_over()
            self._head = self._read_head()
            self._archived = archived_in(self._db)
        except BaseException as error:
            self._db.close()  # with whatever it has locked
            if isinstance(error, sqlite3.Error):
                raise _not_opened(path, error) from error
            raise

    def head(self) -> Head:
        """Return where the journal ends."""
        return self._head

    def append(self, entries: Sequence[Entry]) -> Head:
        """Make a batch durable: events, keys and one link of the hash chain in one commit."""
        if not entries:
            return self._head
        head = Head(entries[-1].sequence, link(self._head.hash, self.epoch, [entry.body for entry in entries]))
        if entries[0].sequence != self._head.sequence + 1:
            message = f"event {entries[0].sequence} does not follow {self._head.sequence}"
            raise CommitFailedError(message)
        try:
            with self._timed():
                self._commit(entries, head)
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")  # whoever takes over must not wait for this process to end
            message = f"{self._path}: the commit of events up to {head.sequence} failed: {error}"
            raise CommitFailedError(message) from error
        self._head = head
        return head

    def archived(self) -> Archived:
        """Return up to where the journal was archived."""
        return self._archived

    def archive(self, archived: Archived, dropped: Sequence[int]) -> None:
        """Let go of archived events, in one commit."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._check_epoch()
            self._db.executemany("DELETE FROM events WHERE sequence = ?", [(sequence,) for sequence in dropped])
            self._db.execute("DELETE FROM batches WHERE last_sequence < ?", (archived.head.sequence,))
            self._db.execute("INSERT OR REPLACE INTO archived VALUES (1, ?, ?, ?)", (*archived.head, archived.place))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            message = f"{self._path}: the commit of the archive up to {archived.head.sequence} failed: {error}"
            raise CommitFailedError(message) from error
        self._archived = archived

    def newest_epoch(self) -> int:
        """Return the epoch of whoever took the journal last, on a connection of its own."""
        with readable(self._path), closing(_connect(self._path)) as db:
            (epoch,) = db.execute("SELECT epoch FROM writer").fetchone()
        return int(epoch)

    def find_all(self, keys: Collection[Key]) -> dict[Key, journal_pb2.Event]:
        """Return the events that used up these keys, with one query for all."""
        query, parameter = (_FIND_ONE, *keys) if len(keys) == 1 else (_FIND_ALL, json.dumps(list(keys)))
        rows = self._db.execute(query, (parameter,))
        return {key: journal_pb2.Event.FromString(body) for key, body in rows}

    def confirm(self) -> None:
        """Make sure that no newer writer has taken the journal."""
        try:
            (newest,) = self._db.execute("SELECT epoch FROM writer").fetchone()
        except sqlite3.Error as error:
            message = f"{self._path}: cannot tell whether another writer has taken over: {error}"
            raise CommitFailedError(message) from error
        if newest != self.epoch:
            message = f"{self._path}: epoch {self.epoch} was fenced by epoch {newest}: another writer has taken over"
            raise EpochFencedError(message)

    def events_of_order(self, order_id: int) -> list[journal_pb2.Event]:
        """Return all events of an accepted order, oldest first."""
        rows = self._db.execute(_OF_ORDER, {"order": order_id})
        return [journal_pb2.Event.FromString(body) for _, body in rows]

    def read_topic(self, topic: str, after: int, most: int) -> list[journal_pb2.Event]:
        """Read the events of one topic after a sequence, oldest first, on a connection of its own."""
        query = "SELECT body FROM events WHERE topic = ? AND sequence > ? ORDER BY sequence LIMIT ?"
        with closing(_connect(self._path)) as db, readable(self._path):
            rows = db.execute(query, (topic, min(after, _SEQUENCE_MAX), most))
            return [journal_pb2.Event.FromString(row[0]) for row in rows]

    def read(self, after: int, most: int | None = None) -> Iterator[journal_pb2.Event]:
        """Read the events after a sequence, oldest first, on a connection of its own."""
        query = "SELECT body FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?"
        with closing(_connect(self._path)) as db, readable(self._path):
            cursor = db.execute(query, (min(after, _SEQUENCE_MAX), -1 if most is None else most))
            while rows := cursor.fetchmany(_ROWS_PER_READ):
                for row in rows:
                    yield journal_pb2.Event.FromString(row[0])

    def verify(self) -> Head:
        """Recompute the hash chain from the first event; raises JournalError where it breaks."""
        return verify(SqliteReader(self._path))

    def holds(self, head: Head) -> bool:
        """Tell whether a batch ends there, with that hash."""
        return holds(SqliteReader(self._path), head)

    def batches(self, after: Head) -> Iterator[tuple[Head, list[journal_pb2.Event]]]:
        """Read the batches after a place, with where each ends, each after its link of the chain."""
        return batches(SqliteReader(self._path), after)

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds into the file, beside the writer, on a connection of its own."""
        with closing(_connect(self._path)) as db, readable(self._path):
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the writer's connection."""
        self._db.close()

    def _commit(self, entries: Sequence[Entry], head: Head) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        self._check_epoch()
        rows = [(e.sequence, e.time_ns, self.epoch, e.kind, e.order_id, e.topic, e.body) for e in entries]
        self._insert("events", rows)
        self._insert("keys", [(key, e.sequence) for e in entries for key in e.keys])
        self._db.execute("INSERT INTO batches VALUES (?, ?, ?)", (head.sequence, self.epoch, head.hash))
        self._db.execute("COMMIT")

    def _await_writer(self) -> None:
        """Wait until whoever is in the middle of a commit has ended it, or was ended: what hangs has its watchdog."""
        self._db.execute(f"PRAGMA busy_timeout={WRITER_ENDS_WITHIN_S * 1_000}")
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("ROLLBACK")
        self._db.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_S * 1_000}")

    def _take_over(self) -> int:
        self._db.execute("BEGIN IMMEDIATE")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in (0, FORMAT_VERSION):
            self._db.execute("ROLLBACK")
            message = f"{self._path}: journal format {version}; this version reads format {FORMAT_VERSION}"
            raise JournalError(message)
        if version == 0 and self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            self._db.execute("ROLLBACK")
            message = f"{self._path}: another program's database, not a journal"
            raise JournalError(message)
        for statement in filter(str.strip, _SCHEMA.split(";")):
            self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        self._db.execute("INSERT INTO writer VALUES (1, 1) ON CONFLICT (one) DO UPDATE SET epoch = epoch + 1")
        (epoch,) = self._db.execute("SELECT epoch FROM writer").fetchone()
        self._db.execute("COMMIT")
        return int(epoch)

    def _insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Insert rows by few statements: each one lets go of the interpreter, and a busy one is slow to come back."""
        start = 0
        for size in _ROWS_PER_INSERT:
            while len(rows) - start >= size:
                values = ", ".join([f"({', '.join('?' * len(rows[0]))})"] * size)
                part = list(chain.from_iterable(rows[start : start + size]))
                self._db.execute(f"INSERT INTO {table} VALUES {values}", part)  # noqa: S608 -- names and marks of our own
                start += size

    def _check_epoch(self) -> None:
        (newest,) = self._db.execute("SELECT epoch FROM writer").fetchone()
        if newest != self.epoch:
            self._db.execute("ROLLBACK")
            message = f"{self._path}: epoch {self.epoch} was fenced by epoch {newest}: another writer has taken over"
            raise EpochFencedError(message)

    def _read_head(self) -> Head:
        row = self._db.execute("SELECT last_sequence, hash FROM batches ORDER BY last_sequence DESC LIMIT 1").fetchone()
        return BEGINNING if row is None else Head(row[0], row[1])


def _create(path: Path) -> None:
    """
    Begin a file that is not there, complete from the moment that it has its name.

    An empty file is therefore a journal that was cut to nothing; SQLite would begin a new one in it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        check_not_empty(path)
        return
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with closing(_connect(new, mode="rwc")) as db:
        db.execute("PRAGMA journal_mode=WAL")
    with suppress(FileExistsError):
        os.link(new, path)
    new.unlink()


def _not_opened(path: Path, error: sqlite3.Error | OSError) -> JournalError:
    text = said(error) if isinstance(error, sqlite3.Error) else str(error)
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_BUSY:
        text = still_locked(path)
    return JournalError(f"{path}: cannot open the journal: {text}")


def _connect(path: Path, mode: str = "rw") -> sqlite3.Connection:
    """Connect; only who begins the journal may create the file, for an empty one would wipe the log of a lost one."""
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
