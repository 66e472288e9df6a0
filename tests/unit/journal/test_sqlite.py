"""The journal in SQLite: append-only, one writer, proven by its chain."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.builders import Desk
from tests.unit.journal.stores import entry, five_events
from tidegate.errors import CommitFailedError, JournalError
from tidegate.journal.contract import BEGINNING
from tidegate.journal.reading import events_of, verify
from tidegate.journal.sqlite import _OF_ORDER, SqliteJournal
from tidegate.journal.sqlite_reader import SqliteReader


def test_a_file_that_is_no_database_is_refused_with_its_path(tmp_path: Path) -> None:
    """Pins that the error says which file, and the file stays as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("not a journal, and long enough to be read as a header" * 100)
    before = path.read_bytes()
    with pytest.raises(JournalError, match=str(path)):
        SqliteJournal(path)
    assert before == path.read_bytes()


def test_a_folder_and_a_newer_format_are_refused_with_their_path(tmp_path: Path) -> None:
    """Pins what else cannot be opened."""
    path = tmp_path / "newer.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 2")
    with pytest.raises(JournalError, match=f"{path}: journal format 2"):
        SqliteJournal(path)
    with pytest.raises(JournalError, match=str(tmp_path)):
        SqliteJournal(tmp_path)


def test_another_programs_database_is_refused_and_gets_no_tables(tmp_path: Path) -> None:
    """Pins that a wrong path does not turn somebody's database into a journal."""
    path = tmp_path / "invoices.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE invoices (number INTEGER)")
    with pytest.raises(JournalError, match=f"{path}: another program's database, not a journal"):
        SqliteJournal(path)
    with closing(sqlite3.connect(path)) as db:
        assert [("invoices",)] == db.execute("SELECT name FROM sqlite_master").fetchall()


@pytest.mark.control("records")
def test_a_changed_event_stops_the_start(desk: Desk) -> None:
    """Pins that the hash chain is verified before anything is folded."""
    with closing(sqlite3.connect(desk.path)) as db, db:
        db.execute("UPDATE events SET body = x'ff' WHERE sequence = 2")
    with pytest.raises(JournalError, match="hash chain breaks"):
        desk.restarted()


