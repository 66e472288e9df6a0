"""``gateway.testing`` as somebody else's tests would use it."""

import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest

from gateway.client import Client, new_order
from gateway.testing import DEFAULT_PORTFOLIO, gateway_in_thread, running_gateway
from tests.integration.conftest import PORTFOLIO
from tidegate.errors import ConfigurationError, EpochFencedError
from tidegate.journal.sqlite import SqliteJournal
from tidegate.portfolio_file import PortfolioFile
from tidegate.times import from_datetime, to_ns
from tidegate.v1 import common_pb2, orders_pb2, portfolio_pb2

ROOT = Path(__file__).parents[2]
PENDING_NEW = common_pb2.ORDER_STATUS_PENDING_NEW


def order(client_order_id: str, symbol: str = "AAA") -> orders_pb2.NewOrder:
    """Write an order of the built-in portfolio."""
    return new_order(
        strategy_id="desk",
        client_order_id=client_order_id,
        symbol=symbol,
        side=common_pb2.SIDE_BUY,
        quantity="10",
        route="broker",
    )


async def test_a_gateway_with_the_built_in_portfolio_decides_and_journals() -> None:
    """Nothing but a bar is needed before an order is let through."""
    async with running_gateway() as gateway:
        bar_sequence = await gateway.publish_bar({"AAA": "100.00", "BBB": "5"})
        decision = await gateway.client.submit_order(order("a"))
        found = await gateway.wait_for_order("desk", "a", PENDING_NEW)
        kinds = [event.WhichOneof("body") for event in gateway.events()]
        (decided,) = gateway.events("order_decided")
    assert (common_pb2.ACTION_ALLOW, found.order_id) == (decision.action, decision.order_id)
    assert ["portfolio_configured", "bar_published", "order_decided"] == kinds
    assert (bar_sequence + 1, "a") == (decided.sequence, decided.order_decided.order.client_order_id)


async def test_two_gateways_stand_side_by_side_and_leave_nothing_behind() -> None:
    """Each has a port and a journal of its own; both are gone at the end."""
    async with running_gateway() as one, running_gateway() as two:
        await one.publish_bar({"AAA": "100.00"})
        assert one.address != two.address
        assert [] == two.events("bar_published")
        journals = (one.journal, two.journal)
    assert not any(journal.parent.exists() for journal in journals)


@pytest.mark.parametrize("given", [PORTFOLIO, str(PORTFOLIO)])
async def test_bars_of_a_portfolio_on_the_bars_clock_are_days(given: Path | str, portfolio: PortfolioFile) -> None:
    """A path is read, and each bar is of the day after the last; a time of one's own is kept."""
    own = datetime(2020, 5, 1, tzinfo=UTC)
    async with running_gateway(given) as gateway:
        for _ in range(2):
            await gateway.publish_bar({"UP": "1"})
        await gateway.publish_bar({"UP": "1"}, time=own)
        bars = [event.bar_published.time.ToJsonString() for event in gateway.events("bar_published")]
        configured = gateway.events()[0].portfolio_configured
    assert ["2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z", "2020-05-01T00:00:00Z"] == bars
    assert portfolio.to_wire() == configured


async def test_bars_on_the_wall_clock_are_of_now_and_never_repeat() -> None:
    """Bars published at once after each other have different times, all of them of now."""
    began = from_datetime(datetime.now(UTC))
    async with running_gateway() as gateway:
        for _ in range(20):
            await gateway.publish_bar({"AAA": "1"})
        times = [to_ns(event.bar_published.time) for event in gateway.events("bar_published")]
    assert 20 == len(set(times))
    assert began <= min(times) <= max(times) <= from_datetime(datetime.now(UTC)) + 1_000


