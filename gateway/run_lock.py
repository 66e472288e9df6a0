"""One run a journal: a second one is kept out, for the two would fence each other in turn."""

import fcntl
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tidegate.errors import JournalError, TidegateError
from tidegate.journal.location import Database, Location
from tidegate.journal.sqlite_lock import WRITER_ENDS_WITHIN_S, writer_of

_LOOK_PERIOD_S = 2.0


class RunLock(Protocol):
    """A journal that is this run's, for as long as its process lives."""

    def check(self) -> None:
        """Raise TidegateError when another run has taken the journal meanwhile."""

    def close(self) -> None:
        """Let another run have it."""


def lock_run(journal: Location) -> RunLock:
    """Keep every other run from a journal; raises TidegateError where one has it."""
    return FileLock(journal) if isinstance(journal, Path) else DatabaseLock(journal)


def say_who_writes(journal: Location, say: Callable[[str], object]) -> None:
    """Say why the opening of a journal may take long: what an earlier run has left is in the middle of a commit."""
    if isinstance(journal, Path) and (pid := writer_of(journal)):
        say(
            f"{journal}: process {pid} holds the journal; waiting up to {WRITER_ENDS_WITHIN_S} s for it to let go, "
            "or for its watchdog to end it"
        )


class FileLock:
    """A lock of the kernel's on a file beside the journal: it goes with the process, however that ends."""

    def __init__(self, journal: Path) -> None:
        """Take it, or raise TidegateError."""
        try:
            journal.parent.mkdir(parents=True, exist_ok=True)
            self._file = journal.with_name(f"{journal.name}.lock").open("w", encoding="utf-8")
        except OSError as error:
            message = f"{journal}: cannot write in its folder: {error.strerror}"
            raise TidegateError(message) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise _taken(journal) from error

    def check(self) -> None:
        """Do nothing: nobody else can have taken it."""

    def close(self) -> None:
        """Let another run have it."""
        self._file.close()


class DatabaseLock:
    """
    An advisory lock of PostgreSQL's, which goes with its session.

    A session that was lost, with the server or the network, is replaced; a run that finds another one in its place
    interrupts itself.
    """

    def __init__(self, journal: Database) -> None:
        """Take it, or raise TidegateError; then look from time to time whether it is held still."""
        from tidegate.journal.postgres_lock import SessionLock  # noqa: PLC0415 -- an extra

        self._journal = journal
        self._lock = SessionLock(journal)
        self._ending = threading.Event()
        self._is_lost = False
        if not self._lock.is_held():
            self._lock.release()
            raise _taken(journal)
        self._watching = threading.Thread(target=self._watch, name="run lock", daemon=True)
        self._watching.start()

    def check(self) -> None:
        """Raise TidegateError when another run has taken the journal meanwhile."""
        if self._is_lost:
            message = f"{self._journal}: another run has taken this journal while its database was out of reach"
            raise TidegateError(message)

    def close(self) -> None:
        """Let another run have it."""
        self._ending.set()
        self._watching.join()
        self._lock.release()

    def _watch(self) -> None:
        while not self._ending.wait(_LOOK_PERIOD_S):
            try:
                if self._lock.is_held():
                    continue
            except JournalError:
                continue  # out of reach, so nobody knows; the RiskManager is UNAVAILABLE meanwhile
            self._is_lost = True
            os.kill(os.getpid(), signal.SIGTERM)
            return


def _taken(journal: Location) -> TidegateError:
    return TidegateError(f"{journal}: another run uses this journal; end it first, or choose another with --journal")
