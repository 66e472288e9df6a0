"""Recovery: the newest snapshot that fits and the events after it, or every event."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.builders import Desk, action, configuration, instrument_scope
from tests.unit.conftest import OpenDesk
from tidegate.clocks import bar_clock
from tidegate.errors import JournalError
from tidegate.gate import Gate
from tidegate.journal.contract import BEGINNING, Head
from tidegate.journal.recorded import RecordedJournal
from tidegate.journal.snapshots import Snapshot
from tidegate.journal.sqlite_reader import SqliteReader
from tidegate.state.differences import differences, state_digest
from tidegate.state.recovery import resume, take_snapshot


def snapshot(desk: Desk) -> Head:
    """Take a snapshot of a desk's journal from outside."""
    taken = take_snapshot(RecordedJournal(SqliteReader(desk.path)))
    assert taken is not None
    return taken


def trade(desk: Desk) -> None:
    """Let something happen."""
    desk.hold("cash", "1", "100")


def change(path: Path, statement: str, *parameters: int) -> None:
    """Change the journal's file behind its back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        assert db.execute(statement, parameters).rowcount


def restart(desk: Desk) -> Desk:
    """Come back, and be what the desk was."""
    desk.gate.journal.close()
    again = desk.reopened()
    assert [] == differences(desk.gate.engine, again.gate.engine)
    assert state_digest(desk.gate.engine) == state_digest(again.gate.engine)
    desk.gate = again.gate
    return again


@pytest.mark.control("continuity")
def test_a_gate_goes_on_from_the_newest_snapshot(desk: Desk) -> None:
    """Pins that only the tail is read, and that what was decided then is decided now."""
    trade(desk)
    desk.halt(instrument_scope("B"))
    taken = snapshot(desk)
    assert desk.gate.journal.head() == taken
    assert None is take_snapshot(RecordedJournal(SqliteReader(desk.path)))
    trade(desk)
    again = restart(desk)
    assert (taken, ()) == again.gate.recovery
    assert taken.sequence + 1 == again.gate.recent[0].sequence
    assert "TRADING_HALTED" == again.buy("cash", "1", "B").reason_code
    assert "ALLOW" == action(again.buy("cash", "1"))


def test_a_snapshot_is_taken_from_the_one_before(desk: Desk) -> None:
    """Pins that a second one, and one from the first event on, are the same to the byte."""
    trade(desk)
    snapshot(desk)
    trade(desk)
    taken = snapshot(desk)
    from_the_one_before = desk.gate.journal.snapshots.load(taken.sequence)
    assert taken == take_snapshot(RecordedJournal(SqliteReader(desk.path)), anew=True)
    assert from_the_one_before == desk.gate.journal.snapshots.load(taken.sequence)


def test_who_wants_it_reads_every_event(desk: Desk) -> None:
    """Pins the start that trusts no snapshot."""
    snapshot(desk)
    gate = Gate(desk.gate.journal, bar_clock)
    gate.start(desk.configured, whole=True)
    assert (BEGINNING, ()) == gate.recovery
    assert state_digest(desk.gate.engine) == state_digest(gate.engine)


def test_a_damaged_snapshot_is_refused_and_the_one_before_used(desk: Desk) -> None:
    """Pins the reason that the log gets, and that the state is the same."""
    first = snapshot(desk)
    trade(desk)
    second = snapshot(desk)
    snapshots = desk.gate.journal.snapshots
    snapshots.save(second.sequence, snapshots.load(second.sequence)[:-1])
    again = restart(desk)
    assert first == again.gate.recovery.head
    assert (f"snapshot {second.sequence}: it is damaged, or of another format",) == again.gate.recovery.refused


def test_snapshots_of_another_version_or_journal_are_refused(desk: Desk) -> None:
    """Pins that every event is folded then."""
    taken = snapshot(desk)
    snapshots = desk.gate.journal.snapshots
    found = Snapshot.from_bytes(snapshots.load(taken.sequence))
    snapshots.save(taken.sequence, found._replace(version="0").to_bytes())
    elsewhere = found._replace(head=Head(99, bytes(32)))
    snapshots.save(99, elsewhere.to_bytes())
    again = restart(desk)
    assert BEGINNING == again.gate.recovery.head
    newer, older = again.gate.recovery.refused
    assert "snapshot 99: it was taken at no place of this journal" == newer
    assert f"snapshot {taken.sequence}: it is of version 0" in older


def test_a_snapshot_whose_state_cannot_be_read_is_refused(desk: Desk) -> None:
    """Pins that a whole snapshot of nonsense stops nothing."""
    taken = snapshot(desk)
    snapshots = desk.gate.journal.snapshots
    found = Snapshot.from_bytes(snapshots.load(taken.sequence))
    snapshots.save(taken.sequence, found._replace(state=b"nonsense").to_bytes())
    assert "this is no state" in restart(desk).gate.recovery.refused[0]


@pytest.mark.control("records")
@pytest.mark.parametrize("sequence", [3, 5])
def test_the_chain_is_verified_from_the_snapshot_on(open_desk: OpenDesk, sequence: int) -> None:
    """Pins that a changed event after the snapshot is found, and one before it by whoever reads them all."""
    desk = open_desk(configuration())
    desk.bar(1, A="100", B="50", F="20")
    desk.buy("cash", "1")
    snapshot(desk)
    desk.buy("cash", "2")
    desk.buy("cash", "3")
    desk.gate.journal.close()
    other = "(SELECT body FROM events WHERE sequence = 4)"
    change(desk.path, f"UPDATE events SET body = {other} WHERE sequence = ?", sequence)  # noqa: S608 -- our own
    if sequence == 5:
        with pytest.raises(JournalError, match="the hash chain breaks between events 5 and 5"):
            desk.reopened()
    else:
        assert 5 == desk.reopened().book.sequence
    with pytest.raises(JournalError, match=f"the hash chain breaks between events {sequence} and {sequence}"):
        take_snapshot(RecordedJournal(SqliteReader(desk.path)), anew=True)


def test_events_in_no_batch_are_found_behind_a_snapshot(desk: Desk) -> None:
    """Pins the journal's end."""
    snapshot(desk)
    desk.gate.journal.close()
    change(desk.path, "INSERT INTO events SELECT sequence + 9, time_ns, epoch, kind, NULL, NULL, body FROM events")
    with pytest.raises(JournalError, match="are in no batch"):
        desk.reopened()


def test_nothing_is_resumed_where_there_is_no_snapshot(desk: Desk) -> None:
    """Pins the beginning."""
    assert (BEGINNING, ()) == resume(desk.gate.engine, RecordedJournal(SqliteReader(desk.path)))
