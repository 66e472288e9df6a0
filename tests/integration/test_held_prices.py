"""Prices far from the mark, through the real gateway: a phantom halts nobody, a crash does after its confirmations."""

import asyncio
import io
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from prometheus_client import REGISTRY
from rich.console import Console

from gateway.client import Client
from gateway.prices import Prices
from gateway.tables import show_risk
from tests.integration.conftest import Running
from tests.integration.test_gateway import bar, order
from tidegate.clocks import bar_clock
from tidegate.gate import Gate, Request
from tidegate.journal.sqlite import SqliteJournal
from tidegate.portfolio_file import read_portfolio_file
from tidegate.reasons import Reason
from tidegate.v1 import common_pb2, market_data_pb2, orders_pb2, risk_pb2

DEMO = Path(__file__).parents[2] / "examples" / "portfolio.yaml"
OPENING_S = bar(1).time.seconds
METRICS = risk_pb2.GetRiskMetricsRequest()


async def publish(running: Running, second: int, price: str) -> None:
    """Publish one price of UP, some seconds after the first bar."""
    entry = market_data_pb2.Price(symbol="UP", price=price, time=Timestamp(seconds=OPENING_S + second))
    await running.client.market_data.PublishPrices(market_data_pb2.PublishPricesRequest(prices=[entry]))


async def level(running: Running) -> common_pb2.HaltLevel.ValueType:
    """Ask whether the portfolio is halted."""
    state = await running.client.risk.GetHaltState(risk_pb2.GetHaltStateRequest())
    return state.level


async def status(running: Running) -> str:
    """Read what ``tidegate status`` says of the risk."""
    written = io.StringIO()
    with Client(running.address) as client:
        await asyncio.to_thread(show_risk, client, Console(file=written))
    return written.getvalue()


async def hold(running: Running) -> None:
    """Give strategy one 100 of UP at 100."""
    await running.client.market_data.PublishBars(bar(1, UP="100", FLAT="100"))
    decision = await running.client.submit_order(order("a", quantity="100"))
    trade = orders_pb2.Execution(
        execution_id="x1",
        execution_type=orders_pb2.EXECUTION_TYPE_TRADE,
        order_id=decision.order_id,
        last_quantity="100",
        last_price="100",
    )
    report = orders_pb2.ReportExecutionsRequest(account="acc", adapter="paper", executions=[trade])
    await running.client.orders.ReportExecutions(report)


async def test_a_phantom_print_halts_nobody(running: Running) -> None:
    """A price 90% down, then normal ones: the instrument is closed in between, and nothing else has happened."""
    await hold(running)
    before = await running.client.risk.GetRiskMetrics(METRICS)
    await publish(running, 1, "10")
    during = await running.client.risk.GetRiskMetrics(METRICS)
    assert [("UP", "10", "100", 1)] == [(o.symbol, o.price, o.mark, o.prints) for o in during.held_prices]
    assert (before.equity, before.high_water_mark) == (during.equity, during.high_water_mark)
    refused = await running.client.submit_order(order("b"))
    assert (common_pb2.ACTION_REJECT, Reason.PRICE_UNCONFIRMED) == (refused.action, refused.reason_code)
    elsewhere = await running.client.submit_order(order("c", symbol="FLAT"))
    assert elsewhere.order_id
    way_out = await running.client.submit_order(order("d", side=common_pb2.SIDE_SELL, limit_price="95"))
    assert way_out.order_id
    REGISTRY.register(collector := running.port.collector())
    assert 1 == REGISTRY.get_sample_value("tidegate_held_prices")
    REGISTRY.unregister(collector)
    assert "held: the price of UP, 10; its mark is 100 of 2020-01-02T00:00:00Z" in await status(running)
    await publish(running, 2, "100")
    after = await running.client.risk.GetRiskMetrics(METRICS)
    assert (before.equity, before.high_water_mark, 0) == (after.equity, after.high_water_mark, len(after.held_prices))
    assert common_pb2.HALT_LEVEL_ACTIVE == await level(running)
    assert (await running.client.submit_order(order("e"))).order_id
    alerts = await running.client.risk.ListAlerts(risk_pb2.ListAlertsRequest())
    assert [(Reason.PRICE_UNCONFIRMED, "UP")] == [(alert.reason_code, alert.scope.name) for alert in alerts.alerts]


async def test_a_real_crash_halts_after_two_confirmations(running: Running) -> None:
    """The default of a portfolio file that says nothing of price bands: the third print far away is believed."""
    await hold(running)
    levels = []
    for second, price in enumerate(["10", "11", "10.5"], start=1):
        await publish(running, second, price)
        levels.append(await level(running))
    active, halted = common_pb2.HALT_LEVEL_ACTIVE, common_pb2.HALT_LEVEL_HALTED
    assert [active, active, halted] == levels
    metrics = await running.client.risk.GetRiskMetrics(METRICS)
    assert ("91050", 0) == (metrics.equity, len(metrics.held_prices))


@pytest.mark.long
@pytest.mark.timeout(180)
def test_no_close_of_the_real_prices_is_held(tmp_path: Path) -> None:
    """33 years of 20 companies have 88 daily moves of more than 20%; by default each of them is the mark at once."""
    portfolio = read_portfolio_file(DEMO)
    symbols = [instrument.symbol for instrument in portfolio.instruments]
    assert portfolio.replay is not None
    prices = Prices(portfolio.replay.prices, symbols, folder=DEMO.parent, begin=None, end=None)
    gate = Gate(SqliteJournal(tmp_path / "journal.db"), bar_clock)
    gate.start(portfolio.to_wire())
    large = 0
    for session in prices.sessions():
        before = dict(gate.engine.book.marks)
        gate.process([Request("PublishBars", session.request.SerializeToString())])
        marks = gate.engine.book.marks
        assert {entry.symbol: entry.close for entry in session.request.bars} == {s: f"{m:f}" for s, m in marks.items()}
        large += sum(5 * abs(mark - before[s]) > before[s] for s, mark in marks.items() if s in before)
    assert 88 == large
    assert not [event for event in gate.journal.read(0) if event.HasField("price_held")]
    gate.journal.close()
