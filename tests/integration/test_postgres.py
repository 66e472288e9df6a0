"""``tidegate run`` on a journal in PostgreSQL, as a user runs it: no password shown, one run at a time."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.integration.conftest import free_address
from tests.integration.desk import write_portfolio
from tests.integration.test_command_line import TIDEGATE, Program, ask
from tidegate.journal.location import Database
from tidegate.journal.postgres_lock import SessionLock
from tidegate.journal.postgres_session import RUN_LOCK

pytestmark = pytest.mark.timeout(300)

_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
WHERE locktype = 'advisory' AND classid = %s AND objid = (SELECT current_schema()::regnamespace::oid)
"""


@pytest.fixture
def begin() -> Iterator[Program]:
    """Give the test a way to start the program, and clean up after it."""
    program = Program()
    yield program
    for process in program.started:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=60)


def with_password(database: Database) -> tuple[str, str]:
    """Write the URL of a database with a password, which a server that trusts this machine does not look at."""
    known = {key: str(value) for key, value in conninfo_to_dict(database.url).items()}
    user, password = known.pop("user"), known.pop("password", "hush-hush")
    rest = "&".join(f"{key}={quote(value, safe='')}" for key, value in known.items() if key != "dbname")
    return f"postgresql://{quote(user)}:{quote(password, safe='')}@/{known['dbname']}?{rest}", password


def lines_until(process: subprocess.Popen[str], begin: str) -> str:
    """Read what a program says, up to a line."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith(begin):
            return said
    return said + process.communicate()[0]


@pytest.mark.control("one-writer")
def test_one_run_has_the_database_until_another_one_takes_it_and_nobody_sees_the_password(
    tmp_path: Path, begin: Program, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run is refused in one line; a run that lost its lock to another one while it was cut off ends."""
    monkeypatch.chdir(tmp_path)  # where the logs go
    write_portfolio(tmp_path, clock="wall", replay=None)
    url, password = with_password(database)
    address = free_address()
    first = begin(tmp_path, address, "--journal", url)
    said = lines_until(first, "serving on")
    assert f"journal {database}: 1 events; logs in {tmp_path}/var/logs" in said
    second = begin(tmp_path, free_address(), "--journal", url)
    refused, _ = second.communicate(timeout=60)
    line = f"{database}: another run uses this journal; end it first, or choose another with --journal\n"
    assert (1, line) == (second.returncode, refused)
    verified = ask(TIDEGATE, "journal", "verify", "--journal", url)
    assert verified.stdout.startswith(f"{database}: "), verified.stderr
    with psycopg.connect(database.url, autocommit=True) as db:
        db.execute(_END_OTHERS, (RUN_LOCK,))
    taken = SessionLock(database)
    assert taken.is_held()
    ended, _ = first.communicate(timeout=60)
    taken.release()
    assert 1 == first.returncode
    assert f"{database}: another run has taken this journal while its database was out of reach\n" in ended
    logged = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "var" / "logs").iterdir())
    assert str(database) in logged
    assert password not in said + refused + verified.stdout + ended + logged
