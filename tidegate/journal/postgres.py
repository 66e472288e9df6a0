"""The journal in PostgreSQL: one statement a batch, which checks the epoch, writes and commits."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import psycopg

from tidegate.errors import CommitFailedError, EpochFencedError, JournalError
from tidegate.journal.contract import Archived, Entry, Head, Snapshots, link
from tidegate.journal.postgres_reader import PostgresReader
from tidegate.journal.postgres_session import WRITER_LOCK, connect, lock, readable, said, schema_number
from tidegate.journal.postgres_snapshots import PostgresSnapshots
from tidegate.journal.reading import batches, holds, verify
from tidegate.risk.draft import Key
from tidegate.v1 import journal_pb2

if TYPE_CHECKING:
    from tidegate.journal.location import Database

FORMAT_VERSION = 1
_ROWS_PER_READ = 1_000
# PostgreSQL's largest integer: a reader may ask for what is behind any place.
_SEQUENCE_MAX = 2**63 - 1
_SESSION_ENDS_WITHIN_MS = 5_000
_TAKE_OVERS_MAX = 5

_SCHEMA = """
CREATE TABLE IF NOT EXISTS writer (
    one boolean PRIMARY KEY CHECK (one), epoch bigint NOT NULL, format integer NOT NULL
);
CREATE TABLE IF NOT EXISTS batches (last_sequence bigint PRIMARY KEY, epoch bigint NOT NULL, hash bytea NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    sequence bigint PRIMARY KEY, time_ns bigint NOT NULL, epoch bigint NOT NULL, kind text NOT NULL,
    order_id bigint, topic text, body bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS events_of_order ON events (order_id) WHERE order_id <> sequence;
CREATE INDEX IF NOT EXISTS events_of_topic ON events (topic, sequence) WHERE topic IS NOT NULL;
CREATE TABLE IF NOT EXISTS keys (key bytea PRIMARY KEY, sequence bigint NOT NULL);
CREATE TABLE IF NOT EXISTS archived (
    one boolean PRIMARY KEY CHECK (one), last_sequence bigint NOT NULL, hash bytea NOT NULL, place text NOT NULL
);
"""
_ARCHIVED = """
INSERT INTO archived VALUES (true, %s, %s, %s) ON CONFLICT (one) DO UPDATE
SET last_sequence = EXCLUDED.last_sequence, hash = EXCLUDED.hash, place = EXCLUDED.place
"""
# One round trip, and a transaction of its own. The row's lock keeps whoever takes over waiting for the commit, or this
# statement for the take-over, after which it finds no row and writes nothing.
_APPEND = """
WITH fence AS MATERIALIZED (
    SELECT epoch FROM writer
    WHERE epoch = %s AND (SELECT COALESCE(MAX(last_sequence), 0) FROM batches) = %s
    FOR SHARE
), written AS (
    INSERT INTO events
    SELECT e.sequence, e.time_ns, fence.epoch, e.kind, e.order_id, e.topic, e.body
    FROM fence, unnest(%b::bigint[], %b::bigint[], %b::text[], %b::bigint[], %b::text[], %b::bytea[])
        AS e (sequence, time_ns, kind, order_id, topic, body)
), used AS (
    INSERT INTO keys SELECT k.key, k.sequence FROM fence, unnest(%b::bytea[], %b::bigint[]) AS k (key, sequence)
)
INSERT INTO batches SELECT %s, fence.epoch, %b FROM fence RETURNING epoch
"""
_TAKE_EPOCH = """
INSERT INTO writer VALUES (true, 1, %s) ON CONFLICT (one) DO UPDATE SET epoch = writer.epoch + 1 RETURNING epoch, format
"""
_END_WRITER = """
SELECT pg_terminate_backend(pid, %s) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = %s AND objid = %s
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_FIND = "SELECT keys.key, events.body FROM keys JOIN events USING (sequence) WHERE keys.key = ANY(%b::bytea[])"
# An order has the number of the event that accepted it: only its later events need an index.
_OF_ORDER = """
SELECT sequence, body FROM events WHERE sequence = %(order)s AND order_id = %(order)s
UNION ALL SELECT sequence, body FROM events WHERE order_id = %(order)s AND order_id <> sequence ORDER BY 1
"""
_OF_TOPIC = "SELECT body FROM events WHERE topic = %s AND sequence > %s ORDER BY sequence LIMIT %s"
_READ = "SELECT sequence, body FROM events WHERE sequence > %s ORDER BY sequence LIMIT %s"
# What an administrator may have turned off for the whole server; "remote_apply" asks for more than "on".
_DURABLE = frozenset({"on", "remote_apply"})


class PostgresJournal:
    """
    The journal's contract over the tables of one schema.

    Opening takes the next epoch, which fences every earlier writer inside the store's own transaction. Before that it
    ends the session of the writer before, by the advisory lock that each writer's session holds: one that was stopped
    in the middle of a transaction would hold its locks for ever.
    """

    def __init__(self, database: "Database", timed: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
        """
        Connect, create the tables where there are none, and become the one writer; ``timed`` is entered round commits.

        Raises:
            JournalError: the server is out of reach, or is not as a journal needs it.
        """
        self._database = database
        self._timed = timed
        self.snapshots: Snapshots = PostgresSnapshots(database)
        self._asking: psycopg.Connection | None = None
        try:
            self._db = connect(database, writable=True)
        except psycopg.Error as error:
            raise self._not_opened(said(error)) from error
        try:
            self._make_durable()
            self._end_writer()
            self.epoch = self._take_epoch()
            reader = PostgresReader(database)
            self._head, self._archived = reader.head(), reader.archived()
        except psycopg.Error as error:
            self._db.close()
            raise self._not_opened(said(error)) from error
        except JournalError:
            self._db.close()
            raise

    def head(self) -> Head:
        """Return where the journal ends."""
        return self._head

    def append(self, entries: Sequence[Entry]) -> Head:
        """Make a batch durable: events, keys and one link of the hash chain by one statement."""
        if not entries:
            return self._head
        before = self._head
        head = Head(entries[-1].sequence, link(before.hash, self.epoch, [entry.body for entry in entries]))
        if entries[0].sequence != before.sequence + 1:
            message = f"event {entries[0].sequence} does not follow {before.sequence}"
            raise CommitFailedError(message)
        keys = [(key.encode(), entry.sequence) for entry in entries for key in entry.keys]
        columns = [[getattr(entry, name) for entry in entries] for name in _COLUMNS]
        values = (self.epoch, before.sequence, *columns, [k for k, _ in keys], [s for _, s in keys], *head)
        try:
            with self._timed():
                written = self._db.execute(_APPEND, values, prepare=True).fetchone()
        except psycopg.Error as error:
            raise self._failed(head, said(error)) from error
        if written is None:
            raise self._failed(head, "the store has another epoch or head")
        self._head = head
        return head

    def archived(self) -> Archived:
        """Return up to where the journal was archived."""
        return self._archived

    def archive(self, archived: Archived, dropped: Sequence[int]) -> None:
        """Let go of archived events, in one commit."""
        try:
            with self._db.transaction():
                fence = self._db.execute("SELECT 1 FROM writer WHERE epoch = %s FOR SHARE", (self.epoch,)).fetchone()
                if fence is None:
                    raise self._failed(archived.head, "the store has another epoch")
                self._db.execute("DELETE FROM events WHERE sequence = ANY(%s)", (list(dropped),))
                self._db.execute("DELETE FROM batches WHERE last_sequence < %s", (archived.head.sequence,))
                self._db.execute(_ARCHIVED, (*archived.head, archived.place))
        except psycopg.Error as error:
            raise self._failed(archived.head, said(error)) from error
        self._archived = archived

    def confirm(self) -> None:
        """Make sure that no newer writer has taken the journal."""
        try:
            row: Any = self._db.execute("SELECT epoch FROM writer", prepare=True).fetchone()
        except psycopg.Error as error:
            raise self._failed(self._head, said(error)) from error
        if row[0] != self.epoch:
            raise self._failed(self._head, "the store has another epoch")

    def newest_epoch(self) -> int:
        """Return the epoch of whoever took the journal last, in a session that stays open for the next time."""
        with readable(self._database):
            try:
                if self._asking is None:
                    self._asking = connect(self._database)
                row: Any = self._asking.execute("SELECT epoch FROM writer").fetchone()
            except psycopg.Error:
                self._let_go()
                raise
        return int(row[0])

    def find_all(self, keys: Collection[Key]) -> dict[Key, journal_pb2.Event]:
        """Return the events that used up these keys, with one query for all."""
        with readable(self._database):
            rows = self._db.execute(_FIND, ([key.encode() for key in keys],), prepare=True, binary=True)
            return {key.decode(): journal_pb2.Event.FromString(body) for key, body in rows}

    def events_of_order(self, order_id: int) -> list[journal_pb2.Event]:
        """Return all events of an accepted order, oldest first."""
        with readable(self._database):
            rows = self._db.execute(_OF_ORDER, {"order": order_id}, prepare=True, binary=True)
            return [journal_pb2.Event.FromString(body) for _, body in rows]

    def read_topic(self, topic: str, after: int, most: int) -> list[journal_pb2.Event]:
        """Read the events of one topic after a sequence, oldest first, in a session of its own."""
        with readable(self._database), connect(self._database) as db:
            rows = db.execute(_OF_TOPIC, (topic, min(after, _SEQUENCE_MAX), most), binary=True)
            return [journal_pb2.Event.FromString(body) for (body,) in rows]

    def read(self, after: int, most: int | None = None) -> Iterator[journal_pb2.Event]:
        """Read the events after a sequence, oldest first, in a session of its own, page by page."""
        last, left = min(after, _SEQUENCE_MAX), _SEQUENCE_MAX if most is None else most
        with readable(self._database), connect(self._database) as db:
            while page := db.execute(_READ, (last, min(left, _ROWS_PER_READ)), binary=True).fetchall():
                for _, body in page:
                    yield journal_pb2.Event.FromString(body)
                last, left = page[-1][0], left - len(page)

    def verify(self) -> Head:
        """Recompute the hash chain from the first event; raises JournalError where it breaks."""
        return verify(PostgresReader(self._database))

    def holds(self, head: Head) -> bool:
        """Tell whether a batch ends there, with that hash."""
        return holds(PostgresReader(self._database), head)

    def batches(self, after: Head) -> Iterator[tuple[Head, list[journal_pb2.Event]]]:
        """Read the batches after a place, with where each ends, each after its link of the chain."""
        return batches(PostgresReader(self._database), after)

    def checkpoint(self) -> None:
        """Do nothing: the server tidies up by itself."""

    def close(self) -> None:
        """End the writer's sessions."""
        self._let_go()
        self._db.close()

    def _let_go(self) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.close()

    def _make_durable(self) -> None:
        """Have each commit wait for the disk, whatever the server's default is."""
        if self._setting("fsync") != "on":
            text = "the server runs with fsync off: nothing that it says is durable is so"
            raise self._not_opened(text)
        if self._setting("synchronous_commit") not in _DURABLE:
            self._db.execute("SET synchronous_commit = on")

    def _setting(self, name: str) -> str:
        row = self._db.execute("SELECT current_setting(%s)", (name,)).fetchone()
        return "" if row is None else str(row[0])

    def _end_writer(self) -> None:
        """Take the writer's lock, and end the session that has it: its process may be stopped, or out of reach."""
        number = schema_number(self._db)
        for _ in range(_TAKE_OVERS_MAX):
            if lock(self._db, WRITER_LOCK):
                return
            try:
                self._db.execute(_END_WRITER, (_SESSION_ENDS_WITHIN_MS, WRITER_LOCK, number))
            except psycopg.errors.InsufficientPrivilege as error:
                text = f"may not end the session of the writer before: {said(error)}; connect as the same role"
                raise self._not_opened(text) from error
        text = "the session of the writer before does not end, or others take over as well"
        raise self._not_opened(text)

    def _take_epoch(self) -> int:
        with self._db.transaction():
            self._db.execute(_SCHEMA)
            row: Any = self._db.execute(_TAKE_EPOCH, (FORMAT_VERSION,)).fetchone()
            epoch, version = row
            if version != FORMAT_VERSION:
                text = f"journal format {version}; this version reads format {FORMAT_VERSION}"
                raise self._not_opened(text)
        return int(epoch)

    def _failed(self, head: Head, text: str) -> CommitFailedError:
        """Say what became of a commit; a writer that was taken over from may find its session ended."""
        try:
            with connect(self._database) as db:
                row = db.execute("SELECT epoch FROM writer").fetchone()
        except psycopg.Error:
            row = None  # out of reach: then nobody knows
        if row is None or row[0] == self.epoch:
            return CommitFailedError(f"{self._database}: the commit of events up to {head.sequence} failed: {text}")
        message = f"epoch {self.epoch} was fenced by epoch {row[0]}: another writer has taken over"
        return EpochFencedError(f"{self._database}: {message}")

    def _not_opened(self, text: str) -> JournalError:
        return JournalError(f"{self._database}: cannot open the journal: {text}")


_COLUMNS = ("sequence", "time_ns", "kind", "order_id", "topic", "body")
