"""Reading the durable past, page by page, off the engine's thread: for strategies, streams and auditors."""

from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError, Message

from tidegate.errors import JournalError, RefusedError
from tidegate.gate import Reply, Request
from tidegate.journal.contract import ALERTS_TOPIC, BARS_TOPIC, Journal
from tidegate.journal.reports import ReportFile
from tidegate.journal.segments import Archive
from tidegate.permissions import admit
from tidegate.publications import alerts_message, bar_message
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.strategy_book import strategies_of
from tidegate.v1 import actors_pb2, admin_pb2, journal_pb2, risk_pb2

_EVENTS_MAX = 5_000
_EVENTS_DEFAULT = 1_000
_BARS_MAX = 100
# A page stays well below what one message may carry.
_PAGE_BYTES_MAX = 2 * 1024 * 1024
_FOR_EVERY_STRATEGY = frozenset({"bar_published", "bar_completed", "instrument_upserted"})
_REPORTS_MAX = 1_000
_REPORTS_DEFAULT = 100
# A token is a sequence, of at most 64 bits.
_PAGE_TOKEN_LENGTH_MAX = 19


def read_history(journal: Journal, request: actors_pb2.ReadHistoryRequest) -> actors_pb2.ReadHistoryResponse:
    """
    Give one strategy a bounded part of what it missed: every bar, and its own events.

    What has left the journal comes from its archive: a strategy whose saved state is of no use has no other way back.
    """
    response = actors_pb2.ReadHistoryResponse(next_after_sequence=request.up_to_sequence)
    most = min(_EVENTS_MAX, max(request.up_to_sequence - request.after_sequence, 0))
    for event in _archived(journal, request.after_sequence, most) or journal.read(request.after_sequence, most):
        response.next_after_sequence = event.sequence
        if event.WhichOneof("body") in _FOR_EVERY_STRATEGY or request.strategy_id in strategies_of(event):
            response.events.append(_own_part(event, request.strategy_id))
    return response


def _archived(journal: Journal, after: int, most: int) -> list[journal_pb2.Event]:
    """Read events from the archive, as far as it goes; none where the journal has what follows."""
    until, place = journal.archived()
    if after >= until.sequence:
        return []
    try:
        stored = chain.from_iterable(batch.events for batch in Archive(Path(place)).stored(after))
        found = list(islice((one for one in stored if one.sequence > after), most))
    except JournalError as error:
        raise RefusedError(Reason.EVENT_ARCHIVED, str(error)) from error
    if [one.sequence for one in found] != list(range(after + 1, after + 1 + max(len(found), 1))):
        _require(journal, after)
    return [journal_pb2.Event.FromString(one.body) for one in found]


def _require(journal: Journal, after: int) -> None:
    """Refuse to read from where the journal was archived: what is asked for would come with gaps."""
    until, place = journal.archived()
    if after < until.sequence:
        text = f"events up to {until.sequence} are in the archive {place}; ask for those after it, or read the archive"
        raise RefusedError(Reason.EVENT_ARCHIVED, text, field="after_sequence")


def _own_part(event: journal_pb2.Event, strategy_id: str) -> journal_pb2.Event:
    """Leave out of a bar's end what other strategies have saved."""
    if not event.HasField("bar_completed") or not event.bar_completed.states:
        return event
    own = [state for state in event.bar_completed.states if state.strategy_id == strategy_id]
    part = journal_pb2.Event.FromString(event.SerializeToString())
    del part.bar_completed.states[:]
    part.bar_completed.states.extend(own)
    return part


def read_topic(journal: Journal, request: actors_pb2.ReadTopicRequest) -> actors_pb2.ReadTopicResponse:
    """Give a stream what was published on its topic before; nothing when there is no more."""
    _require(journal, request.after_sequence)
    response = actors_pb2.ReadTopicResponse(head_sequence=journal.head().sequence)
    for event in journal.read_topic(request.topic, request.after_sequence, _BARS_MAX):
        message: Message = _STREAMED[request.topic](event)
        response.messages.add(sequence=event.sequence, body=message.SerializeToString())
        if response.ByteSize() > _PAGE_BYTES_MAX:
            break
    return response


