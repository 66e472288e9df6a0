"""Gateways behind doors, and clients that show what they have."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from actors.local_port import LocalPort
from gateway.client import AsyncClient
from gateway.protection import Protection
from gateway.server import open_gateway
from gateway.status import Refusal, refusal_of
from tests.integration.conftest import free_address
from tidegate.clocks import bar_clock
from tidegate.gate import Gate
from tidegate.journal.sqlite import SqliteJournal
from tidegate.portfolio_file import PortfolioFile
from tidegate.v1 import risk_pb2


@dataclass
class Guarded:
    """A protected gateway in this process."""

    address: str
    protection: Protection
    port: LocalPort

    @asynccontextmanager
    async def client(self, token: str = "", address: str = "", **files: Any) -> AsyncIterator[AsyncClient]:
        """Connect with a token, and over TLS when the gateway speaks it."""
        async with AsyncClient(address or self.address, timeout_s=10, token=token, **files) as client:
            yield client


@asynccontextmanager
async def guarded(tmp_path: Path, portfolio: PortfolioFile, protection: Protection) -> AsyncIterator[Guarded]:
    """Open a protected gateway on a fresh journal, with the bars' clock."""
    port = LocalPort(on_failures=print, on_fatal=print)
    address = free_address()
    gateway = await open_gateway(port, address, protection)
    try:
        await port.open(lambda: Gate(SqliteJournal(tmp_path / "guarded.db"), bar_clock), portfolio.to_wire())
        yield Guarded(address, protection, port)
    finally:
        await gateway.close()
        await port.close()


async def refusal(call: Any) -> Refusal:
    """Return what a call was refused for."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal_of(caught.value)


async def within_s(limit_s: float, is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + limit_s
    while not await is_so():
        if time.monotonic() > until:
            raise TimeoutError
        await asyncio.sleep(0.05)


async def is_logged(logs: Path, event: str) -> bool:
    """Tell whether an event stands in a log."""
    return f'"{event}"' in text_of(logs)


def text_of(logs: Path) -> str:
    """Read a log."""
    return logs.read_text(encoding="utf-8")


async def is_known(gateway: Guarded, token: str) -> bool:
    """Tell whether a viewer's token is taken."""
    async with gateway.client(token) as client:
        try:
            await client.risk.GetRiskMetrics(risk_pb2.GetRiskMetricsRequest())
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.UNAUTHENTICATED:
                raise
            return False
        return True


async def reflected(client: AsyncClient, token: str = "") -> set[str]:
    """Ask for the services' names."""
    make: Any = reflection_pb2_grpc.ServerReflectionStub
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    answer = await anext(aiter(make(client.channel).ServerReflectionInfo(asked, metadata=metadata)))
    return {service.name for service in answer.list_services_response.service}


async def is_healthy(client: AsyncClient) -> bool:
    """Ask for the health, as a probe does."""
    stub: Any = health_pb2_grpc.HealthStub(client.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest())
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
