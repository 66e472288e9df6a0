"""
Knight Capital's morning of 1 August 2012, through the real gateway.

A router sends child orders without end, because nobody compares what left with what was asked for; the fills land in an
account that no control watches. 45 minutes and 4 million executions later 460 million dollars are gone. Here the same
sender meets a sensible portfolio file, twice: once it piles a position up, once it pays the spread for ever.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from itertools import count
from typing import NamedTuple

import pytest

from examples.minimal_adapter import ToyBroker
from gateway.client import AsyncClient, new_order
from gateway.testing import RunningGateway, running_gateway
from tests.integration.test_minimal_adapter import running_adapter
from tidegate.portfolio_file import PortfolioFile
from tidegate.reasons import Reason
from tidegate.risk.consequences import GATE
from tidegate.risk.draft import Key
from tidegate.risk.engine import Engine
from tidegate.risk.refusals import RECORDED_PER_S_MAX
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2, portfolio_pb2

# What the limits below leave of the runaway: so many orders, within so many seconds of its first one.
ORDERS_MAX_PILING_UP = 80
# 200 fills lose 1%; the others were under way when the halt came.
ORDERS_MAX_PAYING_THE_SPREAD = 300
SECONDS_MAX = 10
# So many orders in a row get the same last word before the sender gives up: nothing gets through any more.
ORDERS_AFTERWARDS = 500
# So many calls are under way at once: as fast as one sender can.
AT_ONCE = 16

PORTFOLIO = PortfolioFile.model_validate(
    {
        "name": "knight",
        "currency": "USD",
        "capital": "10000000",
        "clock": "wall",
        "limits": {
            "max_order_notional": "60000",
            "max_leverage": "1",
            "warn_leverage": "0.8",
            "max_concentration": "0.2",
            "warn_concentration": "0.15",
            "halt_drawdown": "0.01",
            "max_drawdown": None,
            "warn_drawdown": "0.005",
        },
        "instruments": [{"symbol": symbol} for symbol in ("AAA", "BBB", "CCC", "DDD")],
        "strategies": [{"id": "router", "kind": "external", "allocation": "0.4"}],
        "adapters": [{"name": "broker"}],
    }
)
QUOTES = {"AAA": "50", "BBB": "50", "CCC": "50", "DDD": "50"}


class AtTheQuote(ToyBroker):
    """A broker that fills at the other side's quote: it buys from us at the bid and sells to us at the offer."""

    async def place(self, order: orders_pb2.Order) -> None:
        """Fill at once, one per cent worse than the mark."""
        self.working[order.order_id] = order
        self.fill(
            order.order_id, order.leaves_quantity, "50.50" if order.order.side == common_pb2.SIDE_BUY else "49.50"
        )


class Stopped(NamedTuple):
    """What the runaway came to: orders accepted, and seconds from its first order to the last of them."""

    accepted: int
    seconds: float


def buys() -> Iterator[orders_pb2.NewOrder]:
    """Buy 50,000's worth of one instrument after the other, without end."""
    for number in count():
        yield parent(number, common_pb2.SIDE_BUY, list(QUOTES)[number % len(QUOTES)])


def round_trips() -> Iterator[orders_pb2.NewOrder]:
    """Buy and sell the same again, without end."""
    for number in count():
        yield parent(number, common_pb2.SIDE_SELL if number % 2 else common_pb2.SIDE_BUY, "AAA")


def parent(number: int, side: common_pb2.Side.ValueType, symbol: str) -> orders_pb2.NewOrder:
    """Write one parent order of 1,000 shares at 50."""
    return new_order(
        strategy_id="router",
        client_order_id=f"parent-{number}",
        symbol=symbol,
        side=side,
        quantity="1000",
        route="broker",
    )


