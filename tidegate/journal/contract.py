"""What a journal promises, whatever stores it."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from tidegate.orders import DecidedOrder
from tidegate.risk.alerts import ALERT_KINDS
from tidegate.risk.draft import Key, assignment_key, execution_key, order_key, reversal_key, transfer_key
from tidegate.times import to_ns
from tidegate.v1 import journal_pb2

HASH_OF_NOTHING = bytes(32)

BARS_TOPIC: Final = "bars"
ALERTS_TOPIC: Final = "alerts"

_ABOUT_AN_ORDER: Final = frozenset({"order_claimed", "cancel_requested", "order_overdue"})
_CAPITAL: Final = frozenset({"capital_transferred", "capital_moved"})


class Head(NamedTuple):
    """Where a journal ends: the last sequence, and the hash that proves everything up to it."""

    sequence: int
    hash: bytes


# Before the first event.
BEGINNING = Head(0, HASH_OF_NOTHING)


class Entry:
    """
    One event as a store keeps it.

    order_id: of the accepted order that it is about, the number of the event that accepted it. keys: the senders' ids
    that it uses up. topic: the stream that can be read again from the journal.
    """

    __slots__ = ("body", "keys", "kind", "order_id", "sequence", "time_ns", "topic")

    def __init__(  # noqa: PLR0913, PLR0917 -- the columns
        self,
        sequence: int,
        time_ns: int,
        kind: str,
        order_id: int | None,
        keys: tuple[Key, ...],
        topic: str | None,
        body: bytes,
    ) -> None:
        """Keep an event's columns."""
        self.sequence = sequence
        self.time_ns = time_ns
        self.kind = kind
        self.order_id = order_id
        self.keys = keys
        self.topic = topic
        self.body = body


class Stored(NamedTuple):
    """One event as it lies in a store, with nothing checked yet."""

    sequence: int
    epoch: int
    body: bytes


class Batch(NamedTuple):
    """One commit as it lies in a store: the link that closes it, and the events that lie under it."""

    last_sequence: int
    epoch: int
    hash: bytes
    events: list[Stored]


class Snapshots(Protocol):
    """The snapshots of one journal, as bytes; each is there whole, or not at all."""

    def sequences(self) -> list[int]:
        """Return where they were taken, the newest first."""

    def load(self, sequence: int) -> bytes:
        """Read the bytes of one; raises JournalError when that fails."""

    def save(self, sequence: int, body: bytes) -> None:
        """Make one durable and let go of the oldest; raises JournalError when that fails."""


class Recorded(Protocol):
    """What is recorded: events in batches, and snapshots of what they make."""

    snapshots: Snapshots

    def holds(self, head: Head) -> bool:
        """Tell whether a batch ends there, with that hash; one does before the first event."""

    def batches(self, after: Head) -> Iterator[tuple[Head, list[journal_pb2.Event]]]:
        """
        Read the batches after a place, with where each ends, each after the link of the chain that covers it.

        Raises:
            JournalError: the place is not in this journal, the chain breaks, or events are in no batch.
        """


class Archived(NamedTuple):
    """Up to where a journal was archived, and where to."""

    head: Head
    place: str


NOTHING_ARCHIVED = Archived(BEGINNING, "")


class Chain(Protocol):
    """Batches as they lie somewhere, one behind the other."""

    @property
    def name(self) -> str:
        """Where they lie."""

    def archived(self) -> Archived:
        """Return what is no longer there."""

    def stored(self, after: int = 0) -> Iterator[Batch]:
        """Read the batches that end after a sequence, oldest first; raises JournalError where one cannot be read."""

    def unbatched(self) -> int:
        """Return the newest event if no batch covers it, else 0."""


class Reader(Chain, Protocol):
    """
    A journal seen from outside.

    It takes no epoch and changes nothing, so a writer that is at work goes on undisturbed. What it hands out is as it
    lies there; ``tidegate.journal.reading`` verifies it.
    """

    snapshots: Snapshots

    def head(self) -> Head:
        """Return where the journal ends; raises JournalError where it cannot be read."""

    def hash_at(self, sequence: int) -> bytes | None:
        """Return the hash of the batch that ends with an event; None where none does."""

    def kept(self, after: int, last: int) -> list[Stored]:
        """Return what lies after an event up to another one, in a batch or not."""

    def places_of(self, keys: Collection[Key]) -> dict[Key, int]:
        """Return the event that each of these senders' ids is kept with; one that is not kept is not in it."""

    def count_keys(self, until: int) -> int:
        """Return how many senders' ids are kept with the events up to a sequence."""

    def check(self) -> None:
        """Have the store look over itself, its indexes too; raises JournalError where it is damaged."""


