"""What a decision is made from, and the events that it becomes."""

from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from tidegate.errors import RefusedError
from tidegate.reasons import Reason
from tidegate.risk.book import Book
from tidegate.risk.checks import Checks
from tidegate.risk.refusals import Sender
from tidegate.times import write_stamp
from tidegate.v1 import journal_pb2

if TYPE_CHECKING:
    from tidegate.orders import DecidedOrder

# A sender's own id, unique for ever within what it names: what makes a retry one command. Ids hold no blanks.
Key = str


def order_key(strategy_id: str, client_order_id: str) -> Key:
    """Key an order by its strategy and the sender's id."""
    return f"order {strategy_id} {client_order_id}"


def execution_key(account: str, execution_id: str) -> Key:
    """Key an execution by its broker account and the broker's id."""
    return f"execution {account} {execution_id}"


def reversal_key(account: str, execution_id: str) -> Key:
    """Key the taking back of a fill by the fill: it happens once."""
    return f"reversal {account} {execution_id}"


def assignment_key(account: str, execution_id: str) -> Key:
    """Key the assignment of a fill in suspense by the fill: it happens once."""
    return f"assignment {account} {execution_id}"


def transfer_key(transfer_id: str) -> Key:
    """Key a transfer by the operator's id."""
    return f"transfer {transfer_id}"


class Archive(Protocol):
    """What the engine asks of the past: the journal answers."""

    def find(self, key: Key) -> journal_pb2.Event | None:
        """Return the event that used up a key, or None."""

    def events_of_order(self, order_id: str) -> list[journal_pb2.Event]:
        """Return all events of an accepted order, oldest first; empty when there is no such order."""


class Draft:
    """
    One command's decision in the making. It reads the book and the archive, and changes neither.

    events: what the command becomes. reply, refusal: which of the two goes back once they are durable.
    refused_sender: whose refusal this is, when it is one that may come by the thousand.
    decided: the decision on an order that its event tells, if there is one; kept when the event is taken back.
    failure: on what the gate failed while it followed up, to be logged.
    """

    __slots__ = (
        "archive",
        "book",
        "checks",
        "decided",
        "events",
        "failure",
        "now_ns",
        "refusal",
        "refused_sender",
        "reply",
    )

    def __init__(self, book: Book, archive: Archive, checks: Checks, now_ns: int) -> None:
        """Begin without events."""
        self.book: Book = book
        self.archive = archive
        self.checks = checks
        self.now_ns = now_ns
        self.events: list[journal_pb2.Event] = []
        self.decided: DecidedOrder | None = None
        self.reply: Any = None
        self.refusal: RefusedError | None = None
        self.refused_sender: Sender | None = None
        self.failure: BaseException | None = None

    @property
    def reason_code(self) -> str:
        """Why the command is refused."""
        if self.refusal is not None:
            return self.refusal.reason
        return getattr(self.reply, "reason_code", "")

    @property
    def sequence(self) -> int:
        """Which place in the journal the newest event will have."""
        return self.book.sequence + len(self.events)

    def begin(self) -> journal_pb2.Event:
        """Add an event whose body the caller fills in."""
        event = journal_pb2.Event()
        self.events.append(event)
        event.sequence = self.sequence
        write_stamp(event.time, self.now_ns)
        return event

    def record(self, **body: Any) -> journal_pb2.Event:
        """Add an event; its one keyword names the body."""
        event = self.begin()
        event.MergeFrom(journal_pb2.Event(**body))
        return event

    def refuse(  # noqa: PLR0913 -- what is recorded of a refusal has as many parts
        self, reason: Reason, text: str, *, command: str, subject: str, operator: str = "", strategy_id: str = ""
    ) -> NoReturn:
        """Record that an understood command was refused, and refuse it; strategy_id: whose it was, if a strategy's."""
        known = strategy_id if strategy_id in self.book.terms else ""
        refused = journal_pb2.CommandRefused(
            command=command, subject=subject, operator=operator, reason_code=reason, reason=text, strategy_id=known
        )
        self.record(command_refused=refused)
        self.refused_sender = Sender(command, known)
        raise RefusedError(reason, text)
