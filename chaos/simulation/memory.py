"""Journals for the simulation: one in memory, with the real ones' contract, and one round any of them that fails."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Literal, cast

from chaos.chain import Link
from tidegate.errors import CommitFailedError, EpochFencedError, JournalError
from tidegate.journal.contract import (
    BEGINNING,
    NOTHING_ARCHIVED,
    Archived,
    Entry,
    Head,
    Journal,
    Snapshots,
    link,
)
from tidegate.risk.draft import Key
from tidegate.v1 import journal_pb2

# Whether a writer dies at an append, and on which side of the commit.
Crash = Literal["", "before", "after"]
CRASHES: tuple[Crash, Crash] = ("before", "after")


class MemoryStore:
    """What is durable: it outlives every writer, and knows the newest one's epoch."""

    def __init__(self) -> None:
        """Begin empty."""
        self.epoch = 0
        self.head = BEGINNING
        self.links: list[Link] = []
        self.entries: list[Entry] = []
        self.keys: dict[Key, int] = {}
        self.snapshots: dict[int, bytes] = {}

    def sequences(self) -> list[int]:
        """Return where snapshots were taken, the newest first."""
        return sorted(self.snapshots, reverse=True)

    def load(self, sequence: int) -> bytes:
        """Read a snapshot."""
        return self.snapshots[sequence]

    def save(self, sequence: int, body: bytes) -> None:
        """Keep a snapshot, and every one before it."""
        self.snapshots[sequence] = body


class MemoryRecorded:
    """What is recorded in a store in memory, seen from outside: it takes no epoch."""

    def __init__(self, store: MemoryStore) -> None:
        """Stand on a store."""
        self.snapshots: Snapshots = store
        self._store = store

    def holds(self, head: Head) -> bool:
        """Tell whether a batch ends there, with that hash."""
        return head == BEGINNING or any(head == Head(one.events[-1][0], one.hash) for one in self._store.links)

    def batches(self, after: Head) -> Iterator[tuple[Head, list[journal_pb2.Event]]]:
        """Read the batches after a place, each after its link was recomputed."""
        chained = after.hash
        for one in self._store.links:
            if one.events[0][0] <= after.sequence:
                continue
            chained = link(chained, one.epoch, [body for _, body in one.events])
            if chained != one.hash:
                message = f"the hash chain breaks at event {one.events[0][0]}"
                raise JournalError(message)
            yield Head(one.events[-1][0], chained), [journal_pb2.Event.FromString(body) for _, body in one.events]


class MemoryJournal(MemoryRecorded):
    """The journal's contract over a store in memory. Opening takes the next epoch."""

    def __init__(self, store: MemoryStore) -> None:
        """Become the one writer."""
        super().__init__(store)
        store.epoch += 1
        self.epoch = store.epoch
        self._head = store.head

    def head(self) -> Head:
        """Return where the journal ends, as far as this writer knows."""
        return self._head

    def append(self, entries: Sequence[Entry]) -> Head:
        """Keep a batch, whole or not at all."""
        self.confirm()
        store, bodies = self._store, [entry.body for entry in entries]
        keys = [(key, entry.sequence) for entry in entries for key in entry.keys]
        used = {key for key, _ in keys}
        if entries[0].sequence != len(store.entries) + 1 or len(used) < len(keys) or used & store.keys.keys():
            message = f"event {entries[0].sequence} does not follow, or uses an id that was used before"
            raise CommitFailedError(message)
        store.entries += entries
        store.keys.update(keys)
        store.head = self._head = Head(entries[-1].sequence, link(store.head.hash, self.epoch, bodies))
        store.links.append(Link(self.epoch, store.head.hash, [(entry.sequence, entry.body) for entry in entries]))
        return store.head

    def confirm(self) -> None:
        """Refuse what a newer writer has fenced."""
        if self._store.epoch != self.epoch:
            message = f"epoch {self.epoch} was fenced by epoch {self._store.epoch}"
            raise EpochFencedError(message)

    def find_all(self, keys: Collection[Key]) -> dict[Key, journal_pb2.Event]:
        """Return the events that used up these keys."""
        store = self._store
        return {key: _event(store.entries[store.keys[key] - 1]) for key in keys if key in store.keys}

    def events_of_order(self, order_id: int) -> list[journal_pb2.Event]:
        """Return all events of an accepted order, oldest first."""
        return [_event(entry) for entry in self._store.entries if entry.order_id == order_id]

    def newest_epoch(self) -> int:
        """Return the epoch of whoever took the store last."""
        return self._store.epoch

    def archived(self) -> Archived:
        """Return that nothing is."""
        return NOTHING_ARCHIVED

    def archive(self, archived: Archived, dropped: Sequence[int]) -> None:  # noqa: ARG002 -- the contract's
        """Refuse: a history is too short to be archived."""
        message = "nothing leaves a journal in memory"
        raise CommitFailedError(message)

    def verify(self) -> Head:
        """Recompute the hash chain."""
        for _ in self.batches(BEGINNING):
            pass
        return self._head

    def read_topic(self, topic: str, after: int, most: int) -> list[journal_pb2.Event]:
        """Read the events of one topic after a sequence, oldest first."""
        return [_event(entry) for entry in self._store.entries[after:] if entry.topic == topic][:most]

    def read(self, after: int, most: int | None = None) -> Iterator[journal_pb2.Event]:
        """Read the events after a sequence, oldest first."""
        end = None if most is None else after + most
        return map(_event, self._store.entries[after:end])

    def checkpoint(self) -> None:
        """Have nothing to tidy up."""

    def close(self) -> None:
        """Have nothing to let go of."""


def failing(journal: Journal, crash: Callable[[], Crash]) -> Journal:
    """Wrap any journal, so that its writer may die at an append; crash is asked at each of them."""
    return cast("Journal", _FailingJournal(journal, crash))


class _FailingJournal:
    """Dies before the commit, or after it: to the writer both look alike. Everything else is the journal's own."""

    def __init__(self, journal: Journal, crash: Callable[[], Crash]) -> None:
        self._journal = journal
        self._crash = crash

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def append(self, entries: Sequence[Entry]) -> Head:
        crash = self._crash()
        head = self._journal.head() if crash == "before" else self._journal.append(entries)
        if crash:
            message = "the outcome of the commit is unknown"
            raise CommitFailedError(message)
        return head


def _event(entry: Entry) -> journal_pb2.Event:
    return journal_pb2.Event.FromString(entry.body)
