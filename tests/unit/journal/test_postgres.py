"""What only PostgreSQL has: sessions that are ended, connections that are lost, settings, URLs with a password."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.conftest import URL
from tests.unit.builders import BUY, Desk, configuration
from tests.unit.journal.cutting import way_to
from tests.unit.journal.stores import change, entry, five_events
from tidegate.errors import CommitFailedError, ConfigurationError, JournalError
from tidegate.journal.location import Database, located
from tidegate.journal.postgres import _OF_ORDER, PostgresJournal
from tidegate.journal.postgres_lock import SessionLock
from tidegate.journal.postgres_reader import PostgresReader
from tidegate.journal.postgres_session import _SESSION

# A writer in a process of its own, which takes the lock that every commit takes, and then waits in its transaction.
_HOLDER = """
    import os, sys
    from tests.unit.journal.stores import entry
    from tidegate.errors import CommitFailedError
    from tidegate.journal.location import located
    from tidegate.journal.postgres import PostgresJournal

    journal = PostgresJournal(located(sys.argv[1]))
    journal.append([entry(1)])
    journal._db.execute("SET idle_in_transaction_session_timeout = 0")
    journal._db.execute("BEGIN")
    journal._db.execute("SELECT epoch FROM writer FOR SHARE")
    print("holding", flush=True)
    sys.stdin.readline()
    try:
        journal.append([entry(2)])
    except CommitFailedError as error:
        print(type(error).__name__, error, flush=True)
        os._exit(70)
    print("written", flush=True)
