"""Adapters that the portfolio file starts: processes of their own, watched, ended with this one."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from gateway.credentials import TOKEN, VARIABLES
from gateway.inner_door import Inside
from tidegate.errors import ConfigurationError
from tidegate.portfolio_file import AdapterSection

_PAUSE_MIN_S = 0.5
_PAUSE_MAX_S = 30.0
_END_TIMEOUT_S = 3.0


class AdapterProcesses:
    """
    Starts each adapter that has a command, and starts it again when it dies, ever more slowly.

    An adapter gets ``--address``, ``--adapter`` and ``--exit-with-parent``, and its token in the environment, never on
    its command line; it ends when its standard input is closed, so that none is left behind even when this process is
    killed.
    """

    def __init__(
        self,
        adapters: Sequence[AdapterSection],
        *,
        folder: Path,
        inside: Inside,
        logs: Path,
        say: Callable[[str], None],
    ) -> None:
        """Prepare; ``start`` starts. Commands run in the portfolio file's folder and log into a file each."""
        self._adapters = [adapter for adapter in adapters if adapter.command]
        self._folder = folder
        self._inside = inside
        self._logs = logs
        self._say = say
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ending = threading.Event()
        self._watches: list[threading.Thread] = []

    def start(self) -> None:
        """
        Start the processes, and watch them.

        Raises:
            ConfigurationError: a command cannot be started.
        """
        for adapter in self._adapters:
            try:
                self._processes[adapter.name] = self._start(adapter)
            except OSError as error:
                message = f"adapter {adapter.name}: cannot start {adapter.command[0]}: {error.strerror}"
                raise ConfigurationError(message) from error
            watch = threading.Thread(target=self._keep_running, args=(adapter,), name=adapter.name, daemon=True)
            self._watches.append(watch)
            watch.start()

    def stop(self) -> None:
        """End the processes: ask by closing their input, then insist."""
        self._ending.set()
        for watch in self._watches:
            watch.join()
        for process in self._processes.values():
            _close(process.stdin)
            try:
                process.wait(_END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _keep_running(self, adapter: AdapterSection) -> None:
        pause_s = _PAUSE_MIN_S
        while not self._ending.wait(pause_s):
            process = self._processes[adapter.name]
            if process.poll() is None:
                continue
            _close(process.stdin)
            pause_s = min(pause_s * 2, _PAUSE_MAX_S)
            text = f"adapter {adapter.name} ended with exit code {process.returncode} and is started again"
            try:
                self._processes[adapter.name] = self._start(adapter)
            except OSError as error:
                text = f"adapter {adapter.name} ended and cannot be started: {error.strerror}"
            self._say(f"{text}; see {self._log(adapter)}")

    def _environment(self, adapter: AdapterSection) -> dict[str, str]:
        """Pass on everything but what whoever started the run shows as a client."""
        own = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        token = self._inside.adapter_tokens.get(adapter.name)
        return own if token is None else own | {TOKEN: token}

    def _log(self, adapter: AdapterSection) -> Path:
        return self._logs / f"adapter_{adapter.name}.log"

    def _start(self, adapter: AdapterSection) -> subprocess.Popen[bytes]:
        program, *arguments = adapter.command
        own = ["--address", self._inside.address, "--adapter", adapter.name, "--exit-with-parent"]
        with self._log(adapter).open("ab") as log:
            return subprocess.Popen(  # noqa: S603 -- the command is the portfolio file's own
                # "python" is the interpreter that runs Tidegate, so that the adapter finds the same packages.
                [sys.executable if program == "python" else program, *arguments, *own],
                cwd=self._folder,
                env=self._environment(adapter),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the parent, which ends the adapter in order
            )


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
