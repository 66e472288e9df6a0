"""The journal in SQLite: append-only, one writer, proven by its chain."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.builders import BUY, CANCELED, REPLACED, Desk, strategy_scope
from tidegate.errors import CommitFailedError, EpochFencedError, JournalError
from tidegate.journal.contract import HASH_OF_NOTHING, Entry, Head, entry_of, link
from tidegate.journal.sqlite import SqliteJournal
from tidegate.risk.draft import order_key, transfer_key
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, risk_pb2


def entry(sequence: int, order_id: str = "", key: str = "") -> Entry:
    """Write the entry of a claim, or of a transfer with a key."""
    event = journal_pb2.Event(sequence=sequence)
    if key:
        event.capital_transferred.transfer_id = key
    else:
        event.order_claimed.order_id = order_id
    return entry_of(event)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    """Hold five events in two batches."""
    opened = SqliteJournal(tmp_path / "var" / "journal.db")
    opened.append([entry(1), entry(2, "2"), entry(3, key="t1")])
    opened.append([entry(4, "2"), entry(5, "4")])
    yield opened
    opened.close()


def path_of(journal: SqliteJournal) -> Path:
    """Return the journal's file."""
    return journal._path


def test_events_are_read_in_their_order(journal: SqliteJournal) -> None:
    """Pins from where and how many; there is nothing behind the head."""
    assert [1, 2, 3, 4, 5] == [event.sequence for event in journal.read(0)]
    assert [3, 4] == [event.sequence for event in journal.read(2, 2)]
    assert [] == list(journal.read(5))
    assert 5 == journal.head().sequence


def test_an_event_is_found_by_its_key_and_its_order(journal: SqliteJournal) -> None:
    """Pins both indexes."""
    found = journal.find_all([transfer_key("t1")]).get(transfer_key("t1"))
    assert found is not None
    assert 3 == found.sequence
    assert journal.find_all([transfer_key("t2"), order_key("cash", "t1")]) == {}
    assert [2, 4] == [event.sequence for event in journal.events_of_order(2)]
    assert [] == journal.events_of_order(3)


def test_a_commit_adds_one_link_over_epoch_and_bodies(journal: SqliteJournal) -> None:
    """Pins the chain's definition, that an empty batch adds nothing, and that it is the same when read again."""
    first = link(HASH_OF_NOTHING, 1, [entry(1).body, entry(2, "2").body, entry(3, key="t1").body])
    expected = Head(5, link(first, 1, [entry(4, "2").body, entry(5, "4").body]))
    assert expected == journal.head() == journal.append([]) == journal.verify()
    with closing(sqlite3.connect(path_of(journal))) as db:
        assert [(3, first), (5, expected.hash)] == db.execute("SELECT last_sequence, hash FROM batches").fetchall()


@pytest.mark.parametrize("sequence", [5, 7])
def test_an_event_that_does_not_follow_is_refused(journal: SqliteJournal, sequence: int) -> None:
    """Pins that a journal has no gap and no overlap."""
    with pytest.raises(CommitFailedError, match=f"event {sequence} does not follow 5"):
        journal.append([entry(sequence)])
    assert 5 == journal.verify().sequence


@pytest.mark.control("duplicate-ids")
def test_a_key_is_used_up_for_ever(journal: SqliteJournal) -> None:
    """Pins that the store itself refuses the second use, and keeps nothing of that batch."""
    with pytest.raises(CommitFailedError, match="UNIQUE"):
        journal.append([entry(6), entry(7, key="t1")])
    journal.close()
    with closing(SqliteJournal(path_of(journal))) as again:
        assert 5 == again.verify().sequence


@pytest.mark.control("one-writer")
def test_a_second_opener_fences_the_first(journal: SqliteJournal) -> None:
    """Pins that a zombie cannot write, and the newer writer can."""
    with closing(SqliteJournal(path_of(journal))) as newer:
        assert (1, 2, journal.head()) == (journal.epoch, newer.epoch, newer.head())
        with pytest.raises(EpochFencedError, match="epoch 1 was fenced by epoch 2"):
            journal.append([entry(6)])
        newer.append([entry(6)])
        assert 6 == newer.verify().sequence


