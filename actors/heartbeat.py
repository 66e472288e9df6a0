"""An actor's heartbeat: it tells the watchdog beside it that it lives, and replaces a watchdog that does not."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from actors import watchdog

BEAT_S = 0.5
# A watchdog that echoes nothing for so many beats is replaced.
_UNECHOED_MAX = 10


class Heartbeat:
    """
    Beats twice a second, from the event loop, while ``is_well`` says so.

    Five seconds without a beat, and the watchdog ends this process by SIGKILL: what hangs can be ended no
    other way.
    """

    def __init__(self, is_well: Callable[[], bool], log: FilteringBoundLogger) -> None:
        """Begin, on the running event loop."""
        self._is_well = is_well
        self._log = log
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Let the watchdog go."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            try:
                await self._beat_one()
            except OSError as error:
                self._log.error("watchdog_failed", error=str(error))
            await asyncio.sleep(BEAT_S)

    async def _beat_one(self) -> None:
        """Beat for one watchdog, until it is gone or hangs."""
        with subprocess.Popen(  # noqa: S603, ASYNC220 -- this interpreter, our script; begun once
            [sys.executable, "-I", watchdog.__file__, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        ) as dog:
            if dog.stdin is None or dog.stdout is None:
                raise AssertionError
            os.set_blocking(dog.stdin.fileno(), False)
            os.set_blocking(dog.stdout.fileno(), False)
            unechoed = 0
            try:
                while unechoed < _UNECHOED_MAX:
                    if self._is_well():
                        dog.stdin.write(b".")
                        unechoed += 1
                    await asyncio.sleep(BEAT_S)
                    if dog.stdout.read(1024):
                        unechoed = 0
            finally:
                dog.kill()
                self._log.info("watchdog_gone", unechoed=unechoed)
