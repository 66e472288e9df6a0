"""The load: a process of its own that keeps a number of calls open, each with a request of its own."""

import multiprocessing
import selectors
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from statistics import median, quantiles
from typing import NamedTuple

from bench import flow
from bench.errors import BenchError
from bench.http2 import Connection
from tidegate.v1 import common_pb2, orders_pb2

SUBMIT_ORDER = "/tidegate.v1.OrderService/SubmitOrder"
SUBMIT_ORDERS = "/tidegate.v1.OrderService/SubmitOrders"
_STOP = "stop"
_SILENCE_S = 10.0


@dataclass(frozen=True)
class Load:
    """
    What to send, and how.

    prefix: of the orders' ids, one load's own. count: requests in all; the first ``warm_up`` are not counted.
    batch: orders a request; one is SubmitOrder, more are SubmitOrders. is_echo: the server repeats one answer.
    """

    address: str
    prefix: str
    count: int
    warm_up: int
    connections: int = 1
    streams: int = 1
    batch: int = 1
    is_echo: bool = False


class LoadResult(NamedTuple):
    """What a load came to; cpu_share: of one core, what the load itself took."""

    requests: int
    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_share: float


class Generator:
    """Drives one load after the other from a process of its own."""

    def __init__(self) -> None:
        """Start the process."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), name="load", daemon=True)
        self._process.start()
        theirs.close()

    def run(self, load: Load) -> LoadResult:
        """Drive a load to its end."""
        self.begin(load)
        return self._receive()

    def begin(self, load: Load) -> None:
        """Begin a load; return when it is warm."""
        self._pipe.send(load)
        self._receive()

    def end(self) -> LoadResult:
        """End the load that was begun; raises BenchError when it had ended by itself."""
        if self._pipe.poll():
            self._receive()
            message = "the load ended before what was measured under it"
            raise BenchError(message)
        self._pipe.send(_STOP)
        return self._receive()

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join()

    def _receive(self) -> LoadResult:
        try:
            answer = self._pipe.recv()
        except EOFError as error:
            message = "the load's process died"
            raise BenchError(message) from error
        if isinstance(answer, BenchError):
            raise answer
        result: LoadResult = answer
        return result


def _serve(pipe: Pipe) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    while True:
        load = pipe.recv()
        if load == _STOP:
            continue  # it came when the load had just ended by itself
        try:
            pipe.send(_drive(load, pipe))
        except (BenchError, OSError) as error:
            pipe.send(BenchError(f"{load.prefix}: {error}"))


def _drive(load: Load, pipe: Pipe) -> LoadResult:
    connections = _connect(load)
    try:
        done, counted = _exchange(load, connections, pipe)
        _require_decisions(load, [reply for connection in connections for reply in connection.replies()])
    finally:
        for connection in connections:
            connection.close()
    warm_up = load.warm_up // load.connections
    latencies_ms = [1e3 * latency for connection in connections for latency in connection.latencies_s[warm_up:]]
    return LoadResult(
        requests=done,
        per_s=counted.requests / counted.elapsed_s,
        p50_ms=median(latencies_ms),
        p99_ms=quantiles(latencies_ms, n=100, method="inclusive")[98],
        cpu_share=counted.cpu_s / counted.elapsed_s,
    )


class _Counted(NamedTuple):
    requests: int
    elapsed_s: float
    cpu_s: float


def _connect(load: Load) -> list[Connection]:
    each = load.count // load.connections
    path = SUBMIT_ORDER if load.batch == 1 else SUBMIT_ORDERS
    connections = []
    for number in range(load.connections):
        numbers = range(number * each, (number + 1) * each)
        bodies = [
            flow.single(load.prefix, n) if load.batch == 1 else flow.batch(load.prefix, n, load.batch) for n in numbers
        ]
        connections.append(Connection(load.address, path, bodies, load.streams))
    return connections


def _exchange(load: Load, connections: Sequence[Connection], pipe: Pipe) -> tuple[int, _Counted]:
    """Send and receive until the last call has ended; return all calls, and what was counted after the warm-up."""
    done = warm = 0
    began_s = cpu_began_s = 0.0
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ, connection)
            connection.send()
        while any(connection.open for connection in connections):
            ready = selector.select(_SILENCE_S)
            if not ready:
                message = f"no answer within {_SILENCE_S:g} s"
                raise BenchError(message)
            for key, _ in ready:
                if key.data is None:
                    pipe.recv()
                    for connection in connections:
                        connection.stop()
                else:
                    done += key.data.receive()
                    key.data.send()
            if not warm and done >= load.warm_up:
                began_s, cpu_began_s, warm = time.perf_counter(), time.process_time(), done
                pipe.send(None)
    elapsed_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_began_s
    return done, _Counted(done - warm, elapsed_s, cpu_s)


def _require_decisions(load: Load, replies: Sequence[bytes]) -> None:
    """Raise unless every order got an ALLOW of its own: a retry would repeat a sequence."""
    decisions = []
    for reply in replies:
        if load.batch == 1:
            decisions.append(orders_pb2.SubmitOrderResponse.FromString(reply).decision)
        else:
            decisions += orders_pb2.SubmitOrdersResponse.FromString(reply).decisions
    for decision in decisions:
        if decision.action != common_pb2.ACTION_ALLOW:
            message = f"an order was not allowed: {decision.reason_code} {decision.reason}"
            raise BenchError(message)
    if not load.is_echo and len({decision.sequence for decision in decisions}) != len(replies) * load.batch:
        message = "an answer was given twice: not every request was a decision of its own"
        raise BenchError(message)