@pytest.mark.control("records")
@pytest.mark.parametrize(
    "tampering",
    [
        pytest.param("UPDATE events SET body = x'0801' WHERE sequence = 2", id="changed body"),
        pytest.param("DELETE FROM events WHERE sequence = 2", id="removed event"),
        pytest.param("DELETE FROM events WHERE sequence = 5", id="removed last event"),
        pytest.param("UPDATE events SET epoch = 2 WHERE sequence = 4", id="an event's epoch"),
        pytest.param("UPDATE batches SET epoch = 2 WHERE last_sequence = 5", id="a batch's epoch"),
        pytest.param("UPDATE batches SET hash = zeroblob(32) WHERE last_sequence = 5", id="changed hash"),
        pytest.param("DELETE FROM batches WHERE last_sequence = 3", id="removed batch"),
        pytest.param("DELETE FROM batches WHERE last_sequence = 5", id="removed last batch"),
        pytest.param("INSERT INTO events VALUES (6, 0, 1, 'x', NULL, NULL, x'')", id="added event"),
        pytest.param("UPDATE events SET sequence = 9 WHERE sequence = 5", id="moved event"),
    ],
)
def test_a_changed_journal_is_detected(journal: SqliteJournal, tampering: str) -> None:
    """Pins that the chain covers bodies, places, epochs and batches."""
    with closing(sqlite3.connect(path_of(journal))) as db, db:
        db.execute(tampering)
    with pytest.raises(JournalError, match=str(path_of(journal))):
        journal.verify()


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


@pytest.mark.control("records")
def test_a_changed_event_stops_the_start(desk: Desk) -> None:
    """Pins that the hash chain is verified before anything is folded."""
    with closing(sqlite3.connect(desk.path)) as db, db:
        db.execute("UPDATE events SET body = x'ff' WHERE sequence = 2")
    with pytest.raises(JournalError, match="hash chain breaks"):
        desk.restarted()


def acknowledged(desk: Desk) -> risk_pb2.AcknowledgeAlertRequest:
    """Write that somebody has seen the newest alert."""
    return risk_pb2.AcknowledgeAlertRequest(alert_sequence=desk.alerts()[0].sequence, operator="ann")


@pytest.mark.control("continuity")
def test_a_restart_gives_the_same_state_to_the_byte(desk: Desk) -> None:
    """Pins replay over every kind of event; the restarted gate then goes on as the first one would have."""
    desk.hold("cash", "100", "99.97")
    desk.hold("margin", "-150", "100.03")
    working = desk.order("cash", BUY, "7", "A")
    order_id = desk.submit(working).order_id
    desk.claim(order_id)
    desk.fill(order_id, "3", "100.5", fee="0.07")
    desk.cancel(working)
    desk.report(desk.execution(desk.buy("cash", "5", "B").order_id, CANCELED))
    desk.buy("cash", "100000")
    orphan = desk.trade("", "2", "19.5")
    orphan.symbol, orphan.side = "F", BUY
    desk.report(orphan, bar_sequence=desk.book.last_bar_sequence)
    pause = admin_pb2.PauseStrategyRequest(strategy_id="margin", operator="ann", reason="odd")
    desk.ask("PauseStrategy", pause, admin_pb2.PauseStrategyResponse)
    move = admin_pb2.TransferCapitalRequest(
        transfer_id="t1", to_strategy_id="cash", amount="123.45", operator="ann", reason="plan"
    )
    desk.ask("TransferCapital", move, admin_pb2.TransferCapitalResponse)
    replaced = desk.order("cash", BUY, "20", "A")
    replaced_id = desk.submit(replaced).order_id
    desk.replace(desk.replacement(replaced, "25"))
    fill = desk.trade(replaced_id, "4", "100.33", fee="0.01")
    desk.report(desk.execution(replaced_id, REPLACED), fill, desk.correction(fill, "3", "100.3"))
    desk.replace(desk.replacement(replaced, "30"))
    desk.report(desk.bust(orphan))
    desk.deposit("77.77")
    desk.withdraw("0.01")
    desk.open_session("s1")
    desk.tick(31)
    desk.close_session("s1")
    desk.ask("AcknowledgeAlert", acknowledged(desk), risk_pb2.AcknowledgeAlertResponse)
    desk.cancel_all(strategy_scope("cash"))
    desk.halt(strategy_scope("margin"), common_pb2.HALT_LEVEL_REDUCE_ONLY)
    desk.price(1.5, A="101.01")
    desk.bar(2, A="97.77", B="51")
    before = desk.state()
    restarted = desk.restarted()
    assert before == restarted.state()
    assert desk.book.equity == restarted.book.equity
    assert desk.gate.journal.head() == restarted.gate.journal.head()
    assert (desk.book.sessions, desk.book.awaiting.keys()) == (restarted.book.sessions, restarted.book.awaiting.keys())
    assert desk.book.orders == restarted.book.orders
    order = desk.order("cash", BUY, "1", "B")
    decided = restarted.gate.engine.decide(order, restarted.book.time_ns)
    assert desk.gate.engine.decide(order, desk.book.time_ns).events == decided.events
