"""Where a run's journal lies in a database: what the checker reads there, and what is done to it."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from chaos.chain import check_chain
from chaos.schedule import SESSION, steps
from chaos.stores import DatabaseStore
from tests.unit.builders import Desk, configuration
from tidegate.errors import CommitFailedError, ConfigurationError
from tidegate.journal.location import open_journal, open_reader
from tidegate.journal.postgres_lock import SessionLock


@pytest.fixture
def store(postgres_url: str, tmp_path: Path) -> Iterator[DatabaseStore]:
    """Give a schema of a server that is not the run's own."""
    found = DatabaseStore(postgres_url, tmp_path)
    yield found
    found.close()
    found.forget()
    with psycopg.connect(postgres_url, autocommit=True) as db:
        db.execute("DROP SCHEMA tidegate_chaos, tidegate_chaos_replayed CASCADE")


@pytest.fixture
def desk(store: DatabaseStore) -> Iterator[Desk]:
    """Give a gate on it that has something behind it."""
    opened = Desk(Path(), configuration(), location=store.location)
    opened.bar(1, A="100")
    opened.hold("cash", "5", "100")
    yield opened
    opened.gate.journal.close()


def test_the_checker_reads_what_lies_in_a_database(store: DatabaseStore, desk: Desk) -> None:
    """Every batch with its bytes; what was changed, and what no batch covers, is found."""
    assert (desk.events(), []) == check_chain(store.links())
    with psycopg.connect(store.argument, autocommit=True) as db:
        db.execute("DELETE FROM batches WHERE last_sequence = (SELECT MAX(last_sequence) FROM batches)")
        newest = desk.book.sequence
        assert f"the chain breaks in the batch that begins with event {newest}" in check_chain(store.links())[1]
        db.execute("UPDATE events SET body = body || '\\x00'::bytea WHERE sequence = 1")
    assert "the chain breaks in the batch that begins with event 1" in check_chain(store.links())[1]


def test_a_copy_ends_where_the_gate_was_asked_and_can_be_gone_on_from(store: DatabaseStore, desk: Desk) -> None:
    """A gate that only reads it comes to the state of then; the journal itself stays as it is."""
    before, until = desk.state(), desk.book.sequence
    desk.bar(2, A="101")
    copy = store.copy(until)
    assert until == open_reader(copy).head().sequence < desk.book.sequence
    again = Desk(Path(), configuration(), location=copy)
    assert before == again.state()
    again.gate.journal.close()
    assert desk.book.sequence == open_reader(store.location).head().sequence


def test_a_session_is_ended_and_a_runs_lock_is_taken_away(store: DatabaseStore, desk: Desk) -> None:
    """The writer does not hear what became of its commit; another run may have the journal."""
    run, other = SessionLock(store.location), SessionLock(store.location)
    assert (run.is_held(), other.is_held()) == (True, False)
    other.release()
    store.unlock()
    assert other.is_held()
    ending = next(step for step in steps(1, database=True) if step.target == SESSION)
    assert store.disturb(ending)
    assert not store.disturb(ending)  # nobody writes any more: a run does not count it
    with pytest.raises(CommitFailedError):
        desk.gate.journal.confirm()
    open_journal(store.location).close()
    run.release()
    other.release()


def test_what_is_no_place_for_a_journal_is_refused(tmp_path: Path) -> None:
    """A typing mistake begins no file of that name."""
    with pytest.raises(ConfigurationError, match="--journal is sqlite, postgresql, or the postgresql:// URL"):
        DatabaseStore("postgres", tmp_path)
