"""Archiving: the journal gets shorter, and nothing that is asked of it is answered otherwise."""

from pathlib import Path

import pytest

from tests.unit.builders import BUY, NEW, Desk, action, configuration, instrument
from tests.unit.journal.stores import change
from tests.unit.risk.test_instrument_changes import upsert
from tests.unit.risk.test_lifecycle import remove
from tests.unit.test_strategy_runner import complete, live, next_bar, saver
from tidegate.clocks import bar_clock
from tidegate.errors import JournalError, RefusedError
from tidegate.gate import Gate, Request
from tidegate.history import read_history, read_past
from tidegate.journal.contract import BEGINNING
from tidegate.journal.location import Location, open_reader
from tidegate.journal.reading import verified, verify, with_keys_checked
from tidegate.journal.recorded import RecordedJournal
from tidegate.journal.segments import Archive, open_whole
from tidegate.state.archiving import archive
from tidegate.state.differences import differences
from tidegate.state.recovery import take_snapshot
from tidegate.v1 import actors_pb2, admin_pb2, journal_pb2


@pytest.fixture
def busy(location: Location, tmp_path: Path) -> Desk:
    """Trade by prices, with an order that works and one that is done; in either store."""
    desk = Desk(tmp_path / "unused.db", configuration(), location=location)
    for day in range(1, 11):
        desk.price(day, A=str(100 + day), B="50", F="20")
    desk.hold("cash", "2", "110")
    desk.submit(desk.order("cash", BUY, "1", "A"))
    for day in range(11, 21):
        desk.price(day, A=str(100 + day), B="50", F="20")
    return desk


def location_of(desk: Desk) -> Location:
    """Return where a desk's journal is."""
    return desk.location or desk.path


def move(desk: Desk, until: int, folder: Path) -> int:
    """Archive behind a snapshot; return how many events have left."""
    reader = open_reader(location_of(desk))
    take_snapshot(RecordedJournal(reader))
    return archive(desk.gate.journal, reader, until, folder)[1]


def restarted(desk: Desk) -> Desk:
    """Come back as what it was."""
    desk.gate.journal.close()
    again = desk.reopened()
    assert [] == differences(desk.gate.engine, again.gate.engine)
    return again


@pytest.mark.control("records", "continuity")
def test_events_leave_and_everything_is_answered_as_before(busy: Desk, tmp_path: Path) -> None:
    """Pins once-only ids, orders of every age, fills and busts, and that the gate goes on; twice in a row."""
    order = busy.order("cash", BUY, "3", "A")
    first = busy.submit(order)
    fill = busy.trade(first.order_id, "3", "120")
    (booked,) = busy.report(fill)
    before, found = len(busy.events()), busy.found(order.client_order_id)
    left = move(busy, 14, tmp_path / "archive") + move(busy, busy.book.sequence, tmp_path / "archive")
    assert (20, before - 20) == (left, len(busy.events()))
    again = restarted(busy)
    assert (first, found) == (again.submit(order), again.found(order.client_order_id))
    assert [booked] == again.report(fill)
    assert again.report(again.bust(fill)) == [again.book.sequence]
    assert "0" == again.conserved()
    again.gate.journal.close()


def test_the_chain_is_verified_through_archive_and_journal(busy: Desk, tmp_path: Path) -> None:
    """Pins the head, the index of ids, a state folded from both, and that the journal alone says where the rest is."""
    folder = tmp_path / "archive"
    move(busy, 12, folder)
    reader = open_reader(location_of(busy))
    with pytest.raises(JournalError, match="EVENT_ARCHIVED: events up to 12 are in the archive"):
        verify(reader)
    whole = open_whole(reader, folder)
    assert busy.gate.journal.head() == verify(whole)
    assert list(with_keys_checked(whole, verified(whole)))
    assert busy.gate.journal.head() == take_snapshot(RecordedJournal(whole), anew=True)
    restarted(busy).gate.journal.close()


def test_a_change_in_archive_or_journal_is_found(busy: Desk, tmp_path: Path) -> None:
    """Pins a segment cut short, and an event that was kept and changed."""
    folder = tmp_path / "archive"
    move(busy, 14, folder)
    reader = open_reader(location_of(busy))
    change(location_of(busy), "UPDATE events SET body = {0} WHERE sequence = 12")
    with pytest.raises(JournalError, match="event 12 is not what was archived"):
        verify(open_whole(reader, folder))
    (segment,) = folder.iterdir()
    segment.write_bytes(segment.read_bytes()[:-20])
    with pytest.raises(JournalError, match="cannot read the segment"):
        verify(open_whole(reader, folder))


def test_nothing_leaves_that_is_needed(busy: Desk, tmp_path: Path) -> None:
    """Pins the refusals: no snapshot behind it, another folder's archive, nothing to move."""
    reader = open_reader(location_of(busy))
    with pytest.raises(JournalError, match="no snapshot lies behind event 5: the newest is of event 0"):
        archive(busy.gate.journal, reader, 5, tmp_path / "archive")
    move(busy, 12, tmp_path / "archive")
    with pytest.raises(JournalError, match="ends with event 0, and the journal was archived up to 12"):
        archive(busy.gate.journal, reader, 13, tmp_path / "other")
    with pytest.raises(JournalError, match="no batch ends between events 13 and 12"):
        archive(busy.gate.journal, reader, 12, tmp_path / "archive")


