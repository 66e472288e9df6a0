"""The RiskManager: the only one that decides, and the only one that writes the journal."""

import asyncio
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import REGISTRY

from actors.clocks import clock_of
from actors.garbage import collect_rarely
from actors.heartbeat import Heartbeat
from actors.in_flight import InFlight, note_of
from actors.line import line_of, serve_line
from actors.local_port import LocalPort
from actors.logs import open_log
from actors.metrics import COMMIT_SECONDS
from actors.port import FrontDoor, OpenFrontDoor, StreamMessage
from actors.restarts import EXIT_FATAL, start_again_after_a_restart
from actors.snapshots import SNAPSHOT_EVERY, keep_snapshots
from tidegate.gate import Gate, Reply, Request
from tidegate.journal.location import Location, open_journal
from tidegate.journal.reports import ReportFile
from tidegate.v1 import journal_pb2


@dataclass(frozen=True)
class RiskManagerSettings:
    """
    What a RiskManager needs to begin, and to begin again.

    configuration: a serialized PortfolioConfigured. open_front_door: opens a gateway beside it; None without one.
    open_metrics: serves this process's figures; None where nobody wants them. snapshot_every: events between two
    snapshots, 0 for none. whole: read every event at the start, whatever snapshots there are.
    reports: the file of those of sessions; None where none are made. run: tells this run from every other one.
    """

    configuration: bytes
    journal: Location
    logs: Path
    open_front_door: OpenFrontDoor | None = None
    open_metrics: Callable[[], None] | None = None
    snapshot_every: int = SNAPSHOT_EVERY
    whole: bool = False
    reports: Path | None = None
    run: str = field(default_factory=lambda: secrets.token_hex(12))


class RiskManager:
    """
    A thin shell: one engine thread, one journal, and perhaps a gateway beside them.

    The front door opens first and says NOT_SERVING until the journal has been read.
    """

    def __init__(self, settings: RiskManagerSettings) -> None:
        """Keep the settings; ``start`` does what can fail."""
        self._settings = settings
        self._log = open_log(settings.logs, "risk_manager")
        self._port = LocalPort(self._log_failures, self._end_process)
        self._front_door: FrontDoor | None = None
        self._line: asyncio.Server | None = None
        self._has_metrics = False
        self._snapshots: asyncio.Task[None] | None = None
        self._in_flight: InFlight | None = None
        self._heartbeat = Heartbeat(self._port.is_moving, self._log)
        start_again_after_a_restart(self.start, self._log)

    async def start(self) -> int:
        """
        Open the front door, read the journal, begin to decide; return the number of events read.

        Raises:
            JournalError, ConfigurationError: the journal cannot be used.
        """
        settings = self._settings
        configuration = journal_pb2.PortfolioConfigured.FromString(settings.configuration)
        clock = clock_of(configuration)
        if settings.open_metrics is not None and not self._has_metrics:
            settings.open_metrics()
            self._has_metrics = True
        if settings.open_front_door is not None and self._front_door is None:
            self._front_door = await settings.open_front_door(self._port)
        if self._line is None:
            self._line = await serve_line(line_of(settings.run), self._port.execute)
        if self._in_flight is None:
            self._in_flight = InFlight(note_of(settings.journal, settings.logs))
        count = await self._port.open(
            lambda: Gate(open_journal(settings.journal, COMMIT_SECONDS.time), clock),
            configuration,
            self._in_flight,
            whole=settings.whole,
            reports=None if settings.reports is None else ReportFile(settings.reports),
        )
        recovery = self._port.recovery()
        for refused in recovery.refused:
            self._log.warning("snapshot_refused", reason=refused)
        REGISTRY.register(self._port.collector())
        collect_rarely()
        self._log.info(
            "started",
            events=count,
            snapshot=recovery.head.sequence,
            journal=str(settings.journal),
            clock=configuration.clock,
            engine_thread=self._port.thread_id(),
        )
        taken = recovery.head.sequence
        keeping = keep_snapshots(settings.journal, settings.snapshot_every, taken, self._port.head_sequence, self._log)
        self._snapshots = asyncio.get_running_loop().create_task(keeping)
        return count

    async def stop(self) -> None:
        """Close the front door, decide what waits already, close the journal."""
        if self._front_door is not None:
            await self._front_door.close()
        if self._line is not None:
            self._line.close()
            line_of(self._settings.run).unlink(missing_ok=True)
        if self._snapshots is not None:
            self._snapshots.cancel()
            await asyncio.gather(self._snapshots, return_exceptions=True)
        await self._port.close()
        await self._heartbeat.stop()
        self._log.info("stopped")

    async def process_id(self) -> int:
        """Return this process's id."""
        return os.getpid()

    # The port, for those who reach it over Ray.

    async def execute(self, requests: Sequence[Request]) -> list[Reply]:
        """Have a batch decided; one reply a request."""
        return await self._port.execute(requests)

    async def wait(self, request: Request, timeout_s: float) -> Reply:
        """Ask a read again whenever the bars have moved, until it has an answer; an empty reply at the time-out."""
        return await self._port.wait(request, timeout_s)

    async def follow(self, topic: str, after: int, timeout_s: float) -> list[StreamMessage]:
        """Return what was published on a topic after a sequence, waiting for it; nothing at the time-out."""
        return await self._port.follow(topic, after, timeout_s)

    async def read(self, request: Request) -> Reply:
        """Answer from the journal alone, beside the engine: a part of the past."""
        return await self._port.read(request)

    async def is_serving(self) -> bool:
        """Tell whether the journal has been read."""
        return await self._port.is_serving()

    def _log_failures(self, failures: Sequence[BaseException]) -> None:
        for failure in failures:
            self._log.critical("command_failed", exc_info=failure)

    def _end_process(self, error: BaseException) -> None:
        """Fail-stop: what is in memory may be ahead of the journal; Ray starts the actor again from the journal."""
        self._log.critical("fail_stop", exc_info=error)
        os._exit(EXIT_FATAL)
