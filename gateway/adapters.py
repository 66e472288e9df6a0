"""Adapters that the portfolio file starts: processes of their own, watched, ended with this one."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from tidegate.portfolio_file import AdapterSection

_CHECK_PERIOD_S = 0.5
_END_TIMEOUT_S = 3.0


class AdapterProcesses:
    """
    Starts each adapter that has a command, and starts it again when it dies.

    An adapter gets ``--address``, ``--adapter`` and ``--exit-with-parent``; it ends when its standard input is closed,
    so that none is left behind even when this process is killed.
    """

    def __init__(self, adapters: Sequence[AdapterSection], *, folder: Path, address: str, logs: Path) -> None:
        """Prepare; ``start`` starts. Commands run in the portfolio file's folder and log into a file each."""
        self._adapters = [adapter for adapter in adapters if adapter.command]
        self._folder = folder
        self._address = address
        self._logs = logs
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ending = threading.Event()
        self._watch = threading.Thread(target=self._keep_running, name="adapters", daemon=True)
        self.restarts = 0

    def start(self) -> None:
        """Start the processes, and watch them."""
        for adapter in self._adapters:
            self._processes[adapter.name] = self._start(adapter)
        self._watch.start()

    def process_ids(self) -> dict[str, int]:
        """Return each adapter's process id."""
        return {name: process.pid for name, process in self._processes.items()}

    def stop(self) -> None:
        """End the processes: ask by closing their input, then insist."""
        self._ending.set()
        if self._watch.is_alive():
            self._watch.join()
        for process in self._processes.values():
            _close(process.stdin)
            try:
                process.wait(_END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _keep_running(self) -> None:
        while not self._ending.wait(_CHECK_PERIOD_S):
            for adapter in self._adapters:
                if self._processes[adapter.name].poll() is not None:
                    _close(self._processes[adapter.name].stdin)
                    self._processes[adapter.name] = self._start(adapter)
                    self.restarts += 1

    def _start(self, adapter: AdapterSection) -> subprocess.Popen[bytes]:
        program, *arguments = adapter.command
        own = ["--address", self._address, "--adapter", adapter.name, "--exit-with-parent"]
        with (self._logs / f"adapter_{adapter.name}.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 -- the command is the portfolio file's own
                # "python" is the interpreter that runs Tidegate, so that the adapter finds the same packages.
                [sys.executable if program == "python" else program, *arguments, *own],
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the parent, which ends the adapter in order
            )


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
