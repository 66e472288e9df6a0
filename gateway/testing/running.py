"""A gateway in this process, on the running event loop."""

import asyncio
import contextlib
import itertools
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from actors.clocks import clock_of
from actors.local_port import LocalPort
from gateway.calendars import configuration_of
from gateway.client import AsyncClient
from gateway.server import Gateway, open_gateway
from gateway.status import refusal_of
from gateway.testing.portfolio import DEFAULT_PORTFOLIO
from tidegate.clocks import BARS
from tidegate.gate import Gate
from tidegate.journal.sqlite import SqliteJournal
from tidegate.portfolio_file import PortfolioFile, read_portfolio_file
from tidegate.reasons import Reason
from tidegate.times import NS_PER_S, from_datetime, to_stamp
from tidegate.v1 import common_pb2, journal_pb2, market_data_pb2, orders_pb2

Portfolio = PortfolioFile | Path | str

_CALL_TIMEOUT_S = 10.0
_START_TIMEOUT_S = 30.0
_LOOK_PERIOD_S = 0.02
_DAY_NS = 86_400 * NS_PER_S
# 2020-01-01: where bars begin that carry the time themselves.
_FIRST_BAR_NS = 1_577_836_800 * NS_PER_S
# Below the range that the kernel and Ray take ports from, so that nobody comes between the probe and the gateway.
_PORTS_FROM, _PORTS = 20_000, 10_000
_KINDS = frozenset(field.name for field in journal_pb2.Event.DESCRIPTOR.oneofs_by_name["body"].fields)
_tries = itertools.count(os.getpid() * 97)  # test processes that were started together begin far apart


def free_address() -> str:
    """Find a port of this machine that nobody listens on; each call gives another one."""
    for number in itertools.islice(_tries, _PORTS):
        port = _PORTS_FROM + number % _PORTS
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return f"127.0.0.1:{port}"
    message = f"no port from {_PORTS_FROM} to {_PORTS_FROM + _PORTS - 1} is free"
    raise OSError(message)


@asynccontextmanager
async def running_gateway(portfolio: Portfolio = DEFAULT_PORTFOLIO) -> AsyncIterator["RunningGateway"]:
    """
    Run a gateway on a fresh journal for as long as the ``async with`` lasts.

    The portfolio is a path of a portfolio file, a ``PortfolioFile``, or by default a small one: strategy ``desk``,
    instruments ``AAA`` and ``BBB``, adapter ``broker``, a capital of 1,000,000.

    Raises:
        ConfigurationError: the portfolio file cannot be used.
        BaseExceptionGroup: at the end, when the gateway itself failed; see ``RunningGateway.failures``.
    """
    read = portfolio if isinstance(portfolio, PortfolioFile) else read_portfolio_file(Path(portfolio))
    with tempfile.TemporaryDirectory(prefix="tidegate-") as folder:
        gateway = RunningGateway(read, Path(folder) / "journal.db")
        try:
            await gateway.start()
            yield gateway
        finally:
            await gateway.stop()
            await gateway.client.close()
    if gateway.failures:
        message = "the gateway failed"
        raise BaseExceptionGroup(message, gateway.failures)


