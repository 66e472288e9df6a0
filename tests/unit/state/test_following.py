"""Where a reporter begins: behind what was reported, from a snapshot, as if it had read every event."""

from pathlib import Path

import pytest

from tests.unit.builders import Desk, configuration
from tests.unit.conftest import OpenDesk
from tidegate.errors import JournalError
from tidegate.journal.contract import BEGINNING, Head
from tidegate.journal.location import open_reader
from tidegate.journal.reading import batches
from tidegate.journal.recorded import RecordedJournal
from tidegate.journal.reports import ReportStore
from tidegate.journal.segments import open_whole
from tidegate.portfolio.session_end import FollowedBook, SessionEnd
from tidegate.state.archiving import archive
from tidegate.state.following import Beginning, begin
from tidegate.state.recovery import take_snapshot


@pytest.fixture
def reports(tmp_path: Path) -> ReportStore:
    """Open the file of the reports."""
    return ReportStore(tmp_path / "reports.db")


def live(desk: Desk, begin: int, end: int) -> None:
    """Let days pass, up and down, with a deposit on every third one."""
    for day in range(begin, end):
        desk.price(day, A=str(100 + 7 * (day % 4)), B="50")
        if day % 3 == 0:
            desk.deposit("1000", f"d{day}")
        desk.price(day + 0.3, A=str(101 + 7 * (day % 4)))


def snapshot(desk: Desk) -> Head:
    """Take a snapshot from outside."""
    taken = take_snapshot(RecordedJournal(open_reader(desk.path)))
    assert taken is not None
    return taken


def follow(desk: Desk, begun: Beginning, archive: Path | None = None) -> list[tuple[SessionEnd, str]]:
    """Read on to the journal's end; return each session's end, with what is to be kept of it."""
    reader = open_reader(desk.path)
    read = batches(reader if archive is None else open_whole(reader, archive), begun.head)
    events = (event for _, events in read for event in events)
    ends = ((begun.followed.take(event), event) for event in events)
    return [(end, begun.followed.course.to_text()) for end, _ in ends if end is not None]


def report(desk: Desk, reports: ReportStore) -> list[int]:
    """Report every session that nobody has, as a reporter that begins now; return which were new."""
    known = reports.newest_recorded()
    ends = follow(desk, begin(open_reader(desk.path), reports))
    for end, course in ends:
        reports.keep_course(end.end_sequence, course)
        if reports.find(end.end_sequence) is None:
            reports.add(end.end_sequence, end.session_ns, b"")
        reports.note_recorded(end.end_sequence)
    return [end.end_sequence for end, _ in ends if end.end_sequence > known]


def whole(desk: Desk, archive: Path | None = None) -> list[tuple[SessionEnd, str]]:
    """Read every session from the first event on, which may be in an archive."""
    return follow(desk, Beginning(FollowedBook(), BEGINNING), archive)


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    """Open a desk that lives on prices: no bar has to be completed before it may be archived."""
    opened = open_desk(configuration())
    opened.price(1, A="100", B="50")
    return opened


@pytest.fixture
def lived(desk: Desk) -> Desk:
    """Hold something, and live through six sessions."""
    desk.hold("cash", "100", "100")
    live(desk, 2, 8)
    return desk


def test_from_a_snapshot_every_session_is_what_it_is_from_the_first_event(lived: Desk, reports: ReportStore) -> None:
    """Pins equity, what was moved since, what was made and the worst drawdown, in the middle of a session."""
    report(lived, reports)
    lived.deposit("500", "before the snapshot")
    taken = snapshot(lived)
    lived.withdraw("200", "behind it")
    live(lived, 8, 12)
    begun = begin(open_reader(lived.path), reports)
    assert (taken, taken.sequence, 0) == (begun.head, begun.followed.book.sequence, begun.skipped)
    assert whole(lived)[-4:] == follow(lived, begun)


