"""What a journal promises, whatever stores it."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from tidegate.risk.draft import Archive, Key, key_of, order_id_of
from tidegate.v1 import journal_pb2

HASH_OF_NOTHING = bytes(32)


class Head(NamedTuple):
    """Where a journal ends: the last sequence, and the hash that proves everything up to it."""

    sequence: int
    hash: bytes


class Entry(NamedTuple):
    """One event as a store keeps it."""

    sequence: int
    time_ns: int
    kind: str
    order_id: int | None
    key: Key | None
    body: bytes


class Journal(Archive, Protocol):
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

    def verify(self) -> Head:
        """Recompute the hash chain; raises JournalError where it breaks."""

    def read(self, after: int, most: int | None = None) -> Iterator[journal_pb2.Event]:
        """Read the events after a sequence, oldest first."""

    def close(self) -> None:
        """Let go of the store."""


def entry_of(event: journal_pb2.Event, body: bytes) -> Entry:
    """Index an event for its store."""
    order_id = order_id_of(event)
    return Entry(
        sequence=event.sequence,
        time_ns=event.time.seconds * 1_000_000_000 + event.time.nanos,
        kind=event.WhichOneof("body") or "",
        order_id=int(order_id) if order_id else None,
        key=key_of(event),
        body=body,
    )


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