"""


def setting(journal: PostgresJournal, name: str) -> str:
    """Ask the writer's session for one of its settings."""
    row = journal._db.execute("SELECT current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.control("one-writer")
def test_a_writer_that_was_stopped_inside_a_transaction_is_ended_by_the_next_one(database: Database) -> None:
    """Pins that a zombie's lock does not keep anybody waiting, and that it finds its session gone when it goes on."""
    zombie = subprocess.Popen(  # noqa: S603 -- this interpreter, our script
        [sys.executable, "-c", textwrap.dedent(_HOLDER), database.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert zombie.stdin is not None
    assert zombie.stdout is not None
    try:
        assert "holding\n" == zombie.stdout.readline()
        zombie.send_signal(signal.SIGSTOP)
        with psycopg.connect(database.url) as other, pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("SELECT epoch FROM writer FOR UPDATE NOWAIT")
        began = time.monotonic()
        with closing(PostgresJournal(database)) as journal:
            assert (2, 1) == (journal.epoch, journal.head().sequence)
            journal.append([entry(2)])
            assert time.monotonic() - began < 5
            zombie.send_signal(signal.SIGCONT)
            said, _ = zombie.communicate("go on\n", timeout=20)
            assert said.startswith("EpochFencedError ")
            assert "epoch 1 was fenced by epoch 2: another writer has taken over" in said
            assert 70 == zombie.returncode
            assert 2 == journal.verify().sequence
    finally:
        with suppress(ProcessLookupError):
            os.kill(zombie.pid, signal.SIGCONT)
        zombie.kill()
        zombie.wait()


@pytest.mark.control("continuity")
def test_a_commit_whose_answer_is_lost_ends_the_writer_and_is_there_afterwards(database: Database) -> None:
    """Pins "outcome unknown": nothing is answered from memory, and the retry gets the decision that was committed."""
    with way_to(database) as (way, by_way):
        desk = Desk(Path(), configuration(), location=by_way)
        desk.bar(1, A="100")
        order = desk.order("cash", BUY, "5", "A")
        before = desk.gate.journal.head()
        way.cut_after(b"order_decided")
        with pytest.raises(CommitFailedError, match=f"the commit of events up to {before.sequence + 1} failed"):
            desk.submit(order)
        assert way.lost.wait(5)
        assert before == desk.gate.journal.head()
        desk.gate.journal.close()
    after = Desk(Path(), configuration(), location=database)
    assert before.sequence + 1 == after.book.sequence
    assert before.sequence + 1 == after.submit(order).sequence
    assert before.sequence + 1 == after.gate.journal.verify().sequence
    after.gate.journal.close()


def test_a_session_that_was_ended_in_between_fails_the_commit_whole(database: Database) -> None:
    """Pins that a lost connection is never opened again by itself: whoever held it must come back from the journal."""
    with closing(five_events(database)) as journal:
        assert isinstance(journal, PostgresJournal)
        with psycopg.connect(database.url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (journal._db.info.backend_pid,))
        for _ in range(2):
            with pytest.raises(CommitFailedError, match="events up to 6 failed"):
                journal.append([entry(6)])
    with closing(PostgresJournal(database)) as again:
        assert 5 == again.head().sequence


def test_a_take_over_needs_the_same_role_and_says_so(database: Database) -> None:
    """Pins the right that it takes to end the session of the writer before."""
    role = f"{schema_of(database)}_other"
    with psycopg.connect(database.url, autocommit=True) as db, closing(five_events(database)) as journal:
        db.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'other'".encode())
        try:
            db.execute(f"GRANT USAGE, CREATE ON SCHEMA {schema_of(database)} TO {role}".encode())
            other = Database(make_conninfo(database.url, user=role, password="other"), str(database))  # noqa: S106
            with pytest.raises(JournalError, match=r"may not end the session .* connect as the same role"):
                PostgresJournal(other)
        finally:
            db.execute(f"DROP OWNED BY {role}".encode())
            db.execute(f"DROP ROLE {role}".encode())
        assert 6 == journal.append([entry(6)]).sequence


def test_every_wait_of_a_session_has_an_end_and_every_commit_reaches_the_disk(database: Database) -> None:
    """Pins the settings that docs/journal.md names, whatever the server's or the URL's defaults are."""
    lazy = located(f"{database.url}%20-csynchronous_commit%3Doff")
    assert isinstance(lazy, Database)
    with closing(PostgresJournal(lazy)) as journal:
        names = ("synchronous_commit", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        assert ["on", "30s", "5s", "10s"] == [setting(journal, name) for name in names]
        assert "off" == setting(journal, "default_transaction_read_only")
        given = journal._db.info.get_parameters()
        assert ("5", "10000") == (given["keepalives_idle"], given["tcp_user_timeout"])


@pytest.mark.skipif(URL in os.environ, reason="a server of somebody's own stays as it is")
def test_a_server_that_does_not_wait_for_its_disk_is_refused(database: Database, postgres_url: str) -> None:
    """Pins that nothing is promised which the server does not keep."""
    with psycopg.connect(postgres_url, autocommit=True) as db:

        def turn(state: str) -> None:
            db.execute(f"ALTER SYSTEM SET fsync = {state}".encode())
            db.execute("SELECT pg_reload_conf()")
            deadline = time.monotonic() + 10
            while db.execute("SHOW fsync").fetchone() != (state,):
                assert time.monotonic() < deadline
                time.sleep(0.01)

        turn("off")
        try:
            with pytest.raises(JournalError, match="cannot open the journal: the server runs with fsync off"):
                PostgresJournal(database)
        finally:
            turn("on")
    PostgresJournal(database).close()


def test_a_newer_format_is_refused_and_its_writers_epoch_stands(database: Database) -> None:
    """Pins that an older version takes nothing away from a newer one."""
    five_events(database).close()
    change(database, "UPDATE writer SET format = 2")
    with pytest.raises(JournalError, match="journal format 2; this version reads format 1"):
        PostgresJournal(database)
    with psycopg.connect(database.url) as db:
        assert (1, 2) == db.execute("SELECT epoch, format FROM writer").fetchone()


def test_a_lock_that_somebody_else_holds_fails_the_commit_in_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pins that a person's open transaction does not keep the gate waiting for ever."""
    monkeypatch.setitem(_SESSION, "lock_timeout", "200ms")
    with closing(five_events(database)) as journal, psycopg.connect(database.url) as person:
        person.execute("SELECT epoch FROM writer FOR UPDATE")
        with pytest.raises(CommitFailedError, match="events up to 6 failed: canceling statement due to lock timeout"):
            journal.append([entry(6)])
        person.rollback()
        assert 6 == journal.append([entry(6)]).sequence


def test_without_psycopg_the_line_says_what_to_install() -> None:
    """Pins that the extra is one: files need nothing of it."""
    script = """
        import sys
        sys.modules["psycopg"] = None
        from tidegate.errors import ConfigurationError
        from tidegate.journal.location import located
        located("var/journal.db")
        try:
            located("postgresql://db/gate")
        except ConfigurationError as error:
            print(error)
    """
    ran = subprocess.run(  # noqa: S603 -- this interpreter, our script
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True, timeout=60
    )
    assert "a journal in PostgreSQL needs psycopg: install the extra tidegate[postgres]\n" == ran.stdout


def test_a_reader_cannot_write(database: Database) -> None:
    """Pins that the store itself keeps a reader from changing anything."""
    with closing(five_events(database)):
        reader = PostgresReader(database)
        with reader._opened() as db, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            db.execute("DELETE FROM events")
        assert 5 == reader.head().sequence


def test_a_run_lock_is_one_sessions_and_is_taken_again_after_a_loss(database: Database) -> None:
    """Pins that two runs cannot both have a journal, and that whoever lost it hears of it."""
    with closing(five_events(database)):
        one, other = SessionLock(database), SessionLock(database)
        assert one.is_held()
        assert one.is_held()
        assert not other.is_held()
        other.release()
        lose(one)
        with pytest.raises(JournalError, match="terminating connection"):
            one.is_held()
        assert one.is_held()
        lose(one)
        assert other.is_held()
        with pytest.raises(JournalError):
            one.is_held()
        assert not one.is_held()
        one.release()
        other.release()


def lose(lock: SessionLock) -> None:
    """End a lock's session behind its back."""
    assert lock._db is not None
    with psycopg.connect(lock._database.url, autocommit=True) as db:
        db.execute("SELECT pg_terminate_backend(%s, 5000)", (lock._db.info.backend_pid,))


def test_what_is_no_journal_is_refused_in_one_line(database: Database) -> None:
    """Pins a database without tables, a schema that is not there, and a server that is out of reach."""
    with pytest.raises(JournalError, match="there is no such journal"):
        PostgresReader(database)
    elsewhere = located(database.url.replace(schema_of(database), "nowhere"))
    assert isinstance(elsewhere, Database)
    with pytest.raises(JournalError, match=r"no schema of the search path exists; create one"):
        PostgresJournal(elsewhere)
    nobody = located("postgresql://user:secret@127.0.0.1:1/none")
    assert isinstance(nobody, Database)
    with pytest.raises(JournalError, match="Connection refused") as caught:
        PostgresJournal(nobody)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:secret@db.example:5432/gate", "postgresql://db.example:5432/gate"),
        ("postgres://ann@db.example/gate?password=secret&connect_timeout=3", "postgresql://db.example/gate"),
        ("postgresql://ann:secret@[::1]/gate", "postgresql://[::1]/gate"),
        ("postgresql://a:secret@one:1,two:2/gate", "postgresql://one,two:1,2/gate"),
        ("postgresql:///gate?host=/run/postgresql", "postgresql:///run/postgresql/gate"),
    ],
)
def test_a_url_is_shown_without_who_connects_and_how(url: str, shown: str) -> None:
    """Pins what stands in logs, refusals and on the screen."""
    found = located(url)
    assert shown == str(found)
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:sec/ret@db/gate",
        "postgresql://ann:sec%ret@db/gate",
        "postgresql://ann:sec@ret@db/gate",
        "postgresql://db:secret/gate",
        "postgresql://db/gate?secret=1",
    ],
)
def test_a_url_that_cannot_be_read_shows_nothing_of_itself(url: str) -> None:
    """Pins that a password which was not percent-encoded does not come out with the complaint."""
    with pytest.raises(ConfigurationError, match="the journal's URL cannot be read") as caught:
        located(url)
    assert "sec" not in str(caught.value)
    assert "ret" not in str(caught.value)


@pytest.mark.parametrize("older", [False, True])
def test_the_events_of_an_order_are_found_by_number_and_by_index(database: Database, *, older: bool) -> None:
    """Pins that no journal is read through for one order, nor one whose index holds the accepting events as well."""
    five_events(database).close()
    with psycopg.connect(database.url) as db:
        if older:
            db.execute("DROP INDEX events_of_order")
            db.execute("CREATE INDEX events_of_order ON events (order_id) WHERE order_id IS NOT NULL")
        db.execute("SET enable_seqscan = off")
        rows = db.execute(f"EXPLAIN {_OF_ORDER}", {"order": 2}).fetchall()
    plan = " ".join(row[0] for row in rows)
    assert "Seq Scan" not in plan
    assert "events_of_order" in plan
    assert older or "events_pkey" in plan


def schema_of(database: Database) -> str:
    """Name the test's schema."""
    return database.url.rpartition("%3D")[2]
