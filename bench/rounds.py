"""The rounds: echo, gateway beside and gateway apart take turns, each driven in the same way."""

import multiprocessing
import signal
import tempfile
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from bench import engine, h2load, sdk
from bench.load import Generator, Load, LoadResult
from bench.servers import require_journaled, started_echo, started_gateway

ECHO, ECHO_UVLOOP, BESIDE, APART = "echo", "echo_uvloop", "beside", "apart"
TARGETS = (ECHO, BESIDE, ECHO_UVLOOP, APART)
ECHOES = (ECHO, ECHO_UVLOOP)
BATCH = 500


@dataclass(frozen=True)
class Plan:
    """
    How much is measured.

    orders: of a saturated run, in ``connections`` times ``streams`` open calls; the first ``warm_up`` are not counted.
    alone: calls one after the other. batches: calls of 500 orders. halts: in all rounds together.
    engine_batches: of 500 orders, for the engine by itself.
    """

    rounds: int = 5
    orders: int = 12_000
    warm_up: int = 2_000
    connections: int = 10
    streams: int = 10
    alone: int = 500
    batches: int = 40
    halts: int = 200
    engine_batches: int = 16


QUICK = Plan(rounds=1, orders=1_000, warm_up=100, alone=50, batches=4, halts=5, engine_batches=4)

# Under the halts the load goes on until they are done; it must not run out of orders before.
_HALT_LOADS = 5


class Rounds:
    """Measures, and keeps every round's figures in ``samples``, by names such as ``beside_saturated_per_s``."""

    def __init__(self, plan: Plan, folder: Path, say: Callable[[str], None]) -> None:
        """Work in a folder of the disk that is measured; ``say`` gets a line for each step."""
        self.samples: defaultdict[str, list[float]] = defaultdict(list)
        self._plan = plan
        self._folder = folder
        self._say = say
        self._generator = Generator()
        # Of a process of its own as well: the SDK, and the engine.
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _leave_signals)
        self._reply = b""
        self._sent = 0

    def close(self) -> None:
        """End the processes that measure."""
        self._generator.close()
        self._pool.shutdown()

    def measure_engine(self, number: int) -> None:
        """Measure the engine by itself; before the echo, which answers with its reply."""
        found = self._pool.submit(engine.measure, self._plan.engine_batches, self._folder).result()
        self._reply = found.reply
        for name, value in found.medians_us.items():
            self.samples[name].append(value)
        self._say(f"round {number}, engine: {found.medians_us['engine_us']:.1f} µs an order")

    def visit(self, target: str, number: int) -> None:
        """Start a target, drive it, stop it; a gateway's journal then holds a decision for every order."""
        self._sent = 0
        with tempfile.TemporaryDirectory(dir=self._folder) as own:
            with self._started(target, Path(own)) as address:
                # First, so that a journal is one that has been written to for a while.
                saturated = self._saturated(target, address)
                self._alone(target, address)
                if target in (ECHO, BESIDE) and h2load.is_installed():
                    self._h2load(target, address)
                if target == BESIDE:
                    self._batches(address)
                    self._halts(address)
            if target not in ECHOES:
                require_journaled(Path(own), self._sent)
        alone_ms = self.samples[f"{target}_alone_p50_ms"][-1]
        self._say(f"round {number}, {target}: {saturated.per_s:,.0f} calls/s; alone p50 {alone_ms:.2f} ms")

    def _started(self, target: str, folder: Path) -> AbstractContextManager[str]:
        if target in ECHOES:
            return started_echo(self._reply, on_uvloop=target == ECHO_UVLOOP)
        return started_gateway(folder, self._say, apart=target == APART)

    def _alone(self, target: str, address: str) -> None:
        count = self._plan.alone
        warm_up = count // 10
        found = self._drive(target, Load(address, "alone", count + warm_up, warm_up))
        self._keep(target, alone_p50_ms=found.p50_ms, alone_p99_ms=found.p99_ms)
        latency = self._pool.submit(sdk.alone, address, "sdk", count).result()
        self._sent += latency.orders
        self._keep(target, sdk_alone_p50_ms=latency.p50_ms, sdk_alone_p99_ms=latency.p99_ms)

    def _batches(self, address: str) -> None:
        warm_up = max(self._plan.batches // 10, 1)
        found = self._drive(BESIDE, Load(address, "batch", self._plan.batches + warm_up, warm_up, batch=BATCH))
        self._keep(BESIDE, batch500_orders_per_s=found.per_s * BATCH, batch500_p50_ms=found.p50_ms)

    def _saturated(self, target: str, address: str) -> LoadResult:
        found = self._drive(target, self._full(address, "full"))
        self._keep(
            target,
            saturated_per_s=found.per_s,
            saturated_p50_ms=found.p50_ms,
            saturated_p99_ms=found.p99_ms,
            load_cpu_share=found.cpu_share,
        )
        return found

    def _h2load(self, target: str, address: str) -> None:
        plan = self._plan
        per_s = h2load.rate(
            address, self._folder, count=plan.orders, connections=plan.connections, streams=plan.streams
        )
        self._sent += 1
        self._keep(target, h2load_same_order_per_s=per_s)

    def _halts(self, address: str) -> None:
        load = self._full(address, "halts")
        self._pool.submit(sdk.publish_prices, address).result()
        self._generator.begin(replace(load, count=load.count * _HALT_LOADS))
        count = -(-self._plan.halts // self._plan.rounds)
        halts = self._pool.submit(sdk.halts, address, count).result()
        loaded = self._generator.end()
        self._sent += halts.orders + loaded.requests
        self.samples["halt_under_load_ms"] += halts.times_ms
        self._keep(BESIDE, halts_working_orders=halts.working_orders, halts_saturated_per_s=loaded.per_s)

    def _full(self, address: str, prefix: str) -> Load:
        plan = self._plan
        return Load(address, prefix, plan.orders, plan.warm_up, plan.connections, plan.streams)

    def _drive(self, target: str, load: Load) -> LoadResult:
        if target not in ECHOES:
            self._pool.submit(sdk.publish_prices, load.address).result()
        found = self._generator.run(replace(load, is_echo=target in ECHOES))
        self._sent += found.requests * load.batch
        return found

    def _keep(self, target: str, **figures: float) -> None:
        for name, value in figures.items():
            self.samples[f"{target}_{name}"].append(value)


def _leave_signals() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
