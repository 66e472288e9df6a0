"""What streams read: the newest publications of each topic, in memory, bounded."""

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import takewhile

from actors.port import FellBehindError
from tidegate.publications import Publication

PUBLICATIONS_MAX = 10_000


class Feed:
    """
    A bounded ring of publications a topic, and a signal after every batch. It belongs to one event loop.

    A reader that falls off the ring is told so and begins again from a fresh look at the state: no queue grows for it.
    """

    def __init__(self) -> None:
        """Begin with nothing published."""
        self._topics: dict[str, deque[Publication]] = {}
        self._dropped: dict[str, int] = {}
        self._changed = asyncio.Event()
        # The journal's head when this feed began: what came before was never in its memory.
        self.floor = 0

    def publish(self, publications: Sequence[Publication]) -> None:
        """Add what a batch that changed something publishes, and wake everybody who waits."""
        for publication in publications:
            ring = self._topics.setdefault(publication.topic, deque())
            ring.append(publication)
            if len(ring) > PUBLICATIONS_MAX:
                self._dropped[publication.topic] = ring.popleft().sequence
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    @property
    def next_batch(self) -> asyncio.Event:
        """The signal that the next batch that changes something sets."""
        return self._changed

    async def follow(self, topic: str, after: int, timeout_s: float) -> list[Publication]:
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
                        return found
                    await signal.wait()
        except TimeoutError:
            return []

    def _after(self, topic: str, after: int) -> list[Publication]:
        if after < max(self.floor, self._dropped.get(topic, 0)):
            text = f"{topic}: what followed event {after} is no longer in memory"
            raise FellBehindError(text)
        ring = self._topics.get(topic, ())
        if not ring or ring[-1].sequence <= after:
            return []
        newest_first = takewhile(lambda publication: publication.sequence > after, reversed(ring))
        return list(newest_first)[::-1]
