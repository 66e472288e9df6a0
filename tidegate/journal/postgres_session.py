"""Sessions of PostgreSQL: how they connect, what they may wait for, and the one that is the writer's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tidegate.errors import ConfigurationError, JournalError

if TYPE_CHECKING:
    from tidegate.journal.location import Database

# Seconds, but for TCP's time-out. Who goes away without a word is noticed in about ten of them, from either end. What
# the URL says itself goes before.
_CONNECTION: dict[str, str | int] = {
    "application_name": "tidegate",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_SESSION: dict[str, str] = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
    "default_transaction_isolation": "read committed",
}
_SET = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS s (name, value)"
# Two keys of PostgreSQL's advisory locks, each with the schema's own number beside it: of the writer, of the run.
WRITER_LOCK = 0x7469_6401
RUN_LOCK = 0x7469_6402
_SCHEMA_NUMBER = "SELECT (current_schema()::regnamespace::oid::bigint & 2147483647)::integer"
_IDENTITY = ("host", "hostaddr", "port", "dbname")


def shown_url(url: str) -> str:
    """
    Return where a URL leads, without who connects and how.

    Raises:
        ConfigurationError: it cannot be read; the message shows nothing of it, for it may hold a password.
    """
    try:
        known = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except psycopg.Error:
        known = {"port": "none"}
    parts = [known.get(key, "") for key in _IDENTITY]
    # A password with a character that is not percent-encoded is read as a part of the rest.
    if any("@" in part for part in parts) or not known.get("port", "0").replace(",", "").isdecimal():
        message = (
            "the journal's URL cannot be read; it is postgresql://user@host:port/database, with every "
            "character of a user or password that is no letter or digit percent-encoded"
        )
        raise ConfigurationError(message)
    host = known.get("host") or known.get("hostaddr", "")
    place = f"[{host}]" if ":" in host else host
    port = f":{known['port']}" if "port" in known else ""
    schema = f" ({known['options']})" if "options" in known else ""
    return f"postgresql://{place}{port}/{known.get('dbname', '')}{schema}"


def connect(database: "Database", *, writable: bool = False) -> psycopg.Connection:
    """Open a session in autocommit; one that is to write finds the server that may, where the URL names several."""
    given = conninfo_to_dict(database.url)
    wanted = _CONNECTION | ({"target_session_attrs": "read-write"} if writable else {})
    missing = {key: value for key, value in wanted.items() if key not in given}
    connection = psycopg.connect(make_conninfo(database.url, **missing), autocommit=True)
    settings = _SESSION | {"default_transaction_read_only": "off" if writable else "on"}
    try:
        connection.execute(_SET, (list(settings), list(settings.values())))
    except psycopg.Error:
        connection.close()
        raise
    return connection


@contextmanager
def readable(database: "Database") -> Iterator[None]:
    """Say of what PostgreSQL cannot do which journal it was, in one line."""
    try:
        yield
    except psycopg.errors.UndefinedTable as error:
        message = f"{database}: there is no such journal"
        raise JournalError(message) from error
    except psycopg.Error as error:
        message = f"{database}: cannot read the journal: {said(error)}"
        raise JournalError(message) from error


def said(error: psycopg.Error) -> str:
    """Return what PostgreSQL says, in one line."""
    return " ".join(str(error).split())


def schema_number(connection: psycopg.Connection) -> int:
    """Return the number of the schema that the journal's tables are in; raises JournalError where there is none."""
    row = connection.execute(_SCHEMA_NUMBER).fetchone()
    if row is None or row[0] is None:
        message = "no schema of the search path exists; create one, as docs/journal.md shows"
        raise JournalError(message)
    return int(row[0])


def lock(connection: psycopg.Connection, kind: int) -> bool:
    """Take one of the journal's locks for as long as the session lives; False when another session has it."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (kind, schema_number(connection))).fetchone()
    return row is not None and bool(row[0])