def read_journal(journal: Journal, request: admin_pb2.ReadJournalRequest) -> admin_pb2.ReadJournalResponse:
    """Give an auditor a part of the journal as it was recorded."""
    _require(journal, request.after_sequence)
    head = journal.head()
    response = admin_pb2.ReadJournalResponse(
        next_after_sequence=head.sequence, head_sequence=head.sequence, head_hash=head.hash
    )
    size, most = 0, min(request.page_size or _EVENTS_DEFAULT, _EVENTS_MAX)
    for event in journal.read(request.after_sequence, most):
        body = event.SerializeToString()
        size += len(body)
        if event.sequence > head.sequence or (response.events and size > _PAGE_BYTES_MAX):
            break
        response.events.append(body)
        response.next_after_sequence = event.sequence
    return response


def list_reports(
    reports: ReportFile | None, request: risk_pb2.ListRiskReportsRequest
) -> risk_pb2.ListRiskReportsResponse:
    """Show the reports of a period, page by page; a token is the last one's sequence."""
    if reports is None:
        raise RefusedError(Reason.REPORTS_UNAVAILABLE, Reason.REPORTS_UNAVAILABLE.meaning)
    token = request.page_token
    if token and not (token.isascii() and token.isdigit() and len(token) <= _PAGE_TOKEN_LENGTH_MAX):
        text = f"page_token is {door.shown(token)}, which the gate never gave out"
        raise RefusedError(Reason.PAGE_TOKEN_INVALID, text, field="page_token")
    begin_ns = door.time_ns(request.begin, "begin") if request.HasField("begin") else 0
    end_ns = door.time_ns(request.end, "end") if request.HasField("end") else None
    most = min(request.page_size or _REPORTS_DEFAULT, _REPORTS_MAX)
    found = reports.read(begin_ns, end_ns, int(token) if token else None, most + 1, newest_first=request.newest_first)
    response, size = risk_pb2.ListRiskReportsResponse(), 0
    for count, body in enumerate(found):
        size += len(body)
        if count == most or (response.reports and size > _PAGE_BYTES_MAX):
            response.next_page_token = str(response.reports[-1].end_sequence)
            break
        response.reports.add().ParseFromString(body)
    return response


_STREAMED: dict[str, Callable[[Any], Message]] = {
    BARS_TOPIC: lambda event: bar_message(event.bar_published, event.sequence, event.sequence),
    ALERTS_TOPIC: lambda event: alerts_message([event], event.sequence),
}


class HistoryMethod(NamedTuple):
    """A method's request type, and what answers it from the journal alone; of_reports: from the reports beside it."""

    request_type: type[Any]
    answer: Callable[[Any, Any], Message]
    of_reports: bool = False


HISTORY = {
    "ReadHistory": HistoryMethod(actors_pb2.ReadHistoryRequest, read_history),
    "ReadTopic": HistoryMethod(actors_pb2.ReadTopicRequest, read_topic),
    "ReadJournal": HistoryMethod(admin_pb2.ReadJournalRequest, read_journal),
    "ListRiskReports": HistoryMethod(risk_pb2.ListRiskReportsRequest, list_reports, of_reports=True),
}


def read_past(journal: Journal, request: Request, reports: ReportFile | None = None) -> Reply:
    """
    Answer one request from what is durable. Safe on any thread: each read opens a connection of its own.

    reports: where they are kept; None where none are made.
    """
    method = HISTORY.get(request.method)
    if method is None:
        return Reply(b"", Reason.METHOD_UNKNOWN, Reason.METHOD_UNKNOWN.meaning)
    try:
        message = method.request_type.FromString(request.body)
    except DecodeError:
        return Reply(b"", Reason.MESSAGE_MALFORMED, f"the bytes are not a {method.request_type.__name__}")
    try:
        admit(request.caller, request.method, message)
        return Reply(method.answer(reports if method.of_reports else journal, message).SerializeToString())
    except RefusedError as refusal:
        return Reply(b"", refusal.reason, refusal.text, refusal.field)
