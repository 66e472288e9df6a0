"""The gate: request bytes in, events durable, reply bytes out. One batch, one commit."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError, Message

from tidegate.archive import Archive
from tidegate.clocks import Clock
from tidegate.configurations import as_begun
from tidegate.errors import BookError, ConfigurationError, JournalError, RefusedError
from tidegate.journal.contract import BEGINNING, Entry, Journal
from tidegate.methods import METHODS, Method
from tidegate.permissions import LOCAL, Caller, admit, counted_as
from tidegate.publications import Publication, publications_of
from tidegate.reasons import Reason
from tidegate.risk.draft import Draft
from tidegate.risk.engine import Engine
from tidegate.risk.restarts import digest_of
from tidegate.state.recovery import Recovery, resume
from tidegate.times import to_stamp
from tidegate.v1 import actors_pb2, journal_pb2, order_rules_pb2

# Events kept in memory for the next bar's updates; older ones are read from the journal.
RECENT_EVENTS_MAX = 2_000

_TICK: Final = actors_pb2.AdvanceTimeRequest()


class Request(NamedTuple):
    """A method's name, its message's bytes, who calls, and the id by which the caller finds it in the logs."""

    method: str
    body: bytes
    caller: Caller = LOCAL
    request_id: str = ""


class Reply(NamedTuple):
    """The reply's bytes; or a refusal's reason code, text and field."""

    body: bytes
    reason: str = ""
    text: str = ""
    field: str = ""


class Trace(NamedTuple):
    """Where a request that has an id stands in the journal: after the first sequence, up to the last one."""

    request_id: str
    method: str
    after_sequence: int
    sequence: int


class Batch(NamedTuple):
    """
    What became of a batch: its replies in order, what to publish, and failures to log.

    moves_bars: whether those who wait for a bar should look again.
    """

    replies: list[Reply]
    moves_bars: bool
    publications: list[Publication]
    failures: list[BaseException]
    traces: list[Trace]


class Gate:
    """
    The engine behind its journal.

    ``process`` is called by one thread at a time. Whatever it raises, the process must end: memory may have run ahead
    of the journal.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        """Stand in front of a journal; ``start`` reads it."""
        self.journal = journal
        self.archive: Archive = Archive(journal)
        self.engine: Engine = Engine(self.archive)
        self.recent: deque[journal_pb2.Event] = deque(maxlen=RECENT_EVENTS_MAX)
        self.recovery = Recovery(BEGINNING, ())
        self._clock = clock
        # When each adapter with a session was heard of last; after a restart everybody begins anew.
        self._heard_ns: dict[str, int] = {}
        self._failures: list[BaseException] = []
        self._traces: list[Trace] = []
        self._caller = ""
        self._bar_state = self.engine.book.bar_state

    def start(
        self,
        configuration: journal_pb2.PortfolioConfigured,
        left: journal_pb2.GateStarted | None = None,
        *,
        whole: bool = False,
    ) -> int:
        """
        Fold the journal, or begin an empty one with the configuration; return the number of events in it.

        It goes on from the newest snapshot that fits, and verifies the hash chain from there on. whole: it folds and
        verifies every event.

        left: what the process before this one has left in flight.

        Raises:
            ConfigurationError: the journal was begun with another configuration.
            JournalError: the journal's hash chain breaks, or it cannot be folded.
        """
        self.recovery = Recovery(BEGINNING, ()) if whole else resume(self.engine, self.journal)
        try:
            for _, events in self.journal.batches(self.recovery.head):
                for event in events:
                    self.engine.apply(event)
                self.recent.extend(events)
        except (BookError, DecodeError, ArithmeticError, LookupError) as error:
            message = f"the journal cannot be replayed past event {self.engine.book.sequence}: {error}"
            raise JournalError(message) from error
        # Calendars are brought up to date with every start; they do not make another portfolio.
        calendars = list(configuration.calendars)
        stated = journal_pb2.PortfolioConfigured()
        stated.CopyFrom(configuration)
        stated.ClearField("calendars")
        configuration = stated
        begun = self.engine.book.configuration
        if begun is not None:
            configuration = as_begun(begun, configuration, self.engine.book)
        if begun is None:
            event = journal_pb2.Event(sequence=1, time=to_stamp(0), portfolio_configured=configuration)
            self.engine.apply(event)
            self.archive.add([event])
            self._commit()
        elif begun != configuration:
            changed = [
                field.name
                for field in configuration.DESCRIPTOR.fields
                if getattr(begun, field.name) != getattr(configuration, field.name)
            ]
            message = (
                f"the journal was begun with other {', '.join(changed)} than the portfolio file states; "
                "keep the file as it was, or begin a new journal with --journal"
            )
            raise ConfigurationError(message)
        else:
            self._record(left or journal_pb2.GateStarted())
        self._record_calendars(calendars)
        return self.engine.book.sequence

    def process(self, requests: Sequence[Request]) -> Batch:
        """
        Decide a batch in its order, make it durable, then answer; reads see the state after the whole batch.

        Raises:
            CommitFailedError: nothing may be answered, and the process must end.
        """
        calls = [_read(request) for request in requests]
        if quarantined := self.engine.book.restarts.quarantined:
            calls = [_held_back(call, quarantined) for call in calls]
        read = [call for call in calls if not isinstance(call, Reply)]
        self.archive.look_up(key for _, method, message in read for key in method.keys(message))
        decided = [c if isinstance(c, Reply) or not c[1].is_command else self._answer(c[0], c[1], c[2]) for c in calls]
        events, entries = self._commit()
        replies = [c if isinstance(c, Reply) else self._show(*c) for c in decided]
        failures, self._failures = self._failures, []
        traces, self._traces = self._traces, []
        bar_state, self._bar_state = self._bar_state, self.engine.book.bar_state
        moves_bars = bar_state != self._bar_state
        return Batch(replies, moves_bars, publications_of(events, entries, self.engine.book), failures, traces)

    def stop(self) -> None:
        """Record that the gate ends in order; it decides nothing after this."""
        self._record(journal_pb2.GateStopped())

    def execute(self, command: Message) -> Any:
        """
        Decide one command now, as part of the batch under way; return its reply.

        Raises:
            RefusedError: the command was refused.
        """
        decided = self.engine.execute(command, self._now_ns(command), self._caller)
        if decided.failure is not None:
            self._failures.append(decided.failure)
        self.archive.add(decided.events, decided.decided)
        return self._reply(decided)

    def ask(self, command: Message) -> Any:
        """
        Decide one command and keep nothing of it; return its reply.

        Raises:
            RefusedError: the command would be refused.
        """
        return self._reply(self.engine.ask(command, self._now_ns(command), self._caller))

    def heard(self, adapter: str) -> None:
        """Note that an adapter is alive."""
        self._heard_ns[adapter] = self._now_ns(_TICK)

    def silence_ns(self, adapter: str) -> int:
        """Return for how long an adapter was not heard of; counted from the first question after a restart."""
        now_ns = self._now_ns(_TICK)
        return now_ns - self._heard_ns.setdefault(adapter, now_ns)

    def _reply(self, decided: Draft) -> Any:
        if decided.refusal is not None:
            if decided.refusal.__cause__ is not None:
                self._failures.append(decided.refusal.__cause__)
            raise decided.refusal
        return decided.reply

    def _now_ns(self, command: Message) -> int:
        newest_ns = self.engine.book.time_ns
        return max(self._clock(command, newest_ns), newest_ns)

    def _answer(self, request: Request, method: Method, message: Message) -> Reply:
        if not request.request_id:
            return self._decide(request, method, message)
        before = self.engine.book.sequence
        reply = self._decide(request, method, message)
        self._traces.append(Trace(request.request_id, request.method, before, self.engine.book.sequence))
        return reply

    def _decide(self, request: Request, method: Method, message: Message) -> Reply:
        try:
            cut = admit(request.caller, request.method, message)
            self._caller = counted_as(request.caller)
            answer = method.answer(self, message)
            if cut is not None:
                cut(request.caller, answer)
            return Reply(answer.SerializeToString())
        except RefusedError as refusal:
            return Reply(b"", refusal.reason, refusal.text, refusal.field)

    def _show(self, request: Request, method: Method, message: Message) -> Reply:
        """Answer a read; one on which that fails is refused as INTERNAL, for it has changed nothing."""
        try:
            return self._answer(request, method, message)
        except Exception as error:  # noqa: BLE001 -- whatever it is: refused, and logged by the caller
            self._failures.append(error)
            return Reply(b"", Reason.INTERNAL, f"{request.method} failed inside the gate; nothing changed")

    def _record(self, command: Message) -> None:
        """Decide a command of the gate's own, in a batch of its own."""
        self.execute(command)
        self._commit()

    def _record_calendars(self, calendars: list[order_rules_pb2.TradingCalendar]) -> None:
        """Record the calendars whose sessions are other than the journal has them."""
        book = self.engine.book
        for calendar in calendars:
            known = book.calendars.get(calendar.name)
            if known is None or known.message != calendar:
                event = journal_pb2.Event(
                    sequence=book.sequence + 1, time=to_stamp(book.time_ns), calendar_recorded=calendar
                )
                self.engine.apply(event)
                self.archive.add([event])
        self._commit()

    def _commit(self) -> tuple[list[journal_pb2.Event], list[Entry]]:
        events, entries = self.archive.take()
        if events:
            self.journal.append(entries)
            self.recent.extend(events)
        else:
            self.journal.confirm()  # one that was thought dead must not answer from what it remembers
        return events, entries


def _read(request: Request) -> tuple[Request, Method, Message] | Reply:
    """Read a request, with its method and message; or refuse it, when it is none."""
    method = METHODS.get(request.method)
    if method is None:
        return Reply(b"", Reason.METHOD_UNKNOWN, Reason.METHOD_UNKNOWN.meaning)
    try:
        message = method.request_type.FromString(request.body)
    except DecodeError:
        return Reply(b"", Reason.MESSAGE_MALFORMED, f"the bytes are not a {method.request_type.__name__}")
    message.DiscardUnknownFields()
    return request, method, message


def _held_back(
    call: tuple[Request, Method, Message] | Reply, quarantined: set[str]
) -> tuple[Request, Method, Message] | Reply:
    """Refuse a command on which the gate has ended too often."""
    if isinstance(call, Reply) or digest_of(call[0].method, call[0].body) not in quarantined:
        return call
    return Reply(b"", Reason.COMMAND_QUARANTINED, Reason.COMMAND_QUARANTINED.meaning)
