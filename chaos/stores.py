"""Where a run's journal lies: how it is disturbed, and read when nobody writes it any more."""

import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import psycopg

from chaos.chain import Link, read_links
from chaos.schedule import KILL, PAUSE, SESSION, Step
from chaos.server import Server
from tidegate.errors import ConfigurationError
from tidegate.journal.location import Database, Location, located
from tidegate.journal.postgres_reader import PostgresReader
from tidegate.journal.postgres_session import RUN_LOCK, WRITER_LOCK

# A file; a server of the run's own, which dies and comes back; anything else is the URL of one that is left alone.
SQLITE, OWN_SERVER = "sqlite", "postgresql"
_SCHEMA, _COPY = "tidegate_chaos", "tidegate_chaos_replayed"
_TABLES = (("events", "sequence"), ("keys", "sequence"), ("batches", "last_sequence"))
_END_HOLDERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = %s
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND objid = (%s::regnamespace::oid::bigint & 2147483647)
"""


class Store(Protocol):
    """
    A journal's place. argument: what ``tidegate run --journal`` is given.

    is_database: the writer has a session that can be ended. has_server: one of the run's own, which can be killed.
    """

    argument: str
    is_database: bool
    has_server: bool

    @property
    def location(self) -> Location:
        """Where whoever reads it finds it."""

    def unlock(self) -> None:
        """Take away what keeps a second run out."""

    def disturb(self, step: Step) -> bool:
        """Do what a step does to a session with it, or to its server; tell whether there was any."""

    def links(self) -> Iterator[Link]:
        """Read every batch, of a journal that nobody writes any more."""

    def copy(self, sequence: int) -> Location:
        """Copy what is recorded up to a place where a batch ends."""

    def close(self) -> None:
        """End what was begun for it; what is recorded stays."""

    def forget(self) -> None:
        """Remove what lies outside of the run's folder."""


def open_store(journal: str, folder: Path) -> "FileStore | DatabaseStore":
    """Make a place for a journal; raises ConfigurationError where the word or the URL says none."""
    return FileStore(folder) if journal == SQLITE else DatabaseStore(journal, folder)


class FileStore:
    """A file of SQLite's in the run's folder."""

    argument = "journal.db"
    is_database = has_server = False

    def __init__(self, folder: Path) -> None:
        """Stand on a folder; the run begins the file."""
        self.location = folder / self.argument

    def unlock(self) -> None:
        """Remove the file that is locked."""
        self.location.with_name(f"{self.location.name}.lock").unlink()

    def disturb(self, step: Step) -> bool:
        """Refuse: it has no sessions, and no server."""
        raise NotImplementedError(step)

    def links(self) -> Iterator[Link]:
        """Read the file's tables."""
        return read_links(self.location)

    def copy(self, sequence: int) -> Location:
        """Copy the file, and cut the copy."""
        copy = self.location.with_name("replayed.db")
        with closing(sqlite3.connect(self.location)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            for table, column in _TABLES:
                target.execute(f"DELETE FROM {table} WHERE {column} > ?", (sequence,))  # noqa: S608 -- names of our own
            target.commit()
        return copy

    def close(self) -> None:
        """Have begun nothing."""

    def forget(self) -> None:
        """Have nothing there."""


class DatabaseStore:
    """
    A schema of its own in a database; what an earlier run left in it is dropped.

    server: the database's, where it is the run's own; None where it is somebody else's and is left alone.
    """

    is_database = True

    def __init__(self, journal: str, folder: Path) -> None:
        """
        Begin an empty schema; a server of the run's own is started for ``postgresql``, with its log in the folder.

        Raises:
            ConfigurationError: the URL is no database's.
        """
        self.server = Server(folder / "server.log") if journal == OWN_SERVER else None
        self._url = journal if self.server is None else self.server.url
        self.has_server = self.server is not None
        self.location = self._in(_SCHEMA)
        self.argument = self.location.url
        with psycopg.connect(self._url, autocommit=True) as db:
            for schema in (_SCHEMA, _COPY):
                db.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())
                db.execute(f"CREATE SCHEMA {schema}".encode())

    def unlock(self) -> None:
        """End the session that holds the run's lock."""
        self._end_holders(RUN_LOCK)

    def disturb(self, step: Step) -> bool:
        """
        End the writer's session, as a network does that is cut: what becomes of its commit it does not hear.

        Or have the run's own server die, stop at once or stand still; then it comes back. Tell whether there was any.
        """
        if step.target == SESSION or self.server is None:
            return self._end_holders(WRITER_LOCK)
        if step.action == PAUSE:
            self.server.pause(step.lasts_s)
        else:
            self.server.end(signal.SIGKILL if step.action == KILL else signal.SIGQUIT)
            time.sleep(step.lasts_s)
            self.server.start()
        return True

    def links(self) -> Iterator[Link]:
        """Read by the contract's reader, which hands out what lies there."""
        reader = PostgresReader(self.location)
        for batch in reader.stored():
            yield Link(batch.epoch, batch.hash, [(event.sequence, event.body) for event in batch.events])
        if newest := reader.unbatched():
            rest = reader.kept(reader.head().sequence, newest)
            yield Link(0, b"", [(event.sequence, event.body) for event in rest])

    def copy(self, sequence: int) -> Location:
        """Copy the tables into another schema, up to there."""
        with psycopg.connect(self._url, autocommit=True) as db:
            for table, column in _TABLES:
                db.execute(f"CREATE TABLE {_COPY}.{table} (LIKE {_SCHEMA}.{table} INCLUDING ALL)".encode())
                rows = f"SELECT * FROM {_SCHEMA}.{table} WHERE {column} <= {sequence}"  # noqa: S608 -- names of our own
                db.execute(f"INSERT INTO {_COPY}.{table} {rows}".encode())
        return self._in(_COPY)

    def close(self) -> None:
        """Stop the run's own server; its data stay."""
        if self.server is not None:
            self.server.close()

    def forget(self) -> None:
        """Remove the own server's data."""
        if self.server is not None:
            shutil.rmtree(self.server.folder)

    def _in(self, schema: str) -> Database:
        joint = "&" if "?" in self._url else "?"
        found = located(f"{self._url}{joint}options=-csearch_path%3D{schema}")
        if not isinstance(found, Database):
            message = f"--journal is sqlite, {OWN_SERVER}, or the postgresql:// URL of a server that runs"
            raise ConfigurationError(message)
        return found

    def _end_holders(self, kind: int) -> bool:
        """End the sessions that hold a lock; tell whether one did."""
        with psycopg.connect(self._url, autocommit=True) as db:
            return bool(db.execute(_END_HOLDERS, (kind, _SCHEMA)).fetchall())
