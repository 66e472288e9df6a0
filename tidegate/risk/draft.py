"""What a decision is made from, and the events that it becomes."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, Protocol

from google.protobuf.message import Message

from tidegate.errors import RefusedError
from tidegate.reasons import Reason
from tidegate.risk.book import Book
from tidegate.risk.checks import Checks
from tidegate.times import to_stamp
from tidegate.v1 import journal_pb2


class Key(NamedTuple):
    """A sender's own id, unique for ever within its scope: what makes a retry one command."""

    scope: str
    id: str


def order_key(strategy_id: str, client_order_id: str) -> Key:
    """Key an order by its strategy and the sender's id."""
    return Key(f"order/{strategy_id}", client_order_id)


def execution_key(account: str, execution_id: str) -> Key:
    """Key an execution by its broker account and the broker's id."""
    return Key(f"execution/{account}", execution_id)


def transfer_key(transfer_id: str) -> Key:
    """Key a transfer by the operator's id."""
    return Key("transfer", transfer_id)


def key_of(event: journal_pb2.Event) -> Key | None:
    """Return the key that an event uses up, or None."""
    match event.WhichOneof("body"):
        case "order_decided":
            order = event.order_decided.order
            return order_key(order.strategy_id, order.client_order_id)
        case "execution_booked":
            booked = event.execution_booked
            return execution_key(booked.account, booked.execution.execution_id)
        case "capital_transferred":
            return transfer_key(event.capital_transferred.transfer_id)
        case _:
            return None


def order_id_of(event: journal_pb2.Event) -> str:
    """Return the id of the accepted order that an event is about, or an empty text."""
    match event.WhichOneof("body"):
        case "order_decided":
            return event.order_decided.decision.order_id
        case "order_claimed":
            return event.order_claimed.order_id
        case "cancel_requested":
            return event.cancel_requested.order_id
        case "execution_booked" if event.execution_booked.strategy_id:
            return event.execution_booked.execution.order_id
        case _:
            return ""


class Archive(Protocol):
    """What the engine asks of the past: the journal answers."""

    def find(self, key: Key) -> journal_pb2.Event | None:
        """Return the event that used up a key, or None."""

    def events_of_order(self, order_id: str) -> list[journal_pb2.Event]:
        """Return all events of an accepted order, oldest first; empty when there is no such order."""


@dataclass(slots=True)
class Outcome:
    """What a command became: its events, and the reply or the refusal that goes back once they are durable."""

    events: list[journal_pb2.Event]
    reply: Message | None = None
    refusal: RefusedError | None = None


@dataclass(slots=True)
class Draft:
    """One command's decision in the making. It reads the book and the archive, and changes neither."""

    book: Book
    archive: Archive
    checks: Checks
    now_ns: int
    events: list[journal_pb2.Event] = field(default_factory=list)

    @property
    def next_sequence(self) -> int:
        """The sequence that the next recorded event gets."""
        return self.book.sequence + len(self.events) + 1

    def record(self, **body: Any) -> journal_pb2.Event:
        """Add an event; its one keyword names the body."""
        event = journal_pb2.Event(sequence=self.next_sequence, time=to_stamp(self.now_ns), **body)
        self.events.append(event)
        return event

    def refuse(self, reason: Reason, text: str, *, command: str, subject: str, operator: str = "") -> NoReturn:
        """Record that an understood command was refused, and refuse it."""
        refused = journal_pb2.CommandRefused(
            command=command, subject=subject, operator=operator, reason_code=reason, reason=text
        )
        self.record(command_refused=refused)
        raise RefusedError(reason, text)
