"""The one thread on which everything is decided: batches in, one commit each, answers out."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from actors.admission import URGENT, has_room
from actors.feed import Feed
from actors.port import UnavailableError
from tidegate.gate import Batch, Gate, Reply, Request
from tidegate.reasons import Reason

# One commit carries at most this many requests, and about this many bytes of them: about 15 ms of the engine.
BATCH_REQUESTS_MAX = 512
BATCH_BYTES_MAX = 64 * 1024


class _Item(NamedTuple):
    """Requests that came together, and who waits for their replies."""

    requests: Sequence[Request]
    answered: asyncio.Future[list[Reply]]


class EngineThread:
    """
    Takes what has gathered since the last commit, decides it as one batch, and answers on the event loop.

    A halt is taken before everything that waits; the rest keeps its order. If the gate raises, memory and journal may
    differ: ``on_fatal`` must end the process.
    """

    def __init__(
        self,
        gate: Gate,
        feed: Feed,
        on_failures: Callable[[Sequence[BaseException]], None],
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        """Stand ready on the running event loop; ``start`` begins to decide."""
        self._gate = gate
        self._feed = feed
        self._on_failures = on_failures
        self._on_fatal = on_fatal
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Item] = deque()
        self._urgent: deque[_Item] = deque()
        self._waiting = 0
        self._work = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to decide."""
        self._thread.start()

    def stop(self) -> None:
        """Decide what waits already, then end; returns when the thread has."""
        with self._work:
            self._stopping = True
            self._work.notify()
        self._thread.join()

    async def execute(self, requests: Sequence[Request]) -> list[Reply]:
        """
        Have requests decided together; one reply each.

        Raises:
            UnavailableError: the thread has ended, or ends before it can answer.
        """
        item = _Item(requests, self._loop.create_future())
        urgent = any(request.method in URGENT for request in requests)
        with self._work:
            if self._stopping:
                text = "the engine has stopped"
                raise UnavailableError(text)
            if not urgent and not has_room(self._waiting, requests):
                return [Reply(b"", Reason.OVERLOADED, Reason.OVERLOADED.meaning)] * len(requests)
            self._waiting += len(requests)
            (self._urgent if urgent else self._queue).append(item)
            self._work.notify()
        return await item.answered

    def _run(self) -> None:
        while items := self._take():
            try:
                batch = self._gate.process([request for item in items for request in item.requests])
            except BaseException as error:  # noqa: BLE001 -- memory cannot be trusted any more, whatever it was
                with self._work:
                    self._stopping = True
                self._on_fatal(error)
                return
            self._loop.call_soon_threadsafe(self._answer, items, batch)

    def _take(self) -> list[_Item]:
        """Wait for work; return a bounded batch of it, or nothing when stopping."""
        with self._work:
            while not (self._urgent or self._queue):
                if self._stopping:
                    return []
                self._work.wait()
            items: list[_Item] = []
            requests = size = 0
            while self._urgent or self._queue:
                source = self._urgent or self._queue
                requests += len(source[0].requests)
                size += sum(len(request.body) for request in source[0].requests)
                if items and (requests > BATCH_REQUESTS_MAX or size > BATCH_BYTES_MAX):
                    break
                items.append(source.popleft())
            self._waiting -= sum(len(item.requests) for item in items)
            return items

    def _answer(self, items: list[_Item], batch: Batch) -> None:
        """Run on the event loop: publish, then reply."""
        if batch.publications:
            self._feed.publish(batch.publications)
        if batch.moves_bars:
            self._feed.move_bars()
        if batch.failures:
            self._on_failures(batch.failures)
        replies = iter(batch.replies)
        for item in items:
            own = [next(replies) for _ in item.requests]
            if not item.answered.done():
                item.answered.set_result(own)
