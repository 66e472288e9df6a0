"""A gateway in a process of its own, whose costs can be measured, and a well-behaved client beside the bad ones."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.client import Client, new_order
from tidegate.v1 import common_pb2, market_data_pb2, orders_pb2

_PROGRAM = """
import typer
from gateway.testing.__main__ import main
from tests.integration.complaints import say_complaints
say_complaints()
typer.run(main)
"""
_END_TIMEOUT_S = 20.0


def memory_mb(process: int | str = "self") -> float:
    """Say what a process holds in memory."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


class Target:
    """
    A gateway under attack.

    Attributes:
        address: where it listens.
    """

    def __init__(self, process: "subprocess.Popen[str]", said: Path) -> None:
        """Wait until it serves."""
        assert process.stdout is not None
        self.address = process.stdout.readline().strip()
        self._process = process.pid
        self._said = said

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self._process, number)

    @property
    def memory_mb(self) -> float:
        """What it holds in memory."""
        return memory_mb(self._process)

    @property
    def files(self) -> int:
        """How many files and connections it has open."""
        return len(list(Path(f"/proc/{self._process}/fd").iterdir()))

    @property
    def complaints(self) -> str:
        """What it said that nobody asked for: exceptions, mostly."""
        return self._said.read_text(encoding="utf-8")


@contextmanager
def running_target() -> Iterator[Target]:
    """Run a gateway as a process; at its end it has ended by itself, without a complaint."""
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "stderr"
        with (
            said.open("w", encoding="utf-8") as errors,
            subprocess.Popen(  # noqa: S603 -- the module under test
                [sys.executable, "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                # gRPC's core prints a line for each bad call, which is no exception.
                env={**os.environ, "GRPC_VERBOSITY": "NONE"},
            ) as process,
        ):
            target = Target(process, said)
            yield target
            assert process.stdin is not None
            process.stdin.close()
            assert 0 == process.wait(_END_TIMEOUT_S)
        assert "" == target.complaints


class Bystander:
    """A client that has an order checked again and again, for as long as the ``with`` lasts."""

    def __init__(self, address: str) -> None:
        """Prepare."""
        self.seconds: list[float] = []
        self.errors: list[grpc.RpcError] = []
        self._address = address
        self._has_begun = threading.Event()
        self._is_ending = False
        self._thread = threading.Thread(target=self._call)

    @property
    def p99_s(self) -> float:
        """How long all but one call in a hundred took at most."""
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)]

    def __enter__(self) -> Self:
        """Begin to call; returns after the first answer."""
        self._thread.start()
        self._has_begun.wait()
        return self

    def __exit__(self, *_: object) -> None:
        """Call no more."""
        self._is_ending = True
        self._thread.join()

    def _call(self) -> None:
        order = new_order(
            strategy_id="desk", client_order_id="checked", symbol="AAA", side=common_pb2.SIDE_BUY, quantity="10"
        )
        request = orders_pb2.CheckOrderRequest(order=order)
        with Client(self._address, timeout_s=10) as client:
            price = market_data_pb2.Bar(symbol="AAA", close="100")
            now = Timestamp()
            now.GetCurrentTime()
            client.market_data.PublishBars(market_data_pb2.PublishBarsRequest(time=now, bars=[price]))
            while not self._is_ending:
                began = time.perf_counter()
                try:
                    decision = client.orders.CheckOrder(request).decision
                    assert common_pb2.ACTION_ALLOW == decision.action
                except grpc.RpcError as error:
                    self.errors.append(error)
                self.seconds.append(time.perf_counter() - began)
                self._has_begun.set()
                time.sleep(0.002)


def settled(is_so: Callable[[], bool], limit_s: float = 5.0) -> bool:
    """Wait for something that follows by itself; tell whether it did."""
    until = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
