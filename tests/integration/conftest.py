"""A real gateway in process, and one Ray for the whole session."""

import asyncio
import contextlib
import itertools
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import ray
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

from actors import cluster
from actors.local_port import LocalPort
from actors.logs import open_log
from gateway.client import AsyncClient
from gateway.server import open_gateway
from tests.integration.principals import AccessWriter, Certificates
from tidegate.clocks import bar_clock
from tidegate.gate import Gate
from tidegate.journal.sqlite import SqliteJournal
from tidegate.portfolio_file import PortfolioFile, read_portfolio_file

PORTFOLIO = Path(__file__).parent / "portfolio" / "portfolio.yaml"


class Running(NamedTuple):
    """A gateway in this process, and what it stands on."""

    address: str
    client: AsyncClient
    port: LocalPort
    journal: Path
    deaths: list[BaseException]


# Below the range that the kernel and Ray take ports from, so that nobody comes between the probe and the gateway.
_PORTS = itertools.cycle(range(20_000 + os.getpid() % 5_000, 30_000))


def free_address() -> str:
    """Find a port of this machine that nobody listens on."""
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return f"127.0.0.1:{port}"
    raise AssertionError


@pytest.fixture(scope="session")
def portfolio() -> PortfolioFile:
    """Read the small portfolio file once."""
    return read_portfolio_file(PORTFOLIO)


@pytest.fixture
async def running(tmp_path: Path, portfolio: PortfolioFile) -> AsyncIterator[Running]:
    """Open a gateway on a fresh journal, in this process, with the bars' clock."""
    journal, deaths = tmp_path / "journal.db", list[BaseException]()
    port = LocalPort(on_failures=deaths.extend, on_fatal=deaths.append)
    address = free_address()
    gateway = await open_gateway(port, address)
    await port.open(lambda: Gate(SqliteJournal(journal), bar_clock), portfolio.to_wire())
    async with AsyncClient(address, timeout_s=10) as client:
        await wait_until_serving(client)
        yield Running(address, client, port, journal, deaths)
    await gateway.close()
    await port.close()


async def wait_until_serving(client: AsyncClient) -> None:
    """Wait for the gateway's health to say SERVING."""
    stub: Any = health_pb2_grpc.HealthStub(client.channel)
    async with asyncio.timeout(30):
        while True:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
            await asyncio.sleep(0.02)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """Start Ray once for all tests that need actors."""
    cluster.start_ray()
    yield
    ray.shutdown()


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Path]:
    """Log into a file, as the actors do."""
    open_log(tmp_path / "logs", "gateway")
    yield tmp_path / "logs" / "gateway.jsonl"
    structlog.reset_defaults()


@pytest.fixture
def access(tmp_path: Path) -> AccessWriter:
    """Write a file with one principal a role."""
    writer = AccessWriter(tmp_path / "access.yaml")
    writer.add("viewer", "viewer")
    writer.add("trader", "trader", strategies=["one"], adapters=["paper"])
    writer.add("feed", "market_data")
    writer.add("ann", "risk")
    writer.add("root", "admin")
    writer.write()
    return writer


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """Make an authority for the test."""
    return Certificates(tmp_path / "certificates")
