"""The gate: request bytes in, events durable, reply bytes out. One batch, one commit."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError, Message

from tidegate import bars, commands, views
from tidegate.clocks import Clock
from tidegate.errors import BookError, ConfigurationError, JournalError, RefusedError
from tidegate.journal.contract import Entry, Journal, entry_of
from tidegate.permissions import LOCAL, Caller, admit
from tidegate.publications import Publication, publications_of
from tidegate.reasons import Reason
from tidegate.risk.draft import Key, key_of, order_id_of
from tidegate.risk.engine import Engine
from tidegate.times import to_stamp
from tidegate.v1 import (
    actors_pb2,
    admin_pb2,
    journal_pb2,
    market_data_pb2,
    orders_pb2,
    portfolio_pb2,
    risk_pb2,
)

# Events kept in memory for the next bar's updates; older ones are read from the journal.
RECENT_EVENTS_MAX = 10_000


class Request(NamedTuple):
    """A method's name, its message's bytes, and who calls."""

    method: str
    body: bytes
    caller: Caller = LOCAL


class Reply(NamedTuple):
    """The reply's bytes; or a refusal's reason code, text and field."""

    body: bytes
    reason: str = ""
    text: str = ""
    field: str = ""


class Batch(NamedTuple):
    """
    What became of a batch: its replies in order, what to publish, and failures to log.

    is_change: whether it recorded anything; a batch of reads wakes nobody.
    """

    replies: list[Reply]
    is_change: bool
    publications: list[Publication]
    failures: list[BaseException]


class Gate:
    """
    The engine behind its journal.

    ``process`` is called by one thread at a time. Whatever it raises, the process must end: memory may have run ahead
    of the journal.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        """Stand in front of a journal; ``start`` reads it."""
        self.journal = journal
        self.engine = Engine(self)
        self.recent: deque[journal_pb2.Event] = deque(maxlen=RECENT_EVENTS_MAX)
        self._clock = clock
        self._events: list[journal_pb2.Event] = []
        self._fresh: dict[Key, journal_pb2.Event] = {}
        self._failures: list[BaseException] = []

    def start(self, configuration: journal_pb2.PortfolioConfigured) -> int:
        """
        Fold the journal, or begin an empty one with the configuration; return the number of events folded.

        Raises:
            ConfigurationError: the journal was begun with another configuration.
            JournalError: the journal's hash chain breaks, or it cannot be folded.
        """
        self.journal.verify()
        try:
            for event in self.journal.read(0):
                self.engine.apply(event)
                self.recent.append(event)
        except (BookError, DecodeError, ArithmeticError, LookupError) as error:
            message = f"the journal cannot be replayed past event {self.engine.book.sequence}: {error}"
            raise JournalError(message) from error
        begun = self.engine.book.configuration
        if begun is None:
            event = journal_pb2.Event(sequence=1, time=to_stamp(0), portfolio_configured=configuration)
            self.engine.apply(event)
            self._events.append(event)
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
        return self.engine.book.sequence

    def process(self, requests: Sequence[Request]) -> Batch:
        """
        Decide a batch in its order, make it durable, then answer; reads see the state after the whole batch.

        Raises:
            CommitFailedError: nothing may be answered, and the process must end.
        """
        replies: list[Reply | None] = [None] * len(requests)
        for index, request in enumerate(requests):
            if request.method in _COMMANDS:
                replies[index] = self._answer(_COMMANDS[request.method], request)
        events = self._commit()
        for index, request in enumerate(requests):
            if request.method in _READS:
                replies[index] = self._answer(_READS[request.method], request)
        failures, self._failures = self._failures, []
        unknown = Reply(b"", Reason.METHOD_UNKNOWN, Reason.METHOD_UNKNOWN.meaning)
        publications = publications_of(events, self.engine.book)
        return Batch([reply or unknown for reply in replies], bool(events), publications, failures)

    def execute(self, command: Message) -> Any:
        """
        Decide one command now, as part of the batch under way; return its reply.

        Raises:
            RefusedError: the command was refused.
        """
        newest_ns = self.engine.book.time_ns
        outcome = self.engine.execute(command, max(self._clock(command, newest_ns), newest_ns))
        for event in outcome.events:
            if (key := key_of(event)) is not None:
                self._fresh[key] = event
        self._events += outcome.events
        if outcome.refusal is not None:
            if outcome.refusal.__cause__ is not None:
                self._failures.append(outcome.refusal.__cause__)
            raise outcome.refusal
        return outcome.reply

    # The archive that the engine asks: the batch under way, then the journal.

    def find(self, key: Key) -> journal_pb2.Event | None:
        """Return the event that used up a key, or None."""
        return self._fresh.get(key) or self.journal.find(key)

    def events_of_order(self, order_id: str) -> list[journal_pb2.Event]:
        """Return all events of an accepted order, oldest first."""
        fresh = [event for event in self._events if order_id and order_id_of(event) == order_id]
        return self.journal.events_of_order(order_id) + fresh

    def _answer(self, method: "_Method", request: Request) -> Reply:
        try:
            message = method.request_type.FromString(request.body)
        except DecodeError:
            text = f"the bytes are not a {method.request_type.__name__}"
            return Reply(b"", Reason.MESSAGE_MALFORMED, text)
        message.DiscardUnknownFields()
        try:
            cut = admit(request.caller, request.method, message)
            answer = method.answer(self, message)
            if cut is not None:
                cut(request.caller, answer)
            return Reply(answer.SerializeToString())
        except RefusedError as refusal:
            return Reply(b"", refusal.reason, refusal.text, refusal.field)

    def _commit(self) -> list[journal_pb2.Event]:
        events, self._events = self._events, []
        if events:
            entries: list[Entry] = [entry_of(event, event.SerializeToString()) for event in events]
            self.journal.append(entries)
            self.recent.extend(events)
        self._fresh.clear()
        return events


