"""The processes of a run: found among the children of what this one started, and nobody else's."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from chaos.session import ADDRESSES
from gateway.testing import free_address

_START_TIMEOUT_S = 180.0
_LOOK_S = 0.1
_TITLES = {
    "risk manager": "ray::RiskManager",
    "gateway": "ray::GatewayHost",
    "allocator": "ray::PortfolioAllocator",
    "strategy": "ray::StrategyActor",
    "adapter": "chaos.broker",
}
KINDS = tuple(_TITLES)


class RunError(Exception):
    """A run that did not start, or that stands still."""


class Run:
    """One ``tidegate run`` with its whole tree of processes, on addresses of its own."""

    def __init__(self, folder: Path, journal: str) -> None:
        """Start it on the folder's portfolio file, and on a journal; ``wait`` until it serves."""
        self.addresses = [free_address(), free_address()]
        self._output = folder / "run.log"
        self._seen = self._output.stat().st_size if self._output.exists() else 0
        beside, apart = self.addresses
        command = "from gateway.cli import app; app()"
        arguments = ["run", "portfolio.yaml", "--journal", journal, "--address", beside, "--gateway", apart]
        with self._output.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 -- this interpreter, our own command
                [sys.executable, "-c", command, *arguments],
                cwd=folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._folder = folder

    def wait(self) -> None:
        """
        Wait until it serves, then let the clients find it.

        Raises:
            RunError: it did not start.
        """
        ends = time.monotonic() + _START_TIMEOUT_S
        while b"serving on" not in self._said():
            if self.process.poll() is not None or time.monotonic() > ends:
                message = f"tidegate run did not start: {self._said().decode(errors='replace')[-500:]}"
                raise RunError(message)
            time.sleep(_LOOK_S)
        new = self._folder / f"{ADDRESSES}.new"
        new.write_text(json.dumps(self.addresses), encoding="utf-8")
        new.rename(self._folder / ADDRESSES)

    def pids(self, kind: str) -> list[int]:
        """Find the living processes of one kind."""
        return [pid for pid in self.tree() if _TITLES[kind] in _command_of(pid)]

    def tree(self) -> list[int]:
        """Find the run's process and all below it, parents first."""
        return tree_of(self.process.pid)

    def stop(self) -> None:
        """End it in order, and whatever is left of it by force."""
        tree = self.tree()
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(60)
        self.end(tree)

    def end(self, tree: list[int]) -> None:
        """Kill what is left of a tree that was written down; a number that is another's by now is spared."""
        begun = {pid: _begun(pid) for pid in {*tree, *self.tree()}}
        for pid, since in begun.items():
            if since and since == _begun(pid):
                send(pid, signal.SIGKILL)
        self.process.wait()

    def _said(self) -> bytes:
        with self._output.open("rb") as output:
            output.seek(self._seen)
            return output.read()


def tree_of(root: int) -> list[int]:
    """Find a process and all below it, parents first."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def is_there(pid: int) -> bool:
    """Tell whether a process lives, and does not only wait to be reaped."""
    fields = _stat(pid)
    return bool(fields) and fields[0] != "Z"


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; tell whether there was somebody to receive it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _parents() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and (fields := _stat(int(path.name))):
            yield int(path.name), int(fields[1])


def _begun(pid: int) -> str:
    """Say when a process began, in the kernel's ticks; nothing where there is none."""
    fields = _stat(pid)
    return fields[19] if fields else ""


def _stat(pid: int) -> list[str]:
    """Read the fields behind the name, which may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
