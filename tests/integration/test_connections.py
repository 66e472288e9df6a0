"""Connections: each end notices that the other one is gone, and what nobody uses is given back."""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from gateway import connections
from gateway.client import AsyncClient, Client
from gateway.protection import Protection
from gateway.status import is_away
from gateway.testing import RunningGateway, running_gateway
from tests.integration.by_hand import END_STREAM, HEADERS, PREFACE, ByHand, connected
from tests.integration.doors import guarded
from tests.integration.principals import AccessWriter, Certificates
from tests.integration.target import running_target
from tidegate.portfolio_file import PortfolioFile
from tidegate.v1 import admin_pb2, orders_pb2, risk_pb2

HALT_STATE = risk_pb2.GetHaltStateRequest()
WATCH = orders_pb2.WatchOrdersRequest(adapter="broker")


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a gateway's patience a tenth of what it is."""
    for name in (
        "HANDSHAKE_TIMEOUT_S",
        "SERVER_PING_PERIOD_S",
        "CLIENT_PING_PERIOD_S",
        "PING_TIMEOUT_S",
        "CLIENT_PING_PERIOD_MIN_S",
    ):
        monkeypatch.setattr(connections, name, getattr(connections, name) / 10)
    monkeypatch.setattr(connections, "IDLE_TIMEOUT_S", 1.0)


@pytest.fixture
async def hurried(hurry: None) -> AsyncIterator[RunningGateway]:  # noqa: ARG001 -- before the gateway opens
    """Run a gateway that is in a hurry."""
    async with running_gateway() as gateway:
        yield gateway


def hung_up_after_s(peer: socket.socket, limit_s: float) -> float:
    """Wait for the server to hang up; return how long that took."""
    began = time.monotonic()
    peer.settimeout(limit_s)
    while peer.recv(4_096):
        pass
    return time.monotonic() - began


@pytest.mark.parametrize("said", [b"", PREFACE[:9], PREFACE], ids=["nothing", "half an opening", "no settings"])
async def test_who_does_not_finish_the_opening_is_hung_up_on(hurried: RunningGateway, said: bytes) -> None:
    """Half-open connections take their place for seconds, not for ever."""
    with connected(hurried.address) as peer:
        peer.sendall(said)
        took_s = await asyncio.to_thread(hung_up_after_s, peer, 10)
    assert took_s == pytest.approx(connections.HANDSHAKE_TIMEOUT_S, abs=0.5)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize(
    "said", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", PREFACE], ids=["nothing", "half a hello", "no TLS"]
)
async def test_who_does_not_finish_the_hand_shake_of_tls_is_hung_up_on(
    tmp_path: Path,
    portfolio: PortfolioFile,
    access: AccessWriter,
    certificates: Certificates,
    said: bytes,
) -> None:
    """A stranger without a certificate gets no further than others, and no longer; who is known is served meanwhile."""
    protection = Protection(access=access.path, tls=certificates.tls())
    async with guarded(tmp_path, portfolio, protection) as gateway:
        with connected(gateway.address) as peer:
            peer.sendall(said)
            hung_up = asyncio.create_task(asyncio.to_thread(hung_up_after_s, peer, 10))
            async with gateway.client(access.tokens["viewer"], ca=certificates.ca) as client:
                await client.risk.GetHaltState(HALT_STATE)
            assert await hung_up < connections.HANDSHAKE_TIMEOUT_S + 0.5


async def test_who_makes_no_call_is_hung_up_on_and_may_come_again(hurried: RunningGateway) -> None:
    """A client whose connection was given back connects again with its next call, and does not notice."""
    await hurried.client.risk.GetHaltState(HALT_STATE)
    with await asyncio.to_thread(ByHand, hurried.address) as peer:
        assert await asyncio.to_thread(peer.read_for, 10)
    await asyncio.sleep(connections.IDLE_TIMEOUT_S)
    await hurried.client.risk.GetHaltState(HALT_STATE)


async def test_a_client_that_is_gone_without_a_word_loses_its_streams(hurried: RunningGateway) -> None:
    """Whoever does not answer pings is dead, cut off or stopped: its session ends, and its orders are canceled."""
    watch = orders_pb2.WatchOrdersRequest(adapter="broker", cancel_on_disconnect=True, heartbeat_s=60)
    with await asyncio.to_thread(ByHand, hurried.address) as mute:
        mute.call("/tidegate.v1.OrderService/WatchOrders", watch.SerializeToString())
        await hurried.wait_for_events("session_opened")
        began = time.monotonic()
        await hurried.wait_for_events("session_closed")
        assert time.monotonic() - began < 2 * (connections.SERVER_PING_PERIOD_S + connections.PING_TIMEOUT_S)


async def test_a_client_that_answers_pings_keeps_a_quiet_stream(hurried: RunningGateway) -> None:
    """Silence alone ends nothing, and the client's own pings are not too many."""
    stream = hurried.client.orders.WatchOrders(WATCH)
    messages = aiter(stream)
    await anext(messages)
    waiting = asyncio.ensure_future(anext(messages))
    done, _ = await asyncio.wait([waiting], timeout=3 * connections.SERVER_PING_PERIOD_S)
    assert not done
    stream.cancel()


async def test_an_adapter_notices_a_gateway_that_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was stopped, or a machine that was cut off, closes no connection: only a ping finds out."""
    monkeypatch.setattr(connections, "CLIENT_PING_PERIOD_S", 1.0)
    monkeypatch.setattr(connections, "PING_TIMEOUT_S", 0.5)
    with running_target() as target:
        async with AsyncClient(target.address) as client:
            messages = aiter(client.orders.WatchOrders(WATCH))
            await anext(messages)
            target.send(signal.SIGSTOP)
            began = time.monotonic()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await anext(messages)
            target.send(signal.SIGCONT)
        assert is_away(caught.value)
        assert time.monotonic() - began < 4


async def test_there_is_no_more_room_than_stated_and_who_is_in_stays_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Above the bound a connection is closed at once; when one leaves there is room again."""
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 10)
    async with running_gateway() as gateway:
        with ExitStack() as peers:
            inside = [peers.enter_context(await asyncio.to_thread(ByHand, gateway.address)) for _ in range(9)]
            with pytest.raises((EOFError, ConnectionError)):
                await asyncio.to_thread(ByHand, gateway.address)
            await gateway.client.risk.GetHaltState(HALT_STATE)
            inside[0].close()
            await asyncio.sleep(0.2)
            peers.enter_context(await asyncio.to_thread(ByHand, gateway.address))


@pytest.mark.control("kill-first")
def test_a_halt_overtakes_what_no_handler_has_begun() -> None:
    """Of thousands of calls that were there first, most are still waiting when the halt has returned."""
    with running_target() as target, Client(target.address, timeout_s=10) as client, ExitStack() as stack:
        client.risk.GetHaltState(HALT_STATE)
        peers = [stack.enter_context(ByHand(target.address)) for _ in range(20)]
        for peer in peers:
            for _ in range(200):
                peer.call("/tidegate.v1.RiskService/GetHaltState")
        client.admin.Halt(admin_pb2.HaltRequest(operator="ann", reason="now"))
        for peer in peers:
            peer.read_for(0.01)
        ended = [one for peer in peers for one in peer.received if one.kind == HEADERS and one.flags & END_STREAM]
        assert len(ended) < 20 * 200 / 2
        for peer in peers:
            assert ("0", "") == peer.status_of(399)
