"""Snapshots in a table beside the journal's: a commit each, whole or not at all."""

from typing import TYPE_CHECKING

import psycopg

from tidegate.errors import JournalError
from tidegate.journal.postgres_session import connect, readable, said
from tidegate.journal.snapshot_folder import KEPT

if TYPE_CHECKING:
    from tidegate.journal.location import Database

_SCHEMA = "CREATE TABLE IF NOT EXISTS snapshots (sequence bigint PRIMARY KEY, body bytea NOT NULL)"
_SAVE = "INSERT INTO snapshots VALUES (%s, %b) ON CONFLICT (sequence) DO UPDATE SET body = EXCLUDED.body"
_FORGET = "DELETE FROM snapshots WHERE sequence NOT IN (SELECT sequence FROM snapshots ORDER BY sequence DESC LIMIT %s)"
_LOAD = "SELECT body FROM snapshots WHERE sequence = %s"


class PostgresSnapshots:
    """The snapshots of one journal; each call opens a session of its own."""

    def __init__(self, database: "Database") -> None:
        """Stand beside a journal; the first snapshot makes the table."""
        self._database = database

    def sequences(self) -> list[int]:
        """Return where the snapshots were taken, the newest first."""
        with readable(self._database), connect(self._database) as db:
            if db.execute("SELECT to_regclass('snapshots')").fetchone() == (None,):
                return []
            rows = db.execute("SELECT sequence FROM snapshots ORDER BY sequence DESC")
            return [sequence for (sequence,) in rows]

    def load(self, sequence: int) -> bytes:
        """Read the bytes of one; raises JournalError when that fails."""
        with readable(self._database), connect(self._database) as db:
            row = db.execute(_LOAD, (sequence,), binary=True).fetchone()
        if row is None:
            message = f"{self._database}: there is no snapshot {sequence}"
            raise JournalError(message)
        return bytes(row[0])

    def save(self, sequence: int, body: bytes) -> None:
        """Make one durable, and let go of the oldest; raises JournalError when that fails."""
        try:
            with connect(self._database, writable=True) as db, db.transaction():
                db.execute(_SCHEMA)
                db.execute(_SAVE, (sequence, body))
                db.execute(_FORGET, (KEPT,))
        except psycopg.Error as error:
            message = f"{self._database}: cannot write the snapshot: {said(error)}"
            raise JournalError(message) from error
