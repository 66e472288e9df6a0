"""What streams read: the newest publications of each topic, in memory, bounded."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from actors.port import FellBehindError, StreamMessage
from tidegate.publications import Publication

# Entries (an instruction, a bar, an alert) that a topic keeps in memory.
ENTRIES_MAX = 10_000


@dataclass(slots=True)
class _Ring:
    """The newest publications of one topic. dropped: the newest sequence that is no longer in it."""

    dropped: int
    publications: deque[Publication] = field(default_factory=deque)
    entries: int = 0

    def add(self, publication: Publication) -> None:
        self.publications.append(publication)
        self.entries += publication.size
        while self.entries > ENTRIES_MAX and len(self.publications) > 1:
            oldest = self.publications.popleft()
            self.entries -= oldest.size
            self.dropped = oldest.sequence


class Feed:
    """
    A bounded ring of publications a topic, and a signal after every batch. It belongs to one event loop.

    A reader that falls off the ring is told so and goes on from the journal or a fresh look at the state: no queue
    grows for it.
    """

    def __init__(self) -> None:
        """Begin with nothing published."""
        self._rings: dict[str, _Ring] = {}
        self._changed = asyncio.Event()
        self._bars_moved = asyncio.Event()
        # The journal's head when this feed began: what came before was never in its memory.
        self.floor = 0

    def publish(self, publications: Sequence[Publication]) -> None:
        """Add what a batch that changed something publishes, and wake everybody who waits."""
        for publication in publications:
            ring = self._rings.get(publication.topic)
            if ring is None:
                ring = self._rings[publication.topic] = _Ring(self.floor)
            ring.add(publication)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def move_bars(self) -> None:
        """Wake everybody who waits for a bar."""
        moved, self._bars_moved = self._bars_moved, asyncio.Event()
        moved.set()

    @property
    def bars_moved(self) -> asyncio.Event:
        """The signal that the next batch that brings the bars further sets."""
        return self._bars_moved

    async def follow(self, topic: str, after: int, timeout_s: float) -> list[StreamMessage]:
        """
        Return what was published on a topic after a sequence, waiting for it; nothing at the time-out.

        Raises:
            FellBehindError: some of it is no longer in memory.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    signal = self._changed
                    if found := self._after(topic, after):
                        return [StreamMessage(publication.sequence, publication.write()) for publication in found]
                    await signal.wait()
        except TimeoutError:
            return []

    def _after(self, topic: str, after: int) -> list[Publication]:
        ring = self._rings.get(topic)
        if after < (self.floor if ring is None else ring.dropped):
            text = f"{topic}: what followed event {after} is no longer in memory"
            raise FellBehindError(text)
        if ring is None:
            return []
        newest_first = takewhile(lambda publication: publication.sequence > after, reversed(ring.publications))
        return list(newest_first)[::-1]
