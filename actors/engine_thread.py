"""The one thread on which everything is decided: batches in, one commit each, answers out."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import structlog

from actors.admission import URGENT, has_room
from actors.feed import Feed
from actors.metrics import BATCH_REQUESTS, BATCH_SECONDS
from actors.port import UnavailableError
from tidegate.gate import Batch, Reply, Request
from tidegate.reasons import Reason

# One commit carries at most this many requests, and about this many bytes of them: about 15 ms of the engine.
BATCH_REQUESTS_MAX = 512
BATCH_BYTES_MAX = 64 * 1024
# A busy engine, to which so many calls came one by one, rests after a batch for as long as the event loop beside it
# needs to answer them and to take in as many: more gathers for one commit, and the two need not take turns.
BUSY_CALLS_MIN = 4
REST_PER_CALL_S = 0.000_16
REST_MAX_S = 0.01

SILENT = "the RiskManager does not know whether the journal is still its own"
_OVERLOADED = Reply(b"", Reason.OVERLOADED, Reason.OVERLOADED.meaning)


class _Item(NamedTuple):
    """Requests that came together, and who waits for their replies: for the one reply, or for a list of them."""

    requests: Sequence[Request]
    answered: asyncio.Future[Any]
    is_one: bool


class EngineThread:
    """
    Takes what has gathered since the last commit, decides it as one batch, and answers on the event loop.

    A halt is taken before everything that waits; the rest keeps its order. If ``process`` raises, memory and journal
    may differ: ``on_fatal`` must end the process. While ``is_silent``, the answer to everything is UNAVAILABLE: what
    was decided may be another's by now.
    """

    def __init__(
        self,
        process: Callable[[list[Request]], Batch],
        feed: Feed,
        on_failures: Callable[[Sequence[BaseException]], None],
        on_fatal: Callable[[BaseException], None],
        is_silent: Callable[[], bool],
    ) -> None:
        """Stand ready on the running event loop; ``start`` begins to decide."""
        self._process = process
        self._feed = feed
        self._on_failures = on_failures
        self._on_fatal = on_fatal
        self._is_silent = is_silent
        # Batches that were answered: a watchdog sees by it that the thread does not hang.
        self.batches = 0
        self._loop = asyncio.get_running_loop()
        # The event loop puts, the engine takes. None wakes the engine for an urgent item, or for the end.
        self._inbox: SimpleQueue[_Item | None] = SimpleQueue()
        self._urgent: deque[_Item] = deque()
        self._has_urgent = threading.Event()
        self._next: _Item | None = None
        # Requests that wait or are being decided; only the event loop counts.
        self._waiting = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to decide."""
        self._thread.start()

    def stop(self) -> None:
        """Decide what waits already, then end; returns when the thread has."""
        self._stopping = True
        self._has_urgent.set()
        self._inbox.put(None)
        self._thread.join()

    def call(self, request: Request) -> asyncio.Future[Reply]:
        """
        Have one request decided with the next batch; the future is its reply.

        Raises:
            UnavailableError: the thread has ended.
        """
        return self._put((request,), is_one=True)

    def execute(self, requests: Sequence[Request]) -> asyncio.Future[list[Reply]]:
        """
        Have requests decided together; the future is one reply each. A halt comes alone, or first.

        Raises:
            UnavailableError: the thread has ended.
        """
        return self._put(requests, is_one=False)

    @property
    def thread_id(self) -> int | None:
        """The kernel's id of the thread, for whoever looks at this process from outside."""
        return self._thread.native_id

    @property
    def waiting(self) -> int:
        """How many requests wait or are being decided."""
        return self._waiting

    def _put(self, requests: Sequence[Request], *, is_one: bool) -> asyncio.Future[Any]:
        if self._stopping:
            text = "the engine has stopped"
            raise UnavailableError(text)
        item = _Item(requests, self._loop.create_future(), is_one)
        if requests[0].method in URGENT:
            self._urgent.append(item)
            self._has_urgent.set()
            self._inbox.put(None)
        elif has_room(self._waiting, requests):
            self._inbox.put(item)
        else:
            _reply(item, [_OVERLOADED] * len(requests))
            return item.answered
        self._waiting += len(requests)
        return item.answered

    def _run(self) -> None:
        while items := self._take():
            try:
                requests = [request for item in items for request in item.requests]
                began = time.perf_counter()
                batch = self._process(requests)
            except BaseException as error:  # noqa: BLE001 -- memory cannot be trusted any more, whatever it was
                self._stopping = True
                self._on_fatal(error)
                return
            self._loop.call_soon_threadsafe(self._answer, items, batch)
            elapsed_s = time.perf_counter() - began
            BATCH_REQUESTS.observe(len(requests))
            BATCH_SECONDS.observe(elapsed_s)
            if len(items) >= BUSY_CALLS_MIN and not self._stopping:
                self._has_urgent.wait(min(len(items) * REST_PER_CALL_S, REST_MAX_S))

    def _take(self) -> list[_Item]:
        """Wait for work; return a bounded batch of it, or nothing when stopping."""
        items: list[_Item] = []
        requests = size = 0
        while True:
            # Once it is to end it never waits: the None that was to wake it may have gone with the batch before.
            item = self._take_next(wait=not items and not self._stopping)
            if item is None:
                if items or (self._stopping and self._inbox.empty() and not self._urgent):
                    return items
                continue
            requests += len(item.requests)
            size += sum(len(request.body) for request in item.requests)
            if items and (requests > BATCH_REQUESTS_MAX or size > BATCH_BYTES_MAX):
                self._next = item
                return items
            items.append(item)

    def _take_next(self, *, wait: bool) -> _Item | None:
        if self._urgent:
            self._has_urgent.clear()
            return self._urgent.popleft()
        if self._next is not None:
            item, self._next = self._next, None
            return item
        try:
            return self._inbox.get(block=wait)
        except Empty:
            return None

    def _answer(self, items: list[_Item], batch: Batch) -> None:
        """Run on the event loop: publish, then reply."""
        if batch.publications:
            self._feed.publish(batch.publications)
        if batch.moves_bars:
            self._feed.move_bars()
        if batch.failures:
            self._on_failures(batch.failures)
        for trace in batch.traces:
            structlog.get_logger().info("decided", **trace._asdict())
        start = 0
        for item in items:
            end = start + len(item.requests)
            if self._is_silent():
                _refuse(item)
            else:
                _reply(item, batch.replies[start:end])
            start = end
        self._waiting -= start
        self.batches += 1


def _refuse(item: _Item) -> None:
    if not item.answered.done():
        item.answered.set_exception(UnavailableError(SILENT))


def _reply(item: _Item, replies: list[Reply]) -> None:
    if not item.answered.done():
        item.answered.set_result(replies[0] if item.is_one else replies)
