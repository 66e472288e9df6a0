"""Readers that do not read: cut off with a reason, and nothing of theirs is kept."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2
from prometheus_client import REGISTRY

from actors.local_port import LocalPort
from gateway import sending
from gateway.client import AsyncClient
from gateway.protection import Protection
from gateway.server import open_gateway
from gateway.testing import RunningGateway
from tests.integration.by_hand import DATA, END_STREAM, HEADERS, ByHand, frame, headers_for, prefixed
from tests.integration.conftest import free_address
from tests.integration.doors import guarded, is_healthy, within_s
from tests.integration.principals import AccessWriter
from tests.integration.target import memory_mb
from tests.integration.test_gateway import bar, order
from tidegate.clocks import bar_clock
from tidegate.gate import Gate
from tidegate.journal.sqlite import SqliteJournal
from tidegate.portfolio_file import PortfolioFile
from tidegate.v1 import admin_pb2, market_data_pb2, orders_pb2, risk_pb2

RESOURCE_EXHAUSTED, UNAUTHENTICATED = "8", "16"
WRITE_TIMEOUT_S = 0.3
WATCH_BARS = "/tidegate.v1.MarketDataService/WatchBars"
GROWTH_MB = 12.0

pytestmark = pytest.mark.usefixtures("without_complaints")
Publish = Callable[[AsyncClient, int], Awaitable[object]]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "WRITE_TIMEOUT_S", WRITE_TIMEOUT_S)


def streams_open() -> float:
    """How many streams hold a place, in this process."""
    return REGISTRY.get_sample_value("tidegate_streams") or 0.0


async def publish_bar(client: AsyncClient, number: int) -> None:
    """Publish the next bar."""
    await client.market_data.PublishBars(bar(2 + number, UP="100", FLAT="100"))


async def submit_order(client: AsyncClient, number: int) -> None:
    """Have an order routed to the adapter, or canceled again."""
    client_order_id = f"order-{number // 2}"
    if number % 2:
        cancel = orders_pb2.CancelOrderRequest(strategy_id="one", client_order_id=client_order_id)
        await client.orders.CancelOrder(cancel)
    else:
        await client.submit_order(order(client_order_id, quantity="1"))


async def halt_and_reset(client: AsyncClient, number: int) -> None:
    """Raise an alert."""
    if number % 2:
        keep = admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP
        await client.admin.ResetHalt(admin_pb2.ResetHaltRequest(operator="ann", reason="on", high_water_mark=keep))
    else:
        await client.admin.Halt(admin_pb2.HaltRequest(operator="ann", reason="off"))


STREAMS = [
    pytest.param(WATCH_BARS, market_data_pb2.WatchBarsRequest(after_sequence=1), publish_bar, id="WatchBars"),
    pytest.param(
        "/tidegate.v1.OrderService/WatchOrders",
        orders_pb2.WatchOrdersRequest(adapter="paper"),
        submit_order,
        id="WatchOrders",
    ),
    pytest.param(
        "/tidegate.v1.RiskService/WatchAlerts", risk_pb2.WatchAlertsRequest(), halt_and_reset, id="WatchAlerts"
    ),
    pytest.param(
        "/tidegate.v1.RiskService/WatchRiskMetrics",
        risk_pb2.WatchRiskMetricsRequest(period_ms=100),
        publish_bar,
        id="WatchRiskMetrics",
    ),
]


@pytest.mark.parametrize("window", [0, 60], ids=["from the first message on", "after a while"])
@pytest.mark.parametrize(("path", "request_", "publish"), STREAMS)
async def test_who_never_reads_a_stream_is_cut_off_and_learns_why_once_it_reads(
    running: RunningGateway, path: str, request_: orders_pb2.WatchOrdersRequest, publish: Publish, window: int
) -> None:
    """Its place is free after the time-out, whatever is published; others are answered all the time."""
    await running.client.market_data.PublishBars(bar(1, UP="100", FLAT="100"))
    with await asyncio.to_thread(ByHand, running.address, window=window) as peer:
        stream = peer.call(path, request_.SerializeToString())
        await within_s(5, lambda: _is(streams_open() == 1))
        began, number = time.monotonic(), 0
        while streams_open():
            await publish(running.client, number)
            number += 1
            assert time.monotonic() - began < 10 * WRITE_TIMEOUT_S
        assert number > 2
        assert not await asyncio.to_thread(peer.read_for, 0.1)
        assert not [one for one in peer.received if one.kind == HEADERS and one.flags & END_STREAM]
        assert sum(len(one.body) for one in peer.received if one.kind == DATA) <= window
        peer.widen(stream)
        told = await asyncio.to_thread(peer.status_of, stream)
    assert (RESOURCE_EXHAUSTED, "nothing was read for 0.3 s") == told


async def test_a_session_ends_with_its_stream_though_the_adapter_is_alive(running: RunningGateway) -> None:
    """An adapter that does not read its orders is as good as gone, heartbeats or not: its orders are canceled."""
    await running.client.market_data.PublishBars(bar(1, UP="100"))
    await running.client.submit_order(order("a"))
    watch = orders_pb2.WatchOrdersRequest(adapter="paper", cancel_on_disconnect=True, heartbeat_s=1)
    with await asyncio.to_thread(ByHand, running.address, window=0) as peer:
        peer.call("/tidegate.v1.OrderService/WatchOrders", watch.SerializeToString())
        (opened,) = await running.wait_for_events("session_opened")
        beat = orders_pb2.HeartbeatRequest(adapter="paper", session_id=opened.session_opened.session_id)
        await running.client.orders.Heartbeat(beat)
        await running.wait_for_events("session_closed")


@pytest.mark.long
async def test_readers_that_come_and_never_read_cost_no_more_memory_each_time(running: RunningGateway) -> None:
    """Two hundred stuck streams a round, and a hundred bars for each of them: the last rounds cost nothing new."""
    held_mb = []
    for number in range(6):
        with ExitStack() as peers:
            for _ in range(4):
                peer = peers.enter_context(await asyncio.to_thread(ByHand, running.address, window=0))
                for _ in range(50):
                    peer.call(WATCH_BARS, market_data_pb2.WatchBarsRequest(after_sequence=1).SerializeToString())
            await within_s(10, lambda: _is(streams_open() == 200))
            for count in range(100):
                await publish_bar(running.client, 100 * number + count)
            await within_s(10, lambda: _is(streams_open() == 0))
        held_mb.append(memory_mb())
    assert held_mb[-1] - held_mb[2] < GROWTH_MB


async def test_replies_that_nobody_takes_harm_nobody_and_are_forgotten_with_their_connection(
    running: RunningGateway,
) -> None:
    """A unary reply waits for its reader without a time-out; what waits is bounded by the calls of a connection."""
    await running.client.market_data.PublishBars(bar(1, UP="100"))
    tasks = len(asyncio.all_tasks())
    read = admin_pb2.ReadJournalRequest().SerializeToString()
    with await asyncio.to_thread(ByHand, running.address, window=0) as peer:
        for _ in range(200):
            peer.call("/tidegate.v1.AdminService/ReadJournal", read)
        await within_s(5, lambda: _is(len(asyncio.all_tasks()) >= tasks + 200))
        began = time.monotonic()
        for number in range(100):
            await running.client.submit_order(order(f"other-{number}", quantity="1"))
        assert time.monotonic() - began < 5
    await within_s(5, lambda: _is(len(asyncio.all_tasks()) <= tasks + 5))


async def test_a_watcher_of_the_health_that_never_reads_stops_nobody(tmp_path: Path, portfolio: PortfolioFile) -> None:
    """The others see the health change, and the gateway closes in its time."""
    port, address = LocalPort(on_failures=print, on_fatal=print), free_address()
    gateway = await open_gateway(port, address)
    with await asyncio.to_thread(ByHand, address, window=0) as peer:
        watch = peer.call(f"/{health_pb2.DESCRIPTOR.services_by_name['Health'].full_name}/Watch")
        await asyncio.to_thread(peer.read_until, lambda one: one.kind == HEADERS and one.stream == watch)
        await port.open(lambda: Gate(SqliteJournal(tmp_path / "journal.db"), bar_clock), portfolio.to_wire())
        async with AsyncClient(address) as client:
            await within_s(5, lambda: is_healthy(client))
        await asyncio.wait_for(gateway.close(), 5)
    await port.close()


async def test_whose_access_ends_is_shown_out_though_it_never_reads(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream's place is free soon; the reason lies ready for when it reads."""
    monkeypatch.setattr(sending, "WRITE_TIMEOUT_S", 30.0)
    async with guarded(tmp_path, portfolio, Protection(access=access.path)) as gateway:
        with await asyncio.to_thread(ByHand, gateway.address, window=0) as peer:
            token = ("authorization", f"Bearer {access.tokens['viewer']}")
            stream = peer.begin([*headers_for(WATCH_BARS), token])
            peer.send(frame(DATA, END_STREAM, stream, prefixed(b"")))
            await within_s(5, lambda: _is(streams_open() == 1))
            access.principals = [principal for principal in access.principals if principal["name"] != "viewer"]
            access.write()
            await within_s(5, lambda: _is(streams_open() == 0))
            peer.widen(stream)
            assert UNAUTHENTICATED == (await asyncio.to_thread(peer.status_of, stream))[0]


async def test_a_slow_reader_that_reads_is_not_cut_off(running: RunningGateway) -> None:
    """Slow is who takes a little at a time, not who takes nothing."""
    await running.client.market_data.PublishBars(bar(1, UP="100", FLAT="100"))
    with await asyncio.to_thread(ByHand, running.address, window=20) as peer:
        stream = peer.call(WATCH_BARS, market_data_pb2.WatchBarsRequest(after_sequence=1).SerializeToString())
        for number in range(20):
            await publish_bar(running.client, number)
            peer.widen(stream, 60)
            await asyncio.sleep(WRITE_TIMEOUT_S / 4)
        assert 1 == streams_open()


async def _is(value: bool) -> bool:  # noqa: FBT001 -- what within_s waits for
    return value