class Journal(Recorded, Protocol):
    """An append-only sequence of events with one writer at a time."""

    epoch: int

    def archived(self) -> Archived:
        """Return up to where the journal was archived."""

    def archive(self, archived: Archived, dropped: Sequence[int]) -> None:
        """
        Let go of events that an archive has, and of the batches before its end, in one commit.

        Raises:
            CommitFailedError: it failed, or another writer has taken over.
        """

    def head(self) -> Head:
        """Return where the journal ends."""

    def append(self, entries: Sequence[Entry]) -> Head:
        """
        Make a batch durable in one commit.

        Raises:
            EpochFencedError: a newer writer has taken the journal.
            CommitFailedError: the commit failed, or its outcome is unknown.
        """

    def newest_epoch(self) -> int:
        """
        Return the epoch of whoever took the journal last; safe on any thread.

        Raises:
            JournalError: the store cannot be asked.
        """

    def find_all(self, keys: Collection[Key]) -> dict[Key, journal_pb2.Event]:
        """Return the events that used up these keys; a key that is free is not in it."""

    def confirm(self) -> None:
        """
        Make sure that no newer writer has taken the journal; for a batch that appends nothing.

        Raises:
            EpochFencedError: one has.
            CommitFailedError: the store does not say.
        """

    def events_of_order(self, order_id: int) -> list[journal_pb2.Event]:
        """Return all events of an accepted order, oldest first; empty when there is no such order."""

    def verify(self) -> Head:
        """Recompute the hash chain; raises JournalError where it breaks."""

    def read_topic(self, topic: str, after: int, most: int) -> list[journal_pb2.Event]:
        """Read the events of one topic after a sequence, oldest first."""

    def read(self, after: int, most: int | None = None) -> Iterator[journal_pb2.Event]:
        """Read the events after a sequence, oldest first."""

    def checkpoint(self) -> None:
        """Do what the store has to do from time to time, so that no commit has to; safe on any thread."""

    def close(self) -> None:
        """Let go of the store."""


def entry_of(event: journal_pb2.Event, decided: DecidedOrder | None = None) -> Entry:
    """Write an event for its store, with what it is found again by; decided: what it tells of an order, if read."""
    if decided is not None:
        key = order_key(decided.strategy_id, decided.client_order_id)
        number = int(decided.order_id) if decided.order_id else None
        return Entry(
            decided.sequence, decided.time_ns, "order_decided", number, (key,), None, event.SerializeToString()
        )
    kind = event.WhichOneof("body") or ""
    keys: tuple[Key, ...] = ()
    order_id = ""
    if kind == "order_decided":
        order, order_id = event.order_decided.order, event.order_decided.decision.order_id
        keys = (order_key(order.strategy_id, order.client_order_id),)
    elif kind == "execution_booked":
        booked = event.execution_booked
        keys = (execution_key(booked.account, booked.execution.execution_id),)
        if booked.HasField("reversed"):
            keys += (reversal_key(booked.account, booked.reversed.execution_id),)
        order_id = booked.execution.order_id if booked.strategy_id else ""
    elif kind == "replace_decided":
        replace, order_id = event.replace_decided.replace, event.replace_decided.order_id
        keys = (order_key(replace.strategy_id, replace.client_order_id),)
    elif kind == "rebalanced":
        keys = (transfer_key(event.rebalanced.request.rebalance_id),)
    elif kind in _CAPITAL:
        keys = (transfer_key(getattr(event, kind).transfer_id),)
    elif kind == "suspense_assigned":
        fill = event.suspense_assigned.fill
        keys = (assignment_key(fill.account, fill.execution.execution_id),)
    elif kind in _ABOUT_AN_ORDER:
        order_id = getattr(event, kind).order_id
    number = int(order_id) if order_id else None
    topic = ALERTS_TOPIC if kind in ALERT_KINDS else BARS_TOPIC if kind == "bar_published" else None
    return Entry(event.sequence, to_ns(event.time), kind, number, keys, topic, event.SerializeToString())


def link(previous: bytes, epoch: int, bodies: Sequence[bytes]) -> bytes:
    """
    Hash a batch onto the chain.

    SHA-256 over the previous hash, the epoch (8 bytes, big-endian), then each event's length (8 bytes) and bytes.
    """
    parts = [previous, epoch.to_bytes(8)]
    for body in bodies:
        parts += (len(body).to_bytes(8), body)
    return hashlib.sha256(b"".join(parts)).digest()
