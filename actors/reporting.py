"""Making the reports of sessions: follows the journal's file, keeps each report, and has it recorded."""

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from structlog.typing import FilteringBoundLogger

from actors.port import Port, UnavailableError
from tidegate.errors import JournalError
from tidegate.gate import Request
from tidegate.journal.contract import BEGINNING
from tidegate.journal.location import Location, open_reader
from tidegate.journal.reading import batches
from tidegate.journal.reports import ReportStore
from tidegate.journal.segments import open_after
from tidegate.permissions import INTERNAL
from tidegate.portfolio.session_end import FollowedBook, SessionEnd
from tidegate.reasons import Reason
from tidegate.report_rules import ReportRules
from tidegate.risk.reports import FINDINGS_MAX
from tidegate.state.following import begin
from tidegate.statistics.session_report import session_report
from tidegate.times import to_datetime, to_stamp
from tidegate.v1 import actors_pb2, common_pb2, journal_pb2, risk_pb2

if TYPE_CHECKING:
    from collections.abc import Generator

_LOOK_PERIOD_S = 1.0
_Finding = tuple[str, int, str]


class Made(NamedTuple):
    """The newest session that ended, and what the journal is to know of its report; None when it knows already."""

    end_sequence: int
    request: actors_pb2.RecordRiskReportRequest | None


class Reporting:
    """
    One report a session, in order; a session that was missed is made up for, from the journal alone.

    It has a book of its own, so nobody is asked for anything, and begins it from a snapshot behind which every session
    was reported. What it makes is kept in a file before the journal hears of it; the two agree again after a crash at
    any point, for both know each session once.
    """

    def __init__(
        self, journal: Location, reports: Path, rules: ReportRules, port: Port, log: FilteringBoundLogger
    ) -> None:
        """
        Stand on a journal and on the reports that were made of it.

        Raises:
            JournalError: there is no such journal, or the reports' file cannot be used, or is another journal's.
        """
        self._rules, self._port, self._log = rules, port, log
        self._reader, self._store = open_reader(journal), ReportStore(reports)
        kept, head = self._store.newest(), self._reader.head().sequence
        if kept > head:
            self._store.close()
            message = (
                f"{reports} has a report of event {kept}, and {self._reader.name} ends with event {head}: "
                "it is of another journal; move it away, and reports are made anew"
            )
            raise JournalError(message)
        self._head = BEGINNING
        self._followed: FollowedBook | None = None
        self._events: Generator[journal_pb2.Event] | None = None
        # What the report before found.
        self._standing: set[_Finding] = set()
        # A connection of the file belongs to one thread.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reports")

    async def run(self) -> None:
        """Make up for what was missed, then follow the journal as it grows."""
        while True:
            await self.catch_up()
            await asyncio.sleep(_LOOK_PERIOD_S)

    async def catch_up(self) -> int:
        """Report every session that has ended by now; return how many were new to the journal."""
        count, loop = 0, asyncio.get_running_loop()
        while (made := await loop.run_in_executor(self._thread, self._next)) is not None:
            if made.request is not None:
                count += await self._record(made.request)
                await loop.run_in_executor(self._thread, self._store.note_recorded, made.end_sequence)
        return count

    async def close(self) -> None:
        """Let what is under way end, and let go of the reports' file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._let_go)
        self._thread.shutdown()

    async def _record(self, request: actors_pb2.RecordRiskReportRequest) -> bool:
        """Have a report recorded, for as long as it takes: told twice it is recorded once."""
        body = request.SerializeToString()
        while True:
            try:
                (reply,) = await self._port.execute([Request("RecordRiskReport", body, INTERNAL)])
            except UnavailableError as error:
                self._log.warning("risk_manager_away", error=str(error))
            else:
                if not reply.reason:
                    return actors_pb2.RecordRiskReportResponse.FromString(reply.body).changed
                self._log.error("report_not_recorded", reason=reply.reason, text=reply.text)
            await asyncio.sleep(_LOOK_PERIOD_S)

    def _let_go(self) -> None:
        if self._events is not None:
            self._events.close()
        self._store.close()

    def _next(self) -> Made | None:
        """Read on to the end of the next session; None at the journal's end."""
        if self._followed is None:
            self._followed = self._begin()
        if self._events is None:
            self._events = self._new_events()
        for event in self._events:
            end = self._followed.take(event)
            if end is not None:
                self._store.keep_course(end.end_sequence, self._followed.course.to_text())
                return self._make(end)
        self._events = None
        return None

    def _begin(self) -> FollowedBook:
        begun = begin(self._reader, self._store)
        for refused in begun.refused:
            self._log.warning("snapshot_refused", reason=refused)
        if begun.skipped:
            self._log.error("sessions_archived_unreported", up_to=begun.skipped, begins_after=begun.head.sequence)
        if (kept := self._store.find(begun.ended_by)) is not None:
            self._standing = set(map(_key, risk_pb2.RiskReport.FromString(kept[0]).findings))
        self._head = begun.head
        self._log.info("begun", after=begun.head.sequence)
        return begun.followed

    def _new_events(self) -> "Generator[journal_pb2.Event]":
        for head, events in batches(open_after(self._reader, self._head.sequence), self._head):
            yield from events
            self._head = head

    def _make(self, end: SessionEnd) -> Made:
        kept = self._store.find(end.end_sequence)
        if kept is not None:
            body, is_recorded = kept
            report = risk_pb2.RiskReport.FromString(body)
        else:
            try:
                report = session_report(end, self._rules)
            except Exception as error:  # noqa: BLE001 -- whatever it is: logged, alerted, and the next session goes on
                return self._failed(end, error)
            body, is_recorded = report.SerializeToString(deterministic=True), False
            self._store.add(end.end_sequence, end.session_ns, body)
        begun = [found for found in report.findings if _key(found) not in self._standing]
        self._standing = set(map(_key, report.findings))
        if is_recorded:
            return Made(end.end_sequence, None)
        reported = _reported(end, hashlib.sha256(body).digest(), len(report.findings))
        return Made(end.end_sequence, actors_pb2.RecordRiskReportRequest(report=reported, begun=_bounded(begun)))

    def _failed(self, end: SessionEnd, error: Exception) -> Made:
        """Have an alert recorded in the place of a report that could not be made."""
        self._log.critical("report_failed", end_sequence=end.end_sequence, exc_info=error)
        day = to_datetime(end.session_ns).date().isoformat()
        text = f"session {day}: its risk report failed: {type(error).__name__}"
        alert = common_pb2.Violation(reason_code=Reason.INTERNAL, text=text)
        alert.scope.kind = common_pb2.SCOPE_KIND_PORTFOLIO
        return Made(
            end.end_sequence,
            actors_pb2.RecordRiskReportRequest(report=_reported(end, b"", 0), begun=[alert]),
        )


def _reported(end: SessionEnd, digest: bytes, findings: int) -> journal_pb2.RiskReported:
    session = to_stamp(end.session_ns)
    return journal_pb2.RiskReported(end_sequence=end.end_sequence, session=session, digest=digest, findings=findings)


def _key(found: common_pb2.Violation) -> _Finding:
    return found.reason_code, found.scope.kind, found.scope.name


def _bounded(begun: list[common_pb2.Violation]) -> list[common_pb2.Violation]:
    """Keep what one message takes; its last entry says how many more the report has."""
    if len(begun) <= FINDINGS_MAX:
        return begun
    more = len(begun) - FINDINGS_MAX + 1
    begun[FINDINGS_MAX - 1].text += f"; and {more - 1} further findings, which are in the report only"
    return begun[:FINDINGS_MAX]