def test_a_strategys_history_stays_until_it_has_saved_its_state(desk: Desk, tmp_path: Path) -> None:
    """Pins what whoever archives is told."""
    first = saver(desk)
    live(desk, first, range(1, 3))
    with pytest.raises(JournalError, match="events after 0 are still needed: strategy cash comes back from there"):
        move(desk, 5, tmp_path / "archive")
    live(desk, first, range(3, 5), saved_on=3)
    bound = desk.book.saved_sequences["cash"]
    with pytest.raises(JournalError, match=f"events after {bound} are still needed"):
        move(desk, bound + 1, tmp_path / "archive")
    assert move(desk, bound, tmp_path / "archive")


def test_a_strategy_whose_state_is_of_no_use_lives_through_the_archive(desk: Desk, tmp_path: Path) -> None:
    """Pins its whole history, page by page, before and after; without the archive the refusal that names it."""
    live(desk, saver(desk), range(1, 5), saved_on=3)
    before = history(desk)
    assert move(desk, desk.book.saved_sequences["cash"], tmp_path / "archive")
    assert before == history(desk)
    (segment,) = (tmp_path / "archive").iterdir()
    segment.rename(tmp_path / "elsewhere")
    with pytest.raises(RefusedError, match="are in the archive"):
        history(desk)


def history(desk: Desk) -> list[journal_pb2.Event]:
    """Read the cash strategy's history from the first event on."""
    found, after = list[journal_pb2.Event](), 0
    while after < desk.book.sequence:
        most = min(after + 7, desk.book.sequence)
        page = actors_pb2.ReadHistoryRequest(strategy_id="cash", after_sequence=after, up_to_sequence=most)
        response = read_history(desk.gate.journal, page)
        found += response.events
        after = response.next_after_sequence
    return found


def test_what_strategies_have_not_seen_yet_stays(busy: Desk, tmp_path: Path) -> None:
    """Pins that before the first bar is completed an instrument that was added still comes with it."""
    assert "" == upsert(busy, instrument("N", multiplier="10"))
    move(busy, busy.book.sequence, tmp_path / "archive")
    again = restarted(busy)
    again.report(*(again.execution(order_id, NEW) for order_id in again.book.awaiting))
    again.bar(21, A="100", B="50")
    own = next_bar(again).strategies[0]
    assert ["N"] == [e.instrument_upserted.instrument.symbol for e in own.events if e.HasField("instrument_upserted")]
    again.gate.journal.close()


def test_a_removed_strategy_needs_no_history(desk: Desk, tmp_path: Path) -> None:
    """Pins that one that never saved a state keeps nothing once it is gone; no process of it comes back."""
    complete(desk, next_bar(desk), [])
    with pytest.raises(JournalError, match="still needed: strategy cash comes back from there"):
        move(desk, desk.book.sequence, tmp_path / "archive")
    desk.ask("RemoveStrategy", remove("cash"), admin_pb2.RemoveStrategyResponse)
    assert move(desk, desk.book.sequence, tmp_path / "archive")


def test_an_archiving_that_was_cut_off_is_finished(busy: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins that a segment whose events are still in the journal is taken up again."""
    with monkeypatch.context() as patch:
        patch.setattr(type(busy.gate.journal), "archive", lambda *_: None)
        move(busy, 12, tmp_path / "archive")
    assert (BEGINNING, busy.book.sequence) == (busy.gate.journal.archived().head, len(busy.events()))
    assert move(busy, 14, tmp_path / "archive")
    assert 12 == busy.gate.journal.archived().head.sequence == Archive(tmp_path / "archive").head().sequence


def test_a_start_without_a_snapshot_that_fits_names_the_archive(busy: Desk, tmp_path: Path) -> None:
    """Pins that no gate ever begins in the middle of its history."""
    move(busy, 12, tmp_path / "archive")
    gate = Gate(busy.gate.journal, bar_clock)
    with pytest.raises(JournalError, match="EVENT_ARCHIVED"):
        gate.start(busy.configured, whole=True)


def test_who_reads_what_has_left_is_told_where_it_is(busy: Desk, tmp_path: Path) -> None:
    """Pins the code and the place; what follows is read as before."""
    move(busy, 12, tmp_path / "archive")
    for after, reason in ((0, "EVENT_ARCHIVED"), (11, "EVENT_ARCHIVED"), (12, "")):
        request = admin_pb2.ReadJournalRequest(after_sequence=after)
        reply = read_past(busy.gate.journal, Request("ReadJournal", request.SerializeToString()))
        assert (reason, bool(reason)) == (reply.reason, str(tmp_path / "archive") in reply.text)
    assert "ALLOW" == action(busy.buy("cash", "1"))
