"""The reports of sessions in one SQLite file beside the journal: written by who makes them, read by who is asked."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tidegate.errors import JournalError
from tidegate.journal.location import Location

FORMAT_VERSION = 1
_BUSY_TIMEOUT_S = 5
_SEQUENCE_MAX = 2**63 - 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS reports (
    end_sequence INTEGER PRIMARY KEY, session_ns INTEGER NOT NULL, is_recorded INTEGER NOT NULL, body BLOB NOT NULL
)
"""
# What whoever goes on after a session has to know beside the book.
_COURSES = "CREATE TABLE IF NOT EXISTS courses (end_sequence INTEGER PRIMARY KEY, body TEXT NOT NULL)"


def beside(journal: Location, folder: Path) -> Path:
    """Name the file of a journal's reports: beside a file; of a database, in a folder of this machine."""
    if isinstance(journal, Path):
        return journal.with_name(f"{journal.stem}.reports.db")
    return folder / f"{journal.word}.reports.db"


class ReportStore:
    """The one writer: a report is kept as the bytes that its digest is of, and noted once the journal knows of it."""

    def __init__(self, path: Path) -> None:
        """
        Open or create the file.

        Raises:
            JournalError: it cannot be opened, or is of a later version.
        """
        self._path = path
        with _failing(path):
            self._db = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version not in (0, FORMAT_VERSION):
                message = f"{path}: reports of format {version}; this version reads format {FORMAT_VERSION}"
                raise JournalError(message)
            self._db.execute(_SCHEMA)
            self._db.execute(_COURSES)
            self._db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")

    def newest(self) -> int:
        """Return the event that ended the newest session with a report; 0 without one."""
        with _failing(self._path):
            (sequence,) = self._db.execute("SELECT coalesce(max(end_sequence), 0) FROM reports").fetchone()
        return int(sequence)

    def find(self, end_sequence: int) -> tuple[bytes, bool] | None:
        """Return the report of a session, and whether the journal knows of it."""
        query = "SELECT body, is_recorded FROM reports WHERE end_sequence = ?"
        with _failing(self._path):
            row = self._db.execute(query, (end_sequence,)).fetchone()
        return None if row is None else (row[0], bool(row[1]))

    def add(self, end_sequence: int, session_ns: int, body: bytes) -> None:
        """Keep a report."""
        with _failing(self._path):
            self._db.execute("INSERT INTO reports VALUES (?, ?, 0, ?)", (end_sequence, session_ns, body))

    def note_recorded(self, end_sequence: int) -> None:
        """Note that the journal knows of a report."""
        with _failing(self._path):
            self._db.execute("UPDATE reports SET is_recorded = 1 WHERE end_sequence = ?", (end_sequence,))

    def newest_recorded(self) -> int:
        """Return which event ended the newest session whose report the journal knows; 0 when it knows none."""
        query = "SELECT COALESCE(MAX(end_sequence), 0) FROM reports WHERE is_recorded"
        with _failing(self._path):
            (newest,) = self._db.execute(query).fetchone()
        return int(newest)

    def keep_course(self, end_sequence: int, body: str) -> None:
        """Keep what whoever goes on after a session has to know; what is kept already stays."""
        with _failing(self._path):
            self._db.execute("INSERT OR IGNORE INTO courses VALUES (?, ?)", (end_sequence, body))

    def course(self, end_sequence: int) -> str | None:
        """Return what was kept of a session."""
        with _failing(self._path):
            row = self._db.execute("SELECT body FROM courses WHERE end_sequence = ?", (end_sequence,)).fetchone()
        return None if row is None else row[0]

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


class ReportFile:
    """What was kept, for readers in any process and on any thread."""

    def __init__(self, path: Path) -> None:
        """Stand on a file that may not be there yet."""
        self._path = path

    def read(
        self, begin_ns: int, end_ns: int | None, token: int | None, most: int, *, newest_first: bool
    ) -> list[bytes]:
        """Return the reports of sessions that began from a time on and before another, after that of a token."""
        if not self._path.is_file():
            return []
        order, beyond = ("DESC", "<") if newest_first else ("ASC", ">")
        begin = token if token is not None else _SEQUENCE_MAX if newest_first else -1
        query = (
            "SELECT body FROM reports WHERE session_ns >= ? AND session_ns < ? "  # noqa: S608 -- two words of our own
            f"AND end_sequence {beyond} ? ORDER BY end_sequence {order} LIMIT ?"
        )
        uri = f"{self._path.resolve().as_uri()}?mode=ro"
        with _failing(self._path), closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S)) as db:
            end = _SEQUENCE_MAX if end_ns is None else end_ns
            return [row[0] for row in db.execute(query, (begin_ns, end, min(begin, _SEQUENCE_MAX), most))]


@contextmanager
def _failing(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        message = f"{path}: cannot use the reports: {error}"
        raise JournalError(message) from error
