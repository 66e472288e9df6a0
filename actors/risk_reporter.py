"""The RiskReporter: makes the reports of sessions in a process of its own, beside everything that trades."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import ray

from actors.logs import open_log
from actors.names import NAMESPACE
from actors.ray_port import RayPort
from actors.restarts import EXIT_FATAL, start_again_after_a_restart
from tidegate.journal.location import Location
from tidegate.report_rules import ReportRules

# Whatever decides or trades on this machine goes first.
_NICENESS = 10


@dataclass(frozen=True)
class ReporterSettings:
    """What the reporter needs to begin, and to begin again. reports: their file, on the RiskManager's machine."""

    rules: ReportRules
    journal: Location
    reports: Path
    risk_manager: str
    logs: Path


class RiskReporter:
    """
    A thin shell round ``Reporting``. Nobody waits for it: its death stops no order, and it makes up for what it missed.

    scipy and what it brings are imported here and nowhere else.
    """

    def __init__(self, settings: ReporterSettings) -> None:
        """Keep the settings; ``start`` does what can fail."""
        self._settings = settings
        self._log = open_log(settings.logs, "risk_reporter")
        self._running: asyncio.Task[None] | None = None
        start_again_after_a_restart(self.start, self._log)

    async def start(self) -> None:
        """
        Begin to follow the journal.

        Raises:
            JournalError: the journal or the reports' file cannot be used.
        """
        if self._running is not None:
            return
        from actors.reporting import Reporting  # noqa: PLC0415 -- scipy, in this process only

        os.nice(_NICENESS)
        port = RayPort(ray.get_actor(self._settings.risk_manager, NAMESPACE))
        reporting = Reporting(self._settings.journal, self._settings.reports, self._settings.rules, port, self._log)
        self._running = asyncio.get_running_loop().create_task(reporting.run())
        self._running.add_done_callback(self._end_process)
        self._log.info("started", journal=str(self._settings.journal))

    async def process_id(self) -> int:
        """Return this process's id."""
        return os.getpid()

    def _end_process(self, ended: "asyncio.Task[None]") -> None:
        """Start anew when the loop ends by what nobody foresaw: reports must not stay away in silence."""
        if not ended.cancelled():
            self._log.critical("fail_stop", exc_info=ended.exception())
            os._exit(EXIT_FATAL)