async def run_away(gateway: RunningGateway, orders: Iterator[orders_pb2.NewOrder], last_word: Reason) -> Stopped:
    """Send as fast as it goes, whatever the answers, until nothing but the last word has come for a long while."""
    accepted, in_a_row, ended = 0, 0, 0.0
    async with AsyncClient(gateway.address, timeout_s=10) as client:
        began = time.monotonic()
        while in_a_row < ORDERS_AFTERWARDS:
            burst = [next(orders) for _ in range(AT_ONCE)]
            for decision in await asyncio.gather(*map(client.submit_order, burst)):
                in_a_row = in_a_row + 1 if decision.reason_code == last_word else 0
                if decision.order_id:
                    accepted, ended = accepted + 1, time.monotonic() - began
    return Stopped(accepted, ended)


def assert_exposure_was_never_over_its_limits(events: list[journal_pb2.Event]) -> None:
    """Fold the journal event by event: with all working orders at their worst, at no moment was it more."""
    engine = Engine(Nothing())
    book, limits = engine.book, PORTFOLIO.limits
    assert limits.max_leverage is not None
    assert limits.max_concentration is not None
    for event in events:
        engine.apply(event)
        assert book.totals.gross_exposure <= limits.max_leverage * book.high_water_mark
        for symbol in book.instruments:
            assert book.instrument_exposure(symbol) <= limits.max_concentration * book.high_water_mark
        assert book.strategies["router"].ledger.gross_exposure <= book.terms["router"].capital


class Nothing:
    """An archive of which a fold asks nothing."""

    def find(self, key: Key) -> journal_pb2.Event | None:
        """Fail: folding never asks."""
        raise LookupError(key)

    def events_of_order(self, order_id: str) -> list[journal_pb2.Event]:
        """Fail: folding never asks."""
        raise LookupError(order_id)


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    """Run the real gateway on the sensible portfolio file, with a first price for everything."""
    async with running_gateway(PORTFOLIO) as running:
        await running.publish_bar(QUOTES)
        yield running


@pytest.mark.control("runaway", "capital-thresholds", "order-counts-when-sent")
async def test_a_sender_that_piles_up_a_position_is_stopped_by_its_own_capital(gateway: RunningGateway) -> None:
    """At 80 orders its 4,000,000 are bought, and not one more gets through, however long it goes on."""
    async with running_adapter(gateway, ToyBroker(QUOTES)):
        stopped = await run_away(gateway, buys(), Reason.CAPITAL)
    assert ORDERS_MAX_PILING_UP - 1 <= stopped.accepted <= ORDERS_MAX_PILING_UP
    assert stopped.seconds <= SECONDS_MAX
    events = gateway.events()
    assert_exposure_was_never_over_its_limits(events)
    decided = [event.order_decided.decision for event in events if event.HasField("order_decided")]
    assert stopped.accepted == sum(bool(decision.order_id) for decision in decided)
    # What it went on to ask is on record, and has not filled the disk.
    assert len(decided) - stopped.accepted <= RECORDED_PER_S_MAX * (SECONDS_MAX + 1)


@pytest.mark.control("runaway", "kill-automatic", "drawdown")
async def test_a_sender_that_pays_the_spread_for_ever_is_halted_by_its_losses(gateway: RunningGateway) -> None:
    """Its position never grows, so only what it loses can stop it: at 1% of the capital everything is halted."""
    async with running_adapter(gateway, AtTheQuote(QUOTES)):
        stopped = await run_away(gateway, round_trips(), Reason.TRADING_HALTED)
    assert ORDERS_MAX_PAYING_THE_SPREAD * 2 // 3 <= stopped.accepted <= ORDERS_MAX_PAYING_THE_SPREAD
    assert stopped.seconds <= SECONDS_MAX
    assert_exposure_was_never_over_its_limits(gateway.events())
    (halt,) = gateway.events("trading_halted")
    assert (Reason.DRAWDOWN, GATE) == (halt.trading_halted.reason_code, halt.trading_halted.operator)
    late = [event for event in gateway.events("order_decided") if event.sequence > halt.sequence]
    assert not [event for event in late if event.order_decided.decision.order_id]
    portfolio = await gateway.client.portfolio.GetPortfolio(portfolio_pb2.GetPortfolioRequest())
    assert Decimal(portfolio.equity) >= Decimal("0.985") * PORTFOLIO.capital
    assert "0" == portfolio.conservation.difference