async def test_a_wrong_portfolio_file_is_refused_in_its_own_words(tmp_path: Path) -> None:
    """The error names file, line and key, as ``tidegate run`` does."""
    path = tmp_path / "portfolio.yaml"
    path.write_text("name: broken\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"portfolio.yaml:1: currency: Field required"):
        async with running_gateway(path):
            raise AssertionError


async def test_waiting_in_vain_says_how_far_the_order_has_come() -> None:
    """A test that fails by a time-out names the order, its state, and the refusal if it was refused."""
    filled = common_pb2.ORDER_STATUS_FILLED
    async with running_gateway() as gateway:
        await gateway.publish_bar({"AAA": "100.00"})
        await gateway.client.submit_order(order("waits"))
        await gateway.client.submit_order(order("refused", "BBB"))
        with pytest.raises(TimeoutError, match="desk/waits is ORDER_STATUS_PENDING_NEW, not ORDER_STATUS_FILLED"):
            await gateway.wait_for_order("desk", "waits", filled, timeout_s=0.1)
        with pytest.raises(TimeoutError, match="desk/refused is ORDER_STATUS_UNSPECIFIED, refused with PRICE_MISSING"):
            await gateway.wait_for_order("desk", "refused", filled, timeout_s=0.1)
        with pytest.raises(TimeoutError, match="desk/never is ORDER_STATUS_UNSPECIFIED, not"):
            await gateway.wait_for_order("desk", "never", filled, timeout_s=0.1)
        assert 2 == len(await gateway.wait_for_events("order_decided", 2))
        with pytest.raises(TimeoutError, match=r"2 of 3 events order_decided after 0.1 s"):
            await gateway.wait_for_events("order_decided", 3, timeout_s=0.1)


async def test_a_kind_of_event_that_does_not_exist_is_refused() -> None:
    """A typing mistake must not read as "no such event was recorded"."""
    async with running_gateway() as gateway:
        with pytest.raises(ValueError, match="no event is called order_decide; there are alert_acknowledged, "):
            gateway.events("order_decide")


async def test_a_stopped_gateway_breaks_streams_and_comes_back_from_its_journal() -> None:
    """What an adapter sees of a restart: UNAVAILABLE, then the same orders as before."""
    async with running_gateway() as gateway:
        await gateway.publish_bar({"AAA": "100.00"})
        first = await gateway.client.submit_order(order("a"))
        stream = gateway.client.orders.WatchOrders(orders_pb2.WatchOrdersRequest(adapter="broker"))
        messages = aiter(stream)
        await anext(messages)
        await gateway.stop()
        assert 3 == len(gateway.events())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await anext(messages)
        assert grpc.StatusCode.UNAVAILABLE == caught.value.code()
        await gateway.start()
        assert first == await gateway.client.submit_order(order("a"))


async def test_a_gateway_that_failed_fails_the_test_unless_the_test_expected_it() -> None:
    """A broken engine cannot end as a green test; a failure that was taken out is the test's own business."""

    async def provoke() -> None:
        async with running_gateway() as gateway:
            SqliteJournal(gateway.journal).close()  # a newer writer: the gateway's own is fenced
            with pytest.raises(grpc.aio.AioRpcError):
                await gateway.client.orders.SubmitOrder(orders_pb2.SubmitOrderRequest(order=order("a")), timeout=0.5)

    with pytest.raises(BaseExceptionGroup, match="the gateway failed") as caught:
        await provoke()
    assert [EpochFencedError] == [type(failure) for failure in caught.value.exceptions]


def test_a_test_without_asyncio_has_the_same_gateway() -> None:
    """Every method works from a plain test, and the client is the synchronous one."""
    with gateway_in_thread() as gateway:
        gateway.publish_bar({"AAA": "100.00"})
        first = gateway.client.submit_order(order("a"))
        gateway.stop()
        gateway.start()
        assert first == gateway.client.submit_order(order("a"))
        assert first.order_id == gateway.wait_for_order("desk", "a", PENDING_NEW).order_id
        assert gateway.events("order_decided") == gateway.wait_for_events("order_decided")
        assert [] == gateway.failures
        folder = gateway.journal.parent
    assert not folder.exists()


def test_a_gateway_of_a_thread_that_failed_fails_the_test_as_well() -> None:
    """The same promise without asyncio."""
    with pytest.raises(BaseExceptionGroup, match="the gateway failed"), gateway_in_thread() as gateway:
        gateway.failures.append(EpochFencedError("fenced"))


def test_the_pytest_plugin_gives_a_gateway_with_a_portfolio_of_ones_own(tmp_path: Path) -> None:
    """Another project's tests: one line in its conftest.py, a fixture for its portfolio, a test that trades."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["gateway.testing.plugin"]\n', encoding="utf-8")
    test = f"""
        import pytest

        def test_with_the_built_in_portfolio(tidegate_gateway):
            assert tidegate_gateway.publish_bar({{"AAA": "100.00"}}) == 2

        class TestWithAPortfolioOfOnesOwn:
            @pytest.fixture
            def tidegate_portfolio(self):
                return {str(PORTFOLIO)!r}

            def test_its_instruments_are_known(self, tidegate_gateway):
                assert tidegate_gateway.publish_bar({{"UP": "100.00"}}) == 2
    """
    (tmp_path / "test_theirs.py").write_text(textwrap.dedent(test), encoding="utf-8")
    options = ["-q", "--rootdir", str(tmp_path), "-p", "no:cacheprovider"]
    ran = subprocess.run(  # noqa: S603 -- pytest itself
        [sys.executable, "-m", "pytest", *options, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr


def test_a_gateway_as_a_process_says_where_it_listens_and_ends_with_its_input() -> None:
    """What tests in another language start."""
    process = subprocess.Popen(  # noqa: S603 -- the module under test
        [sys.executable, "-m", "gateway.testing", "--portfolio", str(PORTFOLIO)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        with Client(process.stdout.readline().strip(), timeout_s=10) as client:
            assert "small" == client.portfolio.GetPortfolio(portfolio_pb2.GetPortfolioRequest()).name
        process.stdin.close()
        assert 0 == process.wait(10)


def test_a_process_with_a_wrong_portfolio_file_says_so_in_one_line() -> None:
    """No stack trace for a user's typing mistake."""
    ran = subprocess.run(
        [sys.executable, "-m", "gateway.testing", "--portfolio", "nowhere.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (1, "", "nowhere.yaml: No such file or directory\n") == (ran.returncode, ran.stdout, ran.stderr)


def test_it_needs_neither_pytest_nor_ray() -> None:
    """It ships in the wheel, for people whose tests run on something else."""
    code = "import sys, gateway.testing; print({'pytest', 'ray'} & set(sys.modules))"
    ran = subprocess.run(  # noqa: S603 -- this interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "set()\n" == ran.stdout


def test_the_built_in_portfolio_has_no_problems() -> None:
    """It is written in Python, and passes what a file must pass."""
    assert [] == list(DEFAULT_PORTFOLIO.problems())
