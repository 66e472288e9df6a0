"""A gateway's process that is stopped, continued, starved of disk or killed by an order: what it still answers."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import grpc
import pytest

from actors.lease import LEASE_S, RENEW_S
from actors.restarts import EXIT_FATAL
from gateway.client import new_order
from gateway.status import refusal_of
from gateway.testing import RunningGateway, free_address, running_gateway
from tests.integration.desk import events_of
from tidegate.errors import EpochFencedError
from tidegate.journal.sqlite import SqliteJournal
from tidegate.reasons import Reason
from tidegate.v1 import common_pb2, market_data_pb2, orders_pb2, portfolio_pb2, risk_pb2
from tidegate.v1.market_data_pb2_grpc import MarketDataServiceStub
from tidegate.v1.orders_pb2_grpc import OrderServiceStub
from tidegate.v1.risk_pb2_grpc import RiskServiceStub

SCRIPT = Path(__file__).parent / "lone_gateway.py"
AWAY = (grpc.StatusCode.UNAVAILABLE, Reason.RISK_MANAGER_UNAVAILABLE)


class Lone:
    """A gateway's process on a journal, and stubs that never try twice."""

    def __init__(self, journal: Path) -> None:
        """Start the process, and wait until it serves."""
        self.journal, self.address = journal, free_address()
        self.process = subprocess.Popen(  # noqa: S603 -- this interpreter, our script
            [sys.executable, str(SCRIPT), str(journal), self.address], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.channel = grpc.insecure_channel(self.address)
        self.orders, self.risk = OrderServiceStub(self.channel), RiskServiceStub(self.channel)
        assert self.process.stdout is not None
        if self.process.stdout.readline() != b"serving\n":
            self.process.kill()
            raise AssertionError(self.process.communicate()[1].decode())

    def send(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def submit(self, client_order_id: str) -> orders_pb2.Decision:
        """Submit an order once."""
        order = new_order(
            strategy_id="desk", client_order_id=client_order_id, symbol="AAA", side=common_pb2.SIDE_BUY, quantity="1"
        )
        return self.orders.SubmitOrder(orders_pb2.SubmitOrderRequest(order=order), timeout=10).decision

    def price(self) -> None:
        """Publish a price, so that orders pass."""
        bars = [market_data_pb2.Bar(symbol="AAA", close="10")]
        request = market_data_pb2.PublishBarsRequest(bars=bars)
        request.time.GetCurrentTime()
        MarketDataServiceStub(self.channel).PublishBars(request, timeout=10)

    def end(self) -> tuple[int, str]:
        """Wait until the process has ended; return its code and what it said."""
        said = self.process.communicate(timeout=20)[1].decode()
        return self.process.returncode, said

    def close(self) -> None:
        """Leave nothing behind."""
        self.channel.close()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[[], Lone]]:
    """Give the test a way to start the process on one journal, again and again."""
    started: list[Lone] = []

    def start(journal: Path = tmp_path / "journal.db") -> Lone:
        started.append(Lone(journal))
        return started[-1]

    yield start
    for lone in started:
        lone.close()


def ids(journal: Path) -> list[str]:
    """Return the orders that a journal has decided."""
    return [e.order_decided.order.client_order_id for e in events_of(journal) if e.HasField("order_decided")]


@pytest.mark.control("continuity")
def test_a_zombie_neither_reads_nor_writes(begin: Callable[[], Lone]) -> None:
    """Stopped for longer than its lease, replaced and continued, it answers UNAVAILABLE, and then ends."""
    zombie = begin()
    zombie.price()
    assert common_pb2.ACTION_ALLOW == zombie.submit("before").action
    zombie.send(signal.SIGSTOP)
    read = zombie.risk.GetHaltState.future(risk_pb2.GetHaltStateRequest())
    order = new_order(strategy_id="desk", client_order_id="z", symbol="AAA", side=common_pb2.SIDE_BUY, quantity="1")
    write = zombie.orders.SubmitOrder.future(orders_pb2.SubmitOrderRequest(order=order))
    time.sleep(LEASE_S)
    newer = begin()
    newer.submit("after")
    zombie.send(signal.SIGCONT)
    assert [grpc.StatusCode.UNAVAILABLE] * 2 == [read.code(), write.code()]
    code, said = zombie.end()
    assert (EXIT_FATAL, True) == (code, "was fenced by epoch 2" in said)
    newer.close()
    assert ["before", "after"] == ids(newer.journal)


async def test_without_its_journal_nothing_is_answered_and_with_it_again_it_is() -> None:
    """The lease runs out while the journal cannot be asked; health says so; it comes back with the journal."""
    async with running_gateway() as running:
        ask = portfolio_pb2.GetPortfolioRequest()
        await running.client.portfolio.GetPortfolio(ask)
        hidden = running.journal.with_suffix(".away")
        running.journal.rename(hidden)
        time.sleep(LEASE_S)  # noqa: ASYNC251 -- also the event loop stands still, as when a process is stopped
        assert not await running.port.is_serving()
        assert AWAY == await refused(running)
        hidden.rename(running.journal)
        time.sleep(2 * RENEW_S)  # noqa: ASYNC251 -- the lease is renewed beside the loop
        await running.client.portfolio.GetPortfolio(ask)


async def test_a_gateway_that_is_fenced_is_silent_within_a_second() -> None:
    """Also without a commit that would have told it."""
    async with running_gateway() as running:
        newer = SqliteJournal(running.journal)
        time.sleep(2 * RENEW_S)  # noqa: ASYNC251 -- it must be found out beside the loop
        assert AWAY == await refused(running)
        assert [EpochFencedError] == [type(failure) for failure in running.failures]
        running.failures.clear()
        newer.close()


async def refused(running: RunningGateway) -> tuple[grpc.StatusCode, str]:
    """Ask for something that is refused; return how."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.client.portfolio.GetPortfolio(portfolio_pb2.GetPortfolioRequest())
    return caught.value.code(), refusal_of(caught.value).reason


@pytest.mark.control("continuity")
def test_an_order_that_kills_the_gate_twice_is_quarantined(begin: Callable[[], Lone]) -> None:
    """The third time it is refused, with an alert; what was sent beside it is decided."""
    for _ in range(2):
        lone = begin()
        lone.price()
        with pytest.raises(grpc.RpcError) as caught:
            lone.submit("poison")
        assert grpc.StatusCode.UNAVAILABLE == caught.value.code()
        assert -signal.SIGKILL == lone.end()[0]
    lone = begin()
    with pytest.raises(grpc.RpcError) as caught:
        lone.submit("poison")
    assert Reason.COMMAND_QUARANTINED == refusal_of(caught.value).reason
    assert common_pb2.ACTION_ALLOW == lone.submit("good").action
    alerts = lone.risk.ListAlerts(risk_pb2.ListAlertsRequest()).alerts
    assert Reason.COMMAND_QUARANTINED in {alert.reason_code for alert in alerts}
    lone.close()
    started = [event.gate_started for event in events_of(lone.journal) if event.HasField("gate_started")]
    assert [["SubmitOrder"]] * 2 == [[command.method for command in start.in_flight] for start in started]
    assert ["good"] == ids(lone.journal)


@pytest.mark.control("continuity")
def test_an_fsync_that_fails_ends_the_gate_and_nothing_is_answered(begin: Callable[[], Lone]) -> None:
    """The kernel refuses the fsync: the order is not answered; the next process goes on, and a retry tells."""
    lone = begin()
    lone.price()
    lone.submit("durable")
    lone.send(signal.SIGUSR1)
    time.sleep(0.2)
    with pytest.raises(grpc.RpcError) as caught:
        lone.submit("lost")
    assert grpc.StatusCode.UNAVAILABLE == caught.value.code()
    code, said = lone.end()
    if "no seccomp" in said:
        pytest.skip(said)
    assert (EXIT_FATAL, True) == (code, "CommitFailedError" in said), said
    lone = begin()
    decisions = [lone.submit("lost"), lone.submit("durable")]
    assert [common_pb2.ACTION_ALLOW] * 2 == [decision.action for decision in decisions]
    lone.close()
    assert {"durable": 1, "lost": 1} == {name: ids(lone.journal).count(name) for name in ("durable", "lost")}


@pytest.mark.control("continuity")
def test_a_full_disk_ends_the_gate_and_nothing_acknowledged_is_lost(
    begin: Callable[[Path], Lone], tmp_path: Path
) -> None:
    """A file system of two megabytes fills up: no answer without its event; with room again it goes on."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)]
    if subprocess.run(mounted, capture_output=True, check=False).returncode:  # noqa: S603 -- the system's own
        pytest.skip("only root can mount a small file system")
    try:
        lone = begin(small / "journal.db")
        lone.price()
        acknowledged: list[str] = []
        with pytest.raises(grpc.RpcError) as caught:
            submit_on(lone, acknowledged)
        assert grpc.StatusCode.UNAVAILABLE == caught.value.code()
        assert EXIT_FATAL == lone.end()[0]
        assert len(acknowledged) > 100
        with pytest.raises(AssertionError, match=r"full|I/O error|No space"):
            begin(small / "journal.db")
        subprocess.run(["mount", "-o", "remount,size=8m", str(small)], check=True)  # noqa: S603, S607 -- the system's own
        lone = begin(small / "journal.db")
        lone.submit("after")
        lone.close()
        found = ids(small / "journal.db")
        assert acknowledged == found[: len(acknowledged)]
        assert "after" == found[-1]
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)  # noqa: S603, S607 -- the system's own


def submit_on(lone: Lone, acknowledged: list[str]) -> None:
    """Submit orders until one is not answered."""
    for number in count():
        lone.submit(f"o{number}")
        acknowledged.append(f"o{number}")
