"""The reports' file: kept once, noted once, read by period in any process."""

import sqlite3
from pathlib import Path

import pytest

from actors.in_flight import note_of
from tidegate.errors import JournalError
from tidegate.journal.location import located
from tidegate.journal.reports import ReportFile, ReportStore, beside


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the file of a journal's reports."""
    return beside(tmp_path / "journal.db", tmp_path)


def test_the_file_lies_beside_its_journal(tmp_path: Path) -> None:
    """Pins the name: two journals of a folder have two; so have two databases, also for what is in flight."""
    assert tmp_path / "crisis.reports.db" == beside(tmp_path / "crisis.db", tmp_path)
    one, other = (located(f"postgresql://ann:secret@db:5432/{name}") for name in ("gate", "test"))
    assert tmp_path / "db-5432-gate.reports.db" == beside(one, tmp_path)
    assert tmp_path / "db-5432-test.reports.db" == beside(other, tmp_path)
    assert tmp_path / "db-5432-gate.in_flight" == note_of(one, tmp_path)
    assert tmp_path / "journal.db.in_flight" == note_of(tmp_path / "journal.db", tmp_path / "logs")


def test_a_report_is_kept_and_noted_and_found_again_by_the_next_process(path: Path) -> None:
    """Pins what survives a restart, and that a session has one report."""
    store = ReportStore(path)
    assert 0 == store.newest()
    store.add(7, 1_000, b"seven")
    assert 7 == store.newest()
    assert (b"seven", False) == store.find(7)
    store.note_recorded(7)
    store.close()
    again = ReportStore(path)
    assert (b"seven", True) == again.find(7)
    assert again.find(8) is None
    with pytest.raises(JournalError, match="cannot use the reports"):
        again.add(7, 1_000, b"other")
    again.close()


def test_a_reader_sees_a_period_either_way_round_from_a_token_on(path: Path) -> None:
    """Pins begin included, end left out, the bound, and a file that is not there yet."""
    file = ReportFile(path)
    assert [] == file.read(0, None, None, 9, newest_first=False)
    store = ReportStore(path)
    for number in range(1, 6):
        store.add(number, number * 100, str(number).encode())
    assert [b"2", b"3"] == file.read(200, 400, None, 9, newest_first=False)
    assert [b"5", b"4"] == file.read(0, None, None, 2, newest_first=True)
    assert [b"3", b"2"] == file.read(0, None, 4, 2, newest_first=True)
    assert [b"5"] == file.read(0, None, 4, 2, newest_first=False)
    assert [] == file.read(0, None, 10**18 * 9, 2, newest_first=False)
    store.close()


def test_what_is_no_reports_file_and_a_newer_one_are_refused_with_their_path(tmp_path: Path, path: Path) -> None:
    """Pins one line that names the file."""
    other = tmp_path / "text"
    other.write_text("no database, but long enough to be looked at by one" * 40, encoding="utf-8")
    with pytest.raises(JournalError, match=str(other)):
        ReportStore(other)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 2")
    with pytest.raises(JournalError, match="reports of format 2; this version reads format 1"):
        ReportStore(path)