class RunningGateway:
    """
    A gateway in this process, and what it stands on.

    Attributes:
        address: where it listens.
        client: a client of it.
        port: the engine and its journal, for tests of the gateway itself.
        journal: the journal's file.
        failures: what the gateway itself failed on: commands that it answered with ``INTERNAL``, and the error that
            ended its engine. A test that provokes one takes it out; what is left in it is raised at the end.
    """

    def __init__(self, portfolio: PortfolioFile, journal: Path) -> None:
        """Prepare, on the running event loop; ``start`` listens. ``running_gateway`` does both."""
        self.address = free_address()
        # It asks nobody who they are, whatever the environment says.
        self.client = AsyncClient(self.address, timeout_s=_CALL_TIMEOUT_S, token="", ca="", certificate="", key="")
        self.failures: list[BaseException] = []
        self.port = LocalPort(on_failures=self.failures.extend, on_fatal=self.failures.append)
        self.journal = journal
        self._configuration = configuration_of(portfolio)
        self._gateway: Gateway | None = None
        self._store: SqliteJournal | None = None
        self._last_bar_ns = 0

    async def start(self) -> None:
        """Read the journal, listen, and return once the health says SERVING."""
        await self.port.open(self._open_gate, self._configuration)
        self._gateway = await open_gateway(self.port, self.address)
        stub: Any = health_pb2_grpc.HealthStub(self.client.channel)
        async with asyncio.timeout(_START_TIMEOUT_S):
            while True:
                answer = await stub.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
                await asyncio.sleep(_LOOK_PERIOD_S)

    async def stop(self) -> None:
        """
        Go away: streams break, calls find nobody. The journal stays, and ``start`` goes on from it.

        The way to test what an adapter does about a gateway that is restarted.
        """
        if self._gateway is not None:
            gateway, self._gateway = self._gateway, None
            await gateway.close()
        await self.port.close()

    async def publish_bar(self, closes: Mapping[str, str], *, time: datetime | None = None) -> int:
        """
        Publish one bar by its closing prices, as in ``{"AAA": "100.00"}``; return its sequence in the journal.

        Without a time it is a bar of now; where the portfolio's clock is ``bars``, of the day after the last one.
        """
        self._last_bar_ns = self._next_bar_ns() if time is None else from_datetime(time)
        bars = [market_data_pb2.Bar(symbol=symbol, close=close) for symbol, close in closes.items()]
        request = market_data_pb2.PublishBarsRequest(time=to_stamp(self._last_bar_ns), bars=bars)
        return (await self.client.market_data.PublishBars(request)).bar_sequence

    async def wait_for_order(
        self,
        strategy_id: str,
        client_order_id: str,
        status: common_pb2.OrderStatus.ValueType,
        *,
        timeout_s: float = 10.0,
    ) -> orders_pb2.Order:
        """
        Wait until an order has a status, and return it.

        Raises:
            TimeoutError: it has not come so far; the message says how far it has.
        """
        request = orders_pb2.GetOrderRequest(strategy_id=strategy_id, client_order_id=client_order_id)
        found = orders_pb2.GetOrderResponse()
        try:
            async with asyncio.timeout(timeout_s):
                while found.order.status != status:
                    await asyncio.sleep(_LOOK_PERIOD_S)
                    found = await self._find(request)
        except TimeoutError as error:
            state = common_pb2.OrderStatus.Name(found.order.status)
            wanted = common_pb2.OrderStatus.Name(status)
            refused = f", refused with {found.decision.reason_code}" if found.decision.reason_code else ""
            message = f"order {strategy_id}/{client_order_id} is {state}{refused}, not {wanted}, after {timeout_s:g} s"
            raise TimeoutError(message) from error
        return found.order

    async def wait_for_events(self, kind: str, count: int = 1, *, timeout_s: float = 10.0) -> list[journal_pb2.Event]:
        """
        Wait until the journal holds so many events of a kind, and return them; kinds as with ``events``.

        Raises:
            TimeoutError: there are fewer; the message says how many.
        """
        found = self.events(kind)
        try:
            async with asyncio.timeout(timeout_s):
                while len(found) < count:
                    await asyncio.sleep(_LOOK_PERIOD_S)
                    found = self.events(kind)
        except TimeoutError as error:
            message = f"{len(found)} of {count} events {kind} after {timeout_s:g} s"
            raise TimeoutError(message) from error
        return found

    def events(self, kind: str = "") -> list[journal_pb2.Event]:
        """
        Return what the journal holds, oldest first; of one kind only, as in ``events("execution_booked")``.

        The kinds are the names under ``body`` of ``Event`` in ``protos/tidegate/v1/journal.proto``.
        """
        if kind and kind not in _KINDS:
            message = f"no event is called {kind}; there are {', '.join(sorted(_KINDS))}"
            raise ValueError(message)
        recorded = self._store.read(0) if self._store is not None else ()
        return [event for event in recorded if kind in ("", event.WhichOneof("body"))]

    def _open_gate(self) -> Gate:
        self._store = SqliteJournal(self.journal)
        return Gate(self._store, clock_of(self._configuration))

    async def _find(self, request: orders_pb2.GetOrderRequest) -> orders_pb2.GetOrderResponse:
        try:
            return await self.client.orders.GetOrder(request)
        except grpc.aio.AioRpcError as error:
            if refusal_of(error).reason != Reason.ORDER_UNKNOWN:
                raise
            return orders_pb2.GetOrderResponse()

    def _next_bar_ns(self) -> int:
        if self._configuration.clock == BARS:
            return self._last_bar_ns + _DAY_NS if self._last_bar_ns else _FIRST_BAR_NS
        return max(time.time_ns(), self._last_bar_ns + 1)
