"""What is driven: the echo, and the gateway as ``tidegate run`` starts it; one at a time."""

import contextlib
import itertools
import multiprocessing
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import echo, flow
from bench.errors import BenchError, refusals_end_it
from gateway.client import Client
from gateway.run import RunOptions, started
from tidegate.journal.sqlite import SqliteJournal

# Below the range that the kernel and Ray take ports from, so that nobody comes between the probe and the server.
_PORTS = itertools.cycle(range(30_000 + os.getpid() % 1_000, 32_000))


@contextmanager
def started_echo(reply: bytes, *, on_uvloop: bool = False) -> Iterator[str]:
    """Run the echo in a process of its own; yields its address."""
    address = _free_address()
    context = multiprocessing.get_context("spawn")
    process = context.Process(
        target=echo.serve, args=(address, reply), kwargs={"on_uvloop": on_uvloop}, name="echo", daemon=True
    )
    process.start()
    try:
        with refusals_end_it(), Client(address) as client:
            client.submit_order(flow.order("ready", 0))
        yield address
    finally:
        process.terminate()
        process.join()


@contextmanager
def started_gateway(folder: Path, say: Callable[[str], None], *, apart: bool) -> Iterator[str]:
    """Run RiskManager, allocator and gateway on the Ray that runs, with a new journal; yields the gateway's address."""
    # The portfolio has no file: only the folder of one is asked for.
    file, journal = folder / "portfolio.yaml", _journal(folder)
    options = RunOptions(portfolio=file, journal=journal, address=_free_address(), apart=apart)
    with started(flow.portfolio(), [], options, say), Client(options.address) as client:
        with refusals_end_it():
            client.market_data.PublishPrices(flow.prices())
        yield options.address


def require_journaled(folder: Path, orders: int) -> None:
    """Raise unless the journal of a gateway that has stopped is whole, and holds a decision for every order sent."""
    journal = SqliteJournal(_journal(folder))
    journal.verify()
    decided = sum(event.HasField("order_decided") for event in journal.read(0))
    journal.close()
    if decided != orders:
        message = f"{orders} orders were sent, and {decided} decisions are in the journal"
        raise BenchError(message)


def _journal(folder: Path) -> Path:
    return folder / "journal.db"


def _free_address() -> str:
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return f"127.0.0.1:{port}"
    raise AssertionError
