"""The lock of a run on a journal in PostgreSQL: an advisory lock, which lives as long as its session."""

from typing import TYPE_CHECKING

from tidegate.journal.postgres_session import RUN_LOCK, connect, lock, readable

if TYPE_CHECKING:
    import psycopg

    from tidegate.journal.location import Database


class SessionLock:
    """Held by one session at a time. A session that was lost, with the server or the network, is replaced."""

    def __init__(self, database: "Database") -> None:
        """Take nothing yet."""
        self._database = database
        self._db: psycopg.Connection | None = None

    def is_held(self) -> bool:
        """
        Take the lock if it is not held any more, or not yet; False when another session has it.

        Raises:
            JournalError: the server is out of reach, so nobody knows.
        """
        try:
            with readable(self._database):
                if self._db is None:
                    self._db = connect(self._database, writable=True)
                    return lock(self._db, RUN_LOCK)
                self._db.execute("SELECT 1")
        except BaseException:
            self.release()
            raise
        return True

    def release(self) -> None:
        """Let go of it."""
        if self._db is not None:
            self._db.close()
            self._db = None
