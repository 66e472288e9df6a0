"""A journal in PostgreSQL, read from outside: in read-only sessions, while a writer may be at work on it."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from tidegate.journal.contract import BEGINNING, Batch, Head, Stored
from tidegate.journal.postgres_session import connect, readable
from tidegate.journal.sqlite_reader import split
from tidegate.risk.draft import Key

if TYPE_CHECKING:
    from tidegate.journal.location import Database

# A page is held in memory as a whole.
_BATCHES_PER_READ = 100
_BATCHES = "SELECT last_sequence, epoch, hash FROM batches WHERE last_sequence > %s ORDER BY last_sequence LIMIT %s"
_BEFORE = "SELECT COALESCE(MAX(last_sequence), 0) FROM batches WHERE last_sequence <= %s"
_EVENTS = "SELECT sequence, epoch, body FROM events WHERE sequence > %s AND sequence <= %s ORDER BY sequence"
_HEAD = "SELECT last_sequence, hash FROM batches ORDER BY last_sequence DESC LIMIT 1"
_HASH = "SELECT hash FROM batches WHERE last_sequence = %s"
_UNBATCHED = """
SELECT MAX(sequence) FROM events WHERE sequence > (SELECT COALESCE(MAX(last_sequence), 0) FROM batches)
"""
_PLACES = "SELECT key, sequence FROM keys WHERE key = ANY(%b::bytea[])"


class PostgresReader:
    """One journal in a database. Each call opens a session of its own, so there is nothing to close."""

    def __init__(self, database: "Database") -> None:
        """Look at a database, and change nothing in it; raises JournalError where it holds no journal."""
        self.name = str(database)
        self._database = database
        self.head()

    def head(self) -> Head:
        """Return where the journal ends."""
        with self._opened() as db:
            row = db.execute(_HEAD, binary=True).fetchone()
        return BEGINNING if row is None else Head(*row)

    def stored(self, after: int = 0) -> Iterator[Batch]:
        """Read the batches that end after a sequence, oldest first."""
        with self._opened() as db:
            last = _number(db.execute(_BEFORE, (after,)))
            while page := db.execute(_BATCHES, (last, _BATCHES_PER_READ), binary=True).fetchall():
                end = page[-1][0]
                rows = db.execute(_EVENTS, (last, end), binary=True)
                yield from split(page, map(Stored._make, rows))
                last = end

    def hash_at(self, sequence: int) -> bytes | None:
        """Return the hash of the batch that ends with an event; None where none does."""
        with self._opened() as db:
            row = db.execute(_HASH, (sequence,), binary=True).fetchone()
        return None if row is None else bytes(row[0])

    def unbatched(self) -> int:
        """Return the newest event if no batch covers it, else 0."""
        with self._opened() as db:
            return _number(db.execute(_UNBATCHED))

    def places_of(self, keys: Collection[Key]) -> dict[Key, int]:
        """Return the event that each of these senders' ids is kept with."""
        with self._opened() as db:
            rows = db.execute(_PLACES, ([key.encode() for key in keys],), binary=True)
            return {key.decode(): sequence for key, sequence in rows}

    def count_keys(self, until: int) -> int:
        """Return how many senders' ids are kept with the events up to a sequence."""
        with self._opened() as db:
            return _number(db.execute("SELECT COUNT(*) FROM keys WHERE sequence <= %s", (until,)))

    def check(self) -> None:
        """Do nothing: a server looks after its own pages, by checksums and amcheck."""

    @contextmanager
    def _opened(self) -> Iterator[psycopg.Connection]:
        with readable(self._database), connect(self._database) as db:
            yield db


def _number(cursor: psycopg.Cursor) -> int:
    row = cursor.fetchone()
    return 0 if row is None or row[0] is None else int(row[0])