def test_what_was_not_reported_when_the_snapshot_was_taken_is_made_up_for(lived: Desk, reports: ReportStore) -> None:
    """Pins that an older snapshot is taken then, or the first event: no session is passed over."""
    snapshot(lived)
    assert BEGINNING == begin(open_reader(lived.path), reports).head
    assert len(whole(lived)) == len(report(lived, reports))
    lived.deposit("1", "one")
    before = snapshot(lived)
    live(lived, 8, 10)
    snapshot(lived)
    assert before == begin(open_reader(lived.path), reports).head
    assert [end.end_sequence for end, _ in whole(lived)[-2:]] == report(lived, reports)


def test_a_report_that_was_kept_and_not_recorded_is_told_again(lived: Desk, reports: ReportStore) -> None:
    """Pins a reporter that died in between: what the journal does not know is not behind it."""
    end, course = whole(lived)[-1]
    reports.keep_course(end.end_sequence, course)
    reports.add(end.end_sequence, end.session_ns, b"")
    taken = snapshot(lived)
    assert BEGINNING == begin(open_reader(lived.path), reports).head
    reports.note_recorded(end.end_sequence)
    assert taken == begin(open_reader(lived.path), reports).head


def test_before_the_first_session_ended_any_snapshot_will_do(desk: Desk, reports: ReportStore) -> None:
    """Pins a first day that is longer than a snapshot's period."""
    taken = snapshot(desk)
    live(desk, 2, 5)
    begun = begin(open_reader(desk.path), reports)
    assert taken == begun.head
    assert whole(desk) == follow(desk, begun)


def test_a_snapshot_that_does_not_fit_is_named_and_the_next_one_is_taken(lived: Desk, reports: ReportStore) -> None:
    """Pins damage, which costs time and nothing else."""
    report(lived, reports)
    first = snapshot(lived)
    lived.deposit("1", "one")
    lived.gate.journal.snapshots.save(lived.book.sequence, b"damaged")
    begun = begin(open_reader(lived.path), reports)
    assert (first, 1) == (begun.head, len(begun.refused))


class TestArchived:
    """The first events are in an archive."""

    def test_a_reporter_that_had_reported_goes_on_as_before(
        self, lived: Desk, reports: ReportStore, tmp_path: Path
    ) -> None:
        """Pins the same figures as of the events before they left."""
        report(lived, reports)
        taken = snapshot(lived)
        archive(lived.gate.journal, open_reader(lived.path), taken.sequence, tmp_path / "archive")
        live(lived, 8, 12)
        begun = begin(open_reader(lived.path), reports)
        assert (taken, 0) == (begun.head, begun.skipped)
        assert whole(lived, tmp_path / "archive")[-4:] == follow(lived, begun)

    def test_sessions_that_left_unreported_are_counted_out_and_what_was_made_begins_anew(
        self, lived: Desk, reports: ReportStore, tmp_path: Path
    ) -> None:
        """Pins that the gap is told, that no return is made up across it, and that the worst drawdown stays known."""
        report(lived, reports)
        worst = whole(lived)[-1][0].max_drawdown
        live(lived, 8, 11)
        taken = snapshot(lived)
        skipped = whole(lived)[-1][0].end_sequence
        archive(lived.gate.journal, open_reader(lived.path), taken.sequence, tmp_path / "archive")
        live(lived, 11, 14)
        begun = begin(open_reader(lived.path), reports)
        assert (taken, skipped) == (begun.head, begun.skipped)
        first, second, _ = [end for end, _ in follow(lived, begun)]
        assert ((), 1) == (first.portfolio_returns, len(second.portfolio_returns))
        assert worst >= first.max_drawdown
        assert worst < 0
        assert 3 == len(report(lived, reports))
        assert begin(open_reader(lived.path), reports).head == taken

    def test_without_a_snapshot_that_fits_nobody_begins_in_the_middle(
        self, lived: Desk, reports: ReportStore, tmp_path: Path
    ) -> None:
        """Pins that it is said where the events are."""
        taken = snapshot(lived)
        archive(lived.gate.journal, open_reader(lived.path), taken.sequence, tmp_path / "archive")
        lived.gate.journal.snapshots.save(taken.sequence, b"damaged")
        with pytest.raises(JournalError, match="EVENT_ARCHIVED"):
            follow(lived, begin(open_reader(lived.path), reports))
