"""A gateway in a thread of this process, for tests without asyncio."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime
from typing import Any, TypeVar

from gateway.client import Client
from gateway.testing.portfolio import DEFAULT_PORTFOLIO
from gateway.testing.running import Portfolio, RunningGateway, running_gateway
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2

T = TypeVar("T")
_CALL_TIMEOUT_S = 10.0


@contextmanager
def gateway_in_thread(portfolio: Portfolio = DEFAULT_PORTFOLIO) -> Iterator["GatewayInThread"]:
    """
    Run a gateway on a fresh journal for as long as the ``with`` lasts; all else as with ``running_gateway``.

    Raises:
        ConfigurationError: the portfolio file cannot be used.
        BaseExceptionGroup: at the end, when the gateway itself failed; see ``GatewayInThread.failures``.
    """
    with _loop_in_thread() as loop:
        stack = AsyncExitStack()
        running = _call(loop, stack.enter_async_context(running_gateway(portfolio)))
        try:
            address = running.address
            with Client(address, timeout_s=_CALL_TIMEOUT_S, token="", ca="", certificate="", key="") as client:
                yield GatewayInThread(running, client, loop)
        finally:
            _call(loop, stack.aclose())


class GatewayInThread:
    """
    A gateway that runs beside the test; its methods are those of ``RunningGateway``, without ``await``.

    Attributes:
        address: where it listens.
        client: a synchronous client of it.
        journal: the journal's file.
        failures: what the gateway itself failed on; what a test leaves in it is raised at the end.
    """

    def __init__(self, running: RunningGateway, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        """Speak for a gateway on another thread's event loop; ``gateway_in_thread`` does this."""
        self.address = running.address
        self.client = client
        self.journal = running.journal
        self.failures = running.failures
        self._running = running
        self._loop = loop

    def start(self) -> None:
        """Come back from the journal after a ``stop``, and return once the health says SERVING."""
        _call(self._loop, self._running.start())

    def stop(self) -> None:
        """Go away: streams break, calls find nobody. The journal stays."""
        _call(self._loop, self._running.stop())

    def publish_bar(self, closes: Mapping[str, str], *, time: datetime | None = None) -> int:
        """Publish one bar by its closing prices; see ``RunningGateway.publish_bar``."""
        return _call(self._loop, self._running.publish_bar(closes, time=time))

    def wait_for_order(
        self,
        strategy_id: str,
        client_order_id: str,
        status: common_pb2.OrderStatus.ValueType,
        *,
        timeout_s: float = 10.0,
    ) -> orders_pb2.Order:
        """Wait until an order has a status, and return it; see ``RunningGateway.wait_for_order``."""
        waiting = self._running.wait_for_order(strategy_id, client_order_id, status, timeout_s=timeout_s)
        return _call(self._loop, waiting)

    def wait_for_events(self, kind: str, count: int = 1, *, timeout_s: float = 10.0) -> list[journal_pb2.Event]:
        """Wait until the journal holds so many events of a kind; see ``RunningGateway.wait_for_events``."""
        return _call(self._loop, self._running.wait_for_events(kind, count, timeout_s=timeout_s))

    def events(self, kind: str = "") -> list[journal_pb2.Event]:
        """Return what the journal holds, oldest first, or one kind of it; see ``RunningGateway.events``."""
        return self._running.events(kind)


@contextmanager
def _loop_in_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="gateway", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _call(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(work, loop).result()
