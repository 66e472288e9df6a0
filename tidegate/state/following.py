"""Where whoever follows a journal to report its sessions begins: at the newest snapshot that passes none over."""

from typing import NamedTuple

from tidegate.journal.contract import BEGINNING, NOTHING_ARCHIVED, Head, Reader
from tidegate.journal.recorded import RecordedJournal
from tidegate.journal.reports import ReportStore
from tidegate.portfolio.session_end import BEGUN, Course, FollowedBook
from tidegate.risk.engine import Engine
from tidegate.state.classes import NoPast
from tidegate.state.recovery import resume


class Beginning(NamedTuple):
    """
    A followed book, and the place that it stands at.

    ended_by: the event that ended the newest session before it. skipped: the same, where sessions up to it have left
    for an archive without a report; else 0. refused: why newer snapshots did not fit.
    """

    followed: FollowedBook
    head: Head
    ended_by: int = 0
    skipped: int = 0
    refused: tuple[str, ...] = ()


def begin(reader: Reader, reports: ReportStore) -> Beginning:
    """
    Begin as if every event had been read: at the newest snapshot whose sessions all have their report.

    Without one it is the first event. When that is archived, it is the oldest snapshot that fits, and what was made
    begins anew.
    """
    known, before = reports.newest_recorded(), None
    refused: tuple[str, ...] = ()
    oldest: tuple[Engine, Head] | None = None
    while True:
        engine = Engine(NoPast())
        head, unfit = resume(engine, RecordedJournal(reader), before)
        refused += unfit
        if head == BEGINNING:
            break
        ended_by = engine.book.strategy_returns.closed_by
        kept = reports.course(ended_by)
        if not ended_by or (ended_by <= known and kept is not None):
            course = BEGUN if kept is None else Course.from_text(kept)
            return Beginning(FollowedBook(engine.book, course), head, ended_by, refused=refused)
        oldest, before = (engine, head), head.sequence
    if oldest is None or reader.archived() == NOTHING_ARCHIVED:
        return Beginning(FollowedBook(), BEGINNING, refused=refused)
    engine, head = oldest
    ended_by = engine.book.strategy_returns.closed_by
    newest = reports.course(known)
    worst = BEGUN if newest is None else BEGUN._replace(max_drawdown=Course.from_text(newest).max_drawdown)
    skipped = ended_by if ended_by > known else 0
    return Beginning(FollowedBook(engine.book, worst), head, ended_by, skipped, refused)
