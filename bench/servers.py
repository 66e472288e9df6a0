"""What is driven: the echo, and the gateway as ``tidegate run`` starts it; one at a time."""

import contextlib
import itertools
import multiprocessing
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import echo, flow
from gateway.client import Client
from gateway.run import RunOptions, started

# Below the range that the kernel and Ray take ports from, so that nobody comes between the probe and the server.
_PORTS = itertools.cycle(range(30_000 + os.getpid() % 1_000, 32_000))


@contextmanager
def started_echo(reply: bytes) -> Iterator[str]:
    """Run the echo in a process of its own; yields its address."""
    address = _free_address()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=echo.serve, args=(address, reply), name="echo", daemon=True)
    process.start()
    try:
        with Client(address) as client:
            client.submit_order(flow.order("ready", 0))
        yield address
    finally:
        process.terminate()
        process.join()


@contextmanager
def started_gateway(folder: Path, say: Callable[[str], None], *, apart: bool) -> Iterator[str]:
    """Run RiskManager, allocator and gateway on the Ray that runs, with a new journal; yields the gateway's address."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        # The portfolio has no file: only the folder of one is asked for.
        file, journal = Path(own) / "portfolio.yaml", Path(own) / "journal.db"
        options = RunOptions(portfolio=file, journal=journal, address=_free_address(), apart=apart)
        with started(flow.portfolio(), [], options, say), Client(options.address) as client:
            client.market_data.PublishPrices(flow.prices())
            yield options.address


def _free_address() -> str:
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return f"127.0.0.1:{port}"
    raise AssertionError
