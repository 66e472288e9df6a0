"""Doing the schedule to real processes, while clients of their own go on."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import yaml

from actors.watchdog import SILENT_MAX_S
from chaos.processes import Run, RunError, send
from chaos.schedule import CLIENT, HANG, KILL, PAUSE, RESTART, RUN, SERVER, SESSION, Step
from chaos.session import STOP
from chaos.stores import Store

# Nothing acknowledged for so long: the run has failed, whatever the checker says.
SILENCE_MAX_S = 120.0
_LOOK_S = 0.1
# For how long, at least, a run goes on beside the one that has taken over.
_BESIDE_S = 3.0
_GOODBYE_S = 200.0
# A process that hangs for so much longer than its watchdog waits is ended by it.
_HANG_S = SILENT_MAX_S + 3.0

_LOCKED = "found locked"

_TRADERS = 4
CLIENTS: tuple[tuple[str, str, int], ...] = (
    *((f"trader-{number}", "trader", number % 2) for number in range(_TRADERS)),
    ("officer", "officer", 0),
    ("feed", "feed", 0),
    ("watcher-0", "watcher", 0),
    ("watcher-1", "watcher", 1),
)


def write_portfolio(folder: Path) -> None:
    """Write the portfolio file of a run: traders that are clients, strategies that are actors, one broker."""
    swinger = {"class": "chaos.swinger:Swinger", "kind": "margin", "route": "paper", "max_leverage": 2}
    content = {
        "name": "chaos",
        "currency": "USD",
        "capital": 10_000_000,
        "limits": {
            "max_leverage": 0.5,
            "max_concentration": 0.3,
            "halt_drawdown": 0.5,
            "max_drawdown": 0.4,
            "warn_drawdown": 0.3,
            "max_order_quantity": 90,
            "max_price_age_s": 30,
        },
        "instruments": [{"symbol": "ONE"}, {"symbol": "TWO", "multiplier": 3}, {"symbol": "SIX"}],
        "strategies": [
            {"id": f"trader-{number}", "kind": "external", "allocation": 0.15, "max_leverage": 0.2}
            for number in range(_TRADERS)
        ]
        + [
            swinger | {"id": f"swinger-{number}", "allocation": 0.1, "parameters": {"quantity": 10 + number}}
            for number in range(2)
        ],
        "adapters": [
            {"name": "paper", "command": ["python", "-m", "chaos.broker", "--log", str(folder / "broker.log")]},
            {"name": "desk"},
        ],
    }
    (folder / "portfolio.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


class Driver:
    """
    A run, its clients, and what was done to them.

    done: how often what was done. answered: decisions that the traders have acknowledged. silences_s: how long nobody
    was answered after each kill of the RiskManager that was waited for.
    """

    def __init__(self, folder: Path, store: Store, seed: int, rate: float) -> None:
        """Begin a run in a folder, on a journal; rate: orders a second, of all traders together."""
        self._folder = folder
        self._store = store
        self._seed = seed
        self._per_s = rate / _TRADERS
        self._lives: Counter[str] = Counter()
        self._clients: dict[str, subprocess.Popen[bytes]] = {}
        self._offsets: Counter[str] = Counter()
        self.done: Counter[tuple[str, str]] = Counter()
        self.silences_s: list[float] = []
        self.answered = 0
        write_portfolio(folder)
        self.run = Run(folder, store.argument)

    def start(self) -> None:
        """Wait for the run, then start the clients."""
        self.run.wait()
        for name, _, _ in CLIENTS:
            self._begin(name)

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return sum(count for (action, _), count in self.done.items() if action not in (PAUSE, _LOCKED))

    def do(self, step: Step) -> None:
        """
        Do one step, after its pause.

        Raises:
            RunError: a new run did not start, or nobody was answered for too long.
        """
        time.sleep(step.pause_s)
        if step.target == RUN:
            self._restart() if step.action == RESTART else self._take_over(step.lasts_s)
        elif step.target in (SERVER, SESSION):
            if not self._store.disturb(step):
                return  # nobody writes: the next RiskManager is on its way
        elif step.target == CLIENT:
            name = CLIENTS[step.lot % len(CLIENTS)][0]
            self._clients[name].kill()
            self._clients[name].wait()
            self._begin(name)
        else:
            pids = self.run.pids(step.target)
            if not pids:
                return  # it is on its way back from the last time
            pid = pids[step.lot % len(pids)]
            send(pid, signal.SIGKILL if step.action == KILL else signal.SIGSTOP)
            if step.action in (PAUSE, HANG):
                time.sleep(step.lasts_s if step.action == PAUSE else _HANG_S)
                send(pid, signal.SIGCONT)
        self.done[step.action, step.target] += 1
        if step.waits or step.target == RUN:
            began = time.monotonic()
            self._wait_for_answers()
            if (step.action, step.target) == (KILL, "risk manager"):
                self.silences_s.append(time.monotonic() - began)

    def count(self) -> int:
        """Count the orders that traders were answered so far."""
        for name, kind, _ in CLIENTS:
            path = self._folder / f"{name}.log"
            if kind == "trader" and path.exists():
                with path.open("rb") as log:
                    log.seek(self._offsets[name])
                    fresh = log.read()
                self._offsets[name] += len(fresh)
                self.answered += fresh.count(b'[true, "order"')
        return self.answered

    def finish(self) -> None:
        """
        Let the clients come to an end; the run goes on.

        Raises:
            RunError: one of them was never answered, or failed.
        """
        (self._folder / STOP).touch()
        for name, process in self._clients.items():
            try:
                code = process.wait(_GOODBYE_S)
            except subprocess.TimeoutExpired as error:
                process.kill()
                message = f"{name} was not answered within {_GOODBYE_S:g} s"
                raise RunError(message) from error
            if code:
                message = f"{name} ended with exit code {code}; see {self._folder / 'clients.log'}"
                raise RunError(message)

    def stop(self) -> None:
        """End everything, whatever state it is in."""
        for process in self._clients.values():
            process.kill()
            process.wait()
        self.run.stop()

    def _begin(self, name: str) -> None:
        """Start a client, in its next life."""
        ((_, kind, gateway),) = (client for client in CLIENTS if client[0] == name)
        self._lives[name] += 1
        options = {"folder": self._folder, "name": name, "seed": self._seed, "life": self._lives[name]}
        options |= {"gateway": gateway, "per-s": self._per_s}
        flags = [word for option, value in options.items() for word in (f"--{option}", str(value))]
        with (self._folder / "clients.log").open("ab") as output:
            self._clients[name] = subprocess.Popen(  # noqa: S603 -- this interpreter, our own module
                [sys.executable, "-m", "chaos.clients", kind, *flags],
                stdin=subprocess.PIPE,  # closed when this process ends, however that comes: then the client ends
                stdout=output,
                stderr=output,
            )

    def _restart(self) -> None:
        """Kill the process that started everything, and start another run on the journal."""
        old, tree = self.run, self.run.tree()
        send(old.process.pid, signal.SIGKILL)
        old.process.wait()
        self.run = Run(self._folder, self._store.argument)
        self.run.wait()
        old.end(tree)

    def _take_over(self, lasts_s: float) -> None:
        """
        Stop a whole run, start another one on its journal, and let the first go on beside it: a tree of zombies.

        The lock that keeps two runs apart is removed first, as by one who believes the first dead.
        """
        old, tree = self.run, self.run.tree()
        for pid in tree:
            send(pid, signal.SIGSTOP)
        self._store.unlock()
        self.run = Run(self._folder, self._store.argument)
        try:
            try:
                self.run.wait()
            except RunError:  # the old one was stopped within a commit, and holds the file: it has to go on first
                self.done[_LOCKED, "journal"] += 1
                _go_on(tree)
                self.run = Run(self._folder, self._store.argument)
                self.run.wait()
            _go_on(tree)
            time.sleep(_BESIDE_S + lasts_s)
        finally:
            old.end(tree)

    def _wait_for_answers(self) -> None:
        before, began = self.count(), time.monotonic()
        while self.count() == before:
            if time.monotonic() - began > SILENCE_MAX_S:
                message = f"nobody was answered for {SILENCE_MAX_S:g} s after {_last(self.done)}"
                raise RunError(message)
            time.sleep(_LOOK_S)


def _go_on(tree: list[int]) -> None:
    for pid in reversed(tree):
        send(pid, signal.SIGCONT)


def _last(done: Iterable[tuple[str, str]]) -> str:
    return ", ".join(" ".join(place) for place in done) or "the start"
