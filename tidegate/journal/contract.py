"""What a journal promises, whatever stores it."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from tidegate.risk.alerts import ALERT_KINDS
from tidegate.risk.draft import Key, execution_key, order_key, reversal_key, transfer_key
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


class Entry:
    """
    One event as a store keeps it.

    order_id: of the accepted order that it is about. keys: the senders' ids that it uses up. topic: the stream that can
    be read again from the journal.
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


class Journal(Protocol):
    """An append-only sequence of events with one writer at a time."""

    epoch: int

    def head(self) -> Head:
        """Return where the journal ends."""

    def append(self, entries: Sequence[Entry]) -> Head:
        """
        Make a batch durable in one commit.

        Raises:
            EpochFencedError: a newer writer has taken the journal.
            CommitFailedError: the commit failed, or its outcome is unknown.
        """

    def find_all(self, keys: Collection[Key]) -> dict[Key, journal_pb2.Event]:
        """Return the events that used up these keys; a key that is free is not in it."""

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


def entry_of(event: journal_pb2.Event) -> Entry:
    """Write an event for its store, with what it is found again by."""
    kind = event.WhichOneof("body") or ""
    keys: tuple[Key, ...] = ()
    order_id = ""
    if kind == "order_decided":
        decided = event.order_decided
        order, order_id = decided.order, decided.decision.order_id
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
    elif kind in _CAPITAL:
        keys = (transfer_key(getattr(event, kind).transfer_id),)
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
    digest = hashlib.sha256(previous)
    digest.update(epoch.to_bytes(8))
    for body in bodies:
        digest.update(len(body).to_bytes(8))
        digest.update(body)
    return digest.digest()
