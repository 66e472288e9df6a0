"""Reading a journal's file from outside: verified on the way, and without disturbing its writer."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.builders import Desk
from tidegate.errors import JournalError
from tidegate.journal.reading import events_of
from tidegate.journal.sqlite_reader import SqliteReader, readable


def journal_of(desk: Desk) -> SqliteReader:
    """Open the file of a desk that is at work."""
    return SqliteReader(desk.path)


def test_every_event_is_read_while_the_writer_goes_on(desk: Desk) -> None:
    """A reader takes no epoch: the writer is not fenced, before, while and after it reads."""
    desk.buy("cash", "1")
    reader = journal_of(desk)
    reading = events_of(reader)
    first = next(reading)
    desk.buy("cash", "1")
    assert [first, *reading] == desk.events()
    assert 4 == reader.head().sequence
    desk.buy("cash", "1")
    assert 5 == reader.head().sequence


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET body = (SELECT body FROM events WHERE sequence = 2) WHERE sequence = 3",
        "UPDATE events SET epoch = 7 WHERE sequence = 3",
        "UPDATE batches SET hash = zeroblob(32) WHERE last_sequence = 3",
        "DELETE FROM events WHERE sequence = 3",
    ],
)
def test_a_changed_event_ends_the_reading_before_it_is_handed_out(desk: Desk, change: str) -> None:
    """What stands before it was as it was recorded; it and what follows is not shown."""
    desk.buy("cash", "1")
    with closing(sqlite3.connect(desk.path, isolation_level=None)) as db:
        db.execute(change)
    with pytest.raises(JournalError, match="the hash chain breaks between events 3 and 3"):
        list(events_of(journal_of(desk)))
    reading = events_of(journal_of(desk))
    assert [1, 2] == [next(reading).sequence, next(reading).sequence]


def test_who_may_not_write_beside_a_journal_at_rest_is_told_to_copy_it(desk: Desk) -> None:
    """Pins what an auditor reads: SQLite itself says only that it cannot write, though nobody wants to."""
    uri = f"{desk.path.as_uri()}?mode=ro"
    with (
        pytest.raises(JournalError, match=f"{desk.path}: cannot read the journal: .* to a folder of your own"),
        readable(desk.path),
        closing(sqlite3.connect(uri, uri=True)) as db,
    ):
        db.execute("UPDATE writer SET epoch = 2")


def test_what_is_no_journal_is_refused_with_its_path(tmp_path: Path) -> None:
    """Nothing is there, or something else: one line, and nothing is created."""
    missing, other = tmp_path / "missing.db", tmp_path / "other.db"
    with pytest.raises(JournalError, match=r"missing\.db: there is no such journal"):
        SqliteReader(missing)
    assert not missing.exists()
    other.write_text("this is no database, and long enough to be read as one" * 10, encoding="utf-8")
    with pytest.raises(JournalError, match=r"other\.db: cannot read the journal"):
        SqliteReader(other)
    other.write_bytes(b"")
    with pytest.raises(JournalError, match=r"other\.db: the file is empty: if it was a journal, keep it as it is"):
        SqliteReader(other)
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE invoices (number INTEGER)")
    with pytest.raises(JournalError, match=r"other\.db: a database of SQLite's, but not a journal"):
        SqliteReader(other)