def small_pages(path: Path) -> Path:
    """Begin a file whose pages are as small as SQLite has them, so that few bytes are many places to break."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA page_size = 512")
        db.execute("PRAGMA journal_mode = WAL")
    return path


def copy_of(path: Path) -> Path:
    """Copy a journal as a crash would leave it: the file, and the log beside it."""
    copy = path.parent / "copy" / path.name
    copy.parent.mkdir()
    for name in (path.name, f"{path.name}-wal"):
        shutil.copy(path.with_name(name), copy.with_name(name))
    return copy


@pytest.mark.control("continuity")
def test_a_log_cut_at_any_byte_recovers_what_was_committed_before_it(tmp_path: Path) -> None:
    """Pins a crash at each byte that SQLite writes: a whole number of batches is there, and they verify."""
    journal = five_events(small_pages(tmp_path / "journal.db"))
    assert isinstance(journal, SqliteJournal)
    journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = copy_of(tmp_path / "journal.db")
    log, lying = tmp_path / "journal.db-wal", copy.with_name("journal.db-wal")
    committed = [(0, journal.head())]
    for sequence in (6, 7):
        journal.append([entry(sequence, "9", f"k{sequence}")])
        committed.append((log.stat().st_size, journal.head()))
    shutil.copy(log, lying)
    journal.close()
    for size in range(committed[-1][0], -1, -1):
        os.truncate(lying, size)
        copy.with_name("journal.db-shm").unlink(missing_ok=True)
        reader = SqliteReader(copy)
        expected = next(head for end, head in reversed(committed) if end <= size)
        assert expected == reader.head(), size
        if size % 100 == 0:
            assert expected == verify(reader)
    assert len({head for _, head in committed}) == 3


def test_a_log_cut_inside_a_commit_is_written_on_after_the_commit_before_it(tmp_path: Path) -> None:
    """Pins that a writer goes on from the recovered prefix, and that what it then writes is the only truth."""
    journal = five_events(small_pages(tmp_path / "journal.db"))
    before = journal.head()
    size = (tmp_path / "journal.db-wal").stat().st_size
    journal.append([entry(6, key="lost")])
    copy = copy_of(tmp_path / "journal.db")
    journal.close()
    os.truncate(copy.with_name("journal.db-wal"), size + 700)
    with closing(SqliteJournal(copy)) as again:
        assert before == again.head() == again.verify()
        assert {} == again.find_all(["transfer lost"])
        assert 6 == again.append([entry(6, key="lost")]).sequence == again.verify().sequence


@pytest.mark.control("records")
def test_a_damaged_page_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    """Pins every page of a file in turn: the start is refused with what to do, or every event is as it was."""
    path = small_pages(tmp_path / "journal.db")
    with closing(five_events(path)) as journal:
        for sequence in range(6, 60):
            journal.append([entry(sequence, str(sequence), f"k{sequence}")])
        head = journal.head()
    content = path.read_bytes()
    refused = 0
    for start in range(0, len(content), 512):
        path.write_bytes(content[:start] + b"\xa5" * 512 + content[start + 512 :])
        try:
            with closing(SqliteJournal(path)) as journal:
                assert head == journal.verify()
                assert 59 == len(list(events_of(SqliteReader(path))))
                SqliteReader(path).check()
        except JournalError as error:
            refused += 1
            assert str(error).startswith(str(path))  # noqa: PT017 -- a page may also be one that nobody reads
            assert "go on from a copy, as docs/journal.md says" in str(error)  # noqa: PT017 -- as above
    assert refused >= len(content) // 512 - 2


@pytest.mark.control("records")
@pytest.mark.parametrize("size", [0, 100, 512, 4_096, 5_000])
def test_a_file_that_was_cut_does_not_begin_anew(tmp_path: Path, size: int) -> None:
    """Pins that a journal never forgets by itself: SQLite would take an empty file for a new one."""
    path = tmp_path / "journal.db"
    with closing(five_events(path)):
        pass
    os.truncate(path, size)
    with pytest.raises(JournalError, match=r"go on from a copy, as docs/journal\.md says"):
        SqliteJournal(path)
    assert size == path.stat().st_size


def test_a_crash_while_a_journal_is_created_leaves_none(tmp_path: Path) -> None:
    """Pins that what was begun under another name is begun again, and a second name is not left behind."""
    (tmp_path / "journal.db.new").write_bytes(b"half")
    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        assert BEGINNING == journal.head()
    assert ["journal.db"] == [path.name for path in tmp_path.iterdir()]


def test_a_full_disk_fails_the_commit_and_keeps_what_was_there(tmp_path: Path) -> None:
    """Pins that the commit that found no room is not there, in whole or in part."""
    path = tmp_path / "journal.db"
    with closing(five_events(path)) as journal:
        assert isinstance(journal, SqliteJournal)
        journal._db.execute("PRAGMA max_page_count = 14")
        with pytest.raises(CommitFailedError, match=r"the commit of events up to 1205 failed: .* is full"):
            journal.append([entry(sequence, "1", f"k{sequence}") for sequence in range(6, 1_206)])
    with closing(SqliteJournal(path)) as again:
        assert 5 == again.verify().sequence


@pytest.mark.parametrize("older", [False, True])
def test_the_events_of_an_order_are_found_by_number_and_by_index(tmp_path: Path, *, older: bool) -> None:
    """Pins that no journal is read through for one order, nor one whose index holds the accepting events as well."""
    path = tmp_path / "journal.db"
    five_events(path).close()
    with closing(sqlite3.connect(path)) as db:
        if older:
            db.execute("DROP INDEX events_of_order")
            db.execute("CREATE INDEX events_of_order ON events (order_id) WHERE order_id IS NOT NULL")
        plan = " ".join(step for *_, step in db.execute(f"EXPLAIN QUERY PLAN {_OF_ORDER}", {"order": 2}))
    assert "SCAN" not in plan
    assert "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)" in plan
    assert "SEARCH events USING INDEX events_of_order (order_id=?)" in plan
    with closing(SqliteJournal(path)) as journal:
        assert [2, 4] == [event.sequence for event in journal.events_of_order(2)]