class _Method(NamedTuple):
    """A method's request type, and what answers it."""

    request_type: type[Any]
    answer: Callable[[Gate, Any], Message]


# What may change the state, in the order of arrival.
_COMMANDS = {
    "SubmitOrder": _Method(orders_pb2.SubmitOrderRequest, commands.single),
    "SubmitOrders": _Method(orders_pb2.SubmitOrdersRequest, commands.submit_orders),
    "CancelOrder": _Method(orders_pb2.CancelOrderRequest, commands.single),
    "ReportExecutions": _Method(orders_pb2.ReportExecutionsRequest, commands.report_executions),
    "ClaimOrders": _Method(orders_pb2.ClaimOrdersRequest, commands.claim_orders),
    "PublishBars": _Method(market_data_pb2.PublishBarsRequest, commands.single),
    "PublishPrices": _Method(market_data_pb2.PublishPricesRequest, commands.single),
    "Halt": _Method(admin_pb2.HaltRequest, commands.single),
    "ResetHalt": _Method(admin_pb2.ResetHaltRequest, commands.single),
    "TransferCapital": _Method(admin_pb2.TransferCapitalRequest, commands.single),
    "PauseStrategy": _Method(admin_pb2.PauseStrategyRequest, commands.pause_strategy),
    "ResumeStrategy": _Method(admin_pb2.ResumeStrategyRequest, commands.resume_strategy),
    "CompleteBar": _Method(actors_pb2.CompleteBarRequest, commands.complete_bar),
}

# What only looks; answered after the batch's commit.
_READS = {
    "GetOrder": _Method(orders_pb2.GetOrderRequest, lambda gate, r: views.order(gate.engine.book, gate, r)),
    "ListOrders": _Method(orders_pb2.ListOrdersRequest, lambda gate, r: views.working_orders(gate.engine.book, r)),
    "WatchOrders": _Method(
        orders_pb2.WatchOrdersRequest, lambda gate, r: views.instructions(gate.engine.book, r.adapter)
    ),
    "WatchBars": _Method(market_data_pb2.WatchBarsRequest, bars.first_bar),
    "AwaitBar": _Method(market_data_pb2.AwaitBarRequest, bars.await_bar),
    "NextBar": _Method(actors_pb2.NextBarRequest, bars.next_bar),
    "GetRiskMetrics": _Method(risk_pb2.GetRiskMetricsRequest, lambda gate, _: views.risk_metrics(gate.engine.book)),
    "GetHaltState": _Method(risk_pb2.GetHaltStateRequest, lambda gate, _: views.halt_state(gate.engine.book)),
    "GetPortfolio": _Method(portfolio_pb2.GetPortfolioRequest, lambda gate, _: views.portfolio(gate.engine)),
    "ListStrategies": _Method(portfolio_pb2.ListStrategiesRequest, lambda gate, _: views.strategies(gate.engine)),
    "GetStrategy": _Method(
        portfolio_pb2.GetStrategyRequest, lambda gate, r: views.strategy(gate.engine, r.strategy_id)
    ),
}
