"""A healthy history, to be doctored: its journal can be rewritten, with a chain that is whole again."""

import hashlib
from collections.abc import Callable, Sequence

import pytest

from chaos.chain import Link
from chaos.checker import Finding, check
from chaos.questions import ask_everything
from chaos.simulation.history import STRATEGIES, History, InMemory
from chaos.simulation.memory import MemoryJournal
from tidegate.errors import EpochFencedError
from tidegate.journal.contract import Entry, Head
from tidegate.v1 import journal_pb2

# So long that everything happens in it.
STEPS = 800


class Healthy:
    """One simulated history that went through everything, with what was written down about it."""

    def __init__(self, seed: int) -> None:
        """Live through it."""
        store = InMemory()
        history = History(seed, store)
        assert [] == history.run(STEPS)
        self.links: list[Link] = store.links()
        self.records = list(history.records)
        gate = history._open()
        self.live: dict[str, list[bytes]] = ask_everything(lambda m, r: history._read(gate, m, r), STRATEGIES)
        self.replayed = dict(self.live)

    @property
    def events(self) -> list[journal_pb2.Event]:
        """Parse the journal."""
        return [journal_pb2.Event.FromString(body) for link in self.links for _, body in link.events]

    def first(self, is_it: Callable[[journal_pb2.Event], bool]) -> int:
        """Return the sequence of the first event that is one."""
        return next(event.sequence for event in self.events if is_it(event))

    def rewrite(self, change: Callable[[list[journal_pb2.Event]], None]) -> None:
        """Change the events, number them anew, and forge the chain so that it holds."""
        events = self.events
        change(events)
        bodies = []
        for sequence, event in enumerate(events, start=1):
            event.sequence = sequence
            bodies.append((sequence, event.SerializeToString()))
        digest = hashlib.sha256(bytes(32) + (1).to_bytes(8))
        for _, body in bodies:
            digest.update(len(body).to_bytes(8) + body)
        self.links = [Link(1, digest.digest(), bodies)]

    def check(self) -> list[Finding]:
        """Have it checked."""
        return check(self.links, self.records, self.live, self.replayed)

    def promises(self) -> set[str]:
        """Name the promises that are broken."""
        return {finding.promise for finding in self.check()}


def let_zombies_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a writer that was replaced find out only when it writes."""
    append = MemoryJournal.append
    monkeypatch.setattr(MemoryJournal, "confirm", lambda _self: None)

    def fenced(self: MemoryJournal, entries: Sequence[Entry]) -> Head:
        if self._store.epoch != self.epoch:
            raise EpochFencedError
        return append(self, entries)

    monkeypatch.setattr(MemoryJournal, "append", fenced)
