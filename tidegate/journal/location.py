"""Where a journal is: a file of SQLite's, or a database of PostgreSQL's, which shows no password."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.errors import ConfigurationError
from tidegate.journal.contract import Journal, Reader
from tidegate.journal.sqlite import SqliteJournal
from tidegate.journal.sqlite_reader import SqliteReader

_SCHEMES = ("postgresql://", "postgres://")


@dataclass(frozen=True)
class Database:
    """A database, by its whole URL; as text without who connects and how."""

    url: str = field(repr=False)
    shown: str

    def __str__(self) -> str:
        """Show where it is."""
        return self.shown

    @property
    def word(self) -> str:
        """Its name among files: what two databases have in one folder is not mixed up."""
        return re.sub(r"[^A-Za-z0-9]+", "-", self.shown.partition("://")[2])


Location = Path | Database


def located(text: str) -> Location:
    """
    Read where a journal is: a path, or ``postgresql://...``.

    Raises:
        ConfigurationError: it is neither, the URL cannot be read, or psycopg is not installed.
    """
    if not text.startswith(_SCHEMES):
        return _file(text)
    try:
        from tidegate.journal.postgres_session import shown_url  # noqa: PLC0415 -- an extra
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        message = "a journal in PostgreSQL needs psycopg: install the extra tidegate[postgres]"
        raise ConfigurationError(message) from error
    return Database(text, shown_url(text))


def _file(text: str) -> Path:
    """Read a file's path; a URL that is misspelled must not begin an empty journal in a folder of that name."""
    scheme, separator, _ = text.partition("://")
    if separator:
        message = f"a journal is a file or postgresql://user@host/database: {scheme}:// is neither"
        raise ConfigurationError(message)
    path = Path(text)
    if not path.name:
        message = f"a journal is a file or postgresql://user@host/database: {text!r} names no file"
        raise ConfigurationError(message)
    return path


def open_journal(location: Location, timed: Callable[[], AbstractContextManager[object]] = nullcontext) -> Journal:
    """Open a journal to write it, and become its one writer; ``timed`` is entered round each commit."""
    if isinstance(location, Path):
        return SqliteJournal(location, timed)
    from tidegate.journal.postgres import PostgresJournal  # noqa: PLC0415 -- an extra

    return PostgresJournal(location, timed)


def open_reader(location: Location) -> Reader:
    """Open a journal to read it, beside whoever writes it."""
    if isinstance(location, Path):
        return SqliteReader(location)
    from tidegate.journal.postgres_reader import PostgresReader  # noqa: PLC0415 -- an extra

    return PostgresReader(location)
