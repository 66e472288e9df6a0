"""The port in the RiskManager's own process: engine thread, journal and feed, put together."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from actors.engine_thread import SILENT, EngineThread
from actors.feed import Feed
from actors.in_flight import InFlight
from actors.lease import Lease
from actors.metrics import BookCollector
from actors.port import StreamMessage, UnavailableError
from tidegate.clocks import WALL
from tidegate.errors import JournalError
from tidegate.gate import Gate, Reply, Request
from tidegate.history import read_past
from tidegate.journal.contract import Journal
from tidegate.journal.reports import ReportFile
from tidegate.permissions import INTERNAL
from tidegate.state.recovery import Recovery
from tidegate.v1 import journal_pb2

_TICK_S = 0.5
_CHECKPOINT_S = 1.0
_ADVANCE = Request("AdvanceTime", b"", INTERNAL)


class LocalPort:
    """
    The gate on an engine thread of its own.

    Until ``open`` has read the journal, and whenever the lease on it is over, every call is UNAVAILABLE: no answer is
    ever given from half a history, nor by one that may have been replaced.
    """

    def __init__(
        self,
        on_failures: Callable[[Sequence[BaseException]], None],
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        """Stand closed; the callbacks log failures, and end the process when memory cannot be trusted."""
        self._feed = Feed()
        self._engine: EngineThread | None = None
        self._gate: Gate | None = None
        self._lease: Lease | None = None
        self._in_flight: InFlight | None = None
        self._batches_seen = 0
        self._reports: ReportFile | None = None
        # Held from the first failure on: the engine and the lease may find the same one.
        self._failed = threading.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._on_failures = on_failures
        self._on_fatal = on_fatal

    async def open(
        self,
        open_gate: Callable[[], Gate],
        configuration: journal_pb2.PortfolioConfigured,
        in_flight: InFlight | None = None,
        *,
        whole: bool = False,
        reports: ReportFile | None = None,
    ) -> int:
        """
        Open the journal and fold it, off the event loop; return the number of events in it.

        in_flight: where to note what is being decided; None where a crash ends everything. whole: from the first event,
        whatever snapshots there are. reports: those of sessions, where some are made.

        Raises:
            JournalError, ConfigurationError: the journal cannot be used; the port stays closed.
        """

        def read() -> tuple[Gate, Lease, int]:
            gate = open_gate()
            try:
                count = gate.start(configuration, None if in_flight is None else in_flight.left, whole=whole)
                lease = Lease(gate.journal, self._fail)
                lease.start()
            except BaseException:
                gate.journal.close()
                raise
            return gate, lease, count

        self._failed = threading.Lock()
        gate, lease, count = await asyncio.to_thread(read)
        self._gate, self._lease, self._in_flight = gate, lease, in_flight
        self._reports = reports
        self._feed.floor = count
        process = gate.process if in_flight is None else partial(in_flight.process, gate)
        self._engine = EngineThread(process, self._feed, self._on_failures, self._fail, lease.is_over)
        self._engine.start()
        self._tasks = [asyncio.create_task(self._checkpoint(gate.journal))]
        if configuration.clock == WALL:
            self._tasks.append(asyncio.create_task(self._tick()))
        return count

    async def close(self) -> None:
        """Decide what waits already, record the end, then close the journal."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._engine is not None and self._gate is not None:
            engine, self._engine = self._engine, None
            await asyncio.to_thread(engine.stop)
            if self._lease is not None:
                await asyncio.to_thread(self._lease.stop)
            if not self._failed.locked():
                try:
                    await asyncio.to_thread(self._gate.stop)
                except JournalError as error:  # then the next start counts as unplanned, as it should
                    structlog.get_logger().warning("stop_not_recorded", error=str(error))
            self._gate.journal.close()
            if self._in_flight is not None:
                self._in_flight.close()

    def thread_id(self) -> int | None:
        """Return the kernel's id of the engine's thread; raises UnavailableError while closed."""
        return self._opened().thread_id

    def head_sequence(self) -> int:
        """Return the last event that is durable; raises UnavailableError while closed."""
        if self._gate is None:
            raise _closed()
        return self._gate.journal.head().sequence

    def recovery(self) -> Recovery:
        """Return from where the state went on; raises UnavailableError while closed."""
        if self._gate is None:
            raise _closed()
        return self._gate.recovery

    def collector(self) -> BookCollector:
        """Return what reads the book's figures off, for Prometheus; raises UnavailableError while closed."""
        engine = self._opened()
        if self._gate is None:
            raise _closed()
        return BookCollector(self._gate, engine)

    def call(self, request: Request) -> Awaitable[Reply]:
        """Have one request decided with whatever else has arrived."""
        return self._opened().call(request)

    async def execute(self, requests: Sequence[Request]) -> list[Reply]:
        """Have a batch decided; one reply a request."""
        return await self._opened().execute(requests)

    async def wait(self, request: Request, timeout_s: float) -> Reply:
        """Ask a read again whenever the bars have moved, until it has an answer; an empty reply at the time-out."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    moved = self._feed.bars_moved
                    (reply,) = await self.execute([request])
                    if reply.body or reply.reason:
                        return reply
                    await moved.wait()
        except TimeoutError:
            return Reply(b"")

    async def follow(self, topic: str, after: int, timeout_s: float) -> list[StreamMessage]:
        """Return what was published on a topic after a sequence, waiting for it; nothing at the time-out."""
        self._opened()
        found = await self._feed.follow(topic, after, timeout_s)
        self._opened()
        return found

    async def read(self, request: Request) -> Reply:
        """Answer from the journal alone, beside the engine: a part of the past."""
        self._opened()
        if self._gate is None:
            raise _closed()
        return await asyncio.to_thread(read_past, self._gate.journal, request, self._reports)

    async def is_serving(self) -> bool:
        """Tell whether the journal has been read, and is known to be this one's still."""
        return self._engine is not None and not self._is_silent()

    def is_moving(self) -> bool:
        """Tell whether the engine thread has decided something since the last look, or has nothing to decide."""
        if self._engine is None:
            return True
        seen, self._batches_seen = self._batches_seen, self._engine.batches
        return self._engine.waiting == 0 or seen != self._batches_seen

    async def _tick(self) -> None:
        """Let time go on for what falls due by itself. In a replay the bars carry the time, and nothing does."""
        while True:
            await asyncio.sleep(_TICK_S)
            await self.execute([_ADVANCE])

    async def _checkpoint(self, journal: Journal) -> None:
        """Let the store tidy up beside the engine; what it could not do now it does with a commit."""
        while True:
            await asyncio.sleep(_CHECKPOINT_S)
            try:
                await asyncio.to_thread(journal.checkpoint)
            except JournalError as error:
                structlog.get_logger().warning("checkpoint_failed", error=str(error))

    def _fail(self, error: BaseException) -> None:
        if self._failed.acquire(blocking=False):
            self._on_fatal(error)

    def _opened(self) -> EngineThread:
        if self._engine is None:
            raise _closed()
        if self._is_silent():
            raise UnavailableError(SILENT)
        return self._engine

    def _is_silent(self) -> bool:
        return self._lease is not None and self._lease.is_over()


def _closed() -> UnavailableError:
    return UnavailableError("the RiskManager has not read its journal yet")
