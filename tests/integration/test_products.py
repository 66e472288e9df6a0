"""Currencies, futures, options and coins over real gRPC: every reason of theirs, and what a portfolio shows."""

from collections.abc import AsyncIterator
from itertools import count

import pytest

from gateway.client import AsyncClient
from gateway.testing import running_gateway
from tests.integration.conftest import Running
from tests.integration.test_gateway import bar, order
from tidegate.portfolio_file import PortfolioFile
from tidegate.reasons import Reason
from tidegate.v1 import common_pb2, orders_pb2, portfolio_pb2

SELL = common_pb2.SIDE_SELL

# Bars are of 2020: day 1 ends on January 2nd, and what expires, expires on January 11th.
PORTFOLIO = PortfolioFile.model_validate(
    {
        "name": "products",
        "currency": "USD",
        "currencies": {"EUR": "EURUSD"},
        "capital": "1000000",
        "clock": "bars",
        "limits": {"max_leverage": None, "warn_leverage": None, "max_concentration": None, "warn_concentration": None}
        | {"max_price_age_s": 259_200},
        "instruments": [
            {"symbol": "UP"},
            {"symbol": "EURUSD", "asset_class": "fx", "buys": "EUR", "tick": "0.0001"},
            {"symbol": "DAX", "currency": "EUR"},
            {"symbol": "ES", "asset_class": "future", "multiplier": "50", "tick": "0.25"},
            {"symbol": "BTC", "asset_class": "crypto", "lot": "0.00000001"},
            {
                "symbol": "CALL",
                "asset_class": "option",
                "multiplier": "100",
                "option": {
                    "underlying": "UP",
                    "strike": "100",
                    "expiry": "2020-01-11T00:00:00Z",
                    "right": "call",
                    "volatility": "0.2",
                },
            },
        ],
        "strategies": [
            {"id": "one", "kind": "cash", "class": "a:B", "route": "paper", "allocation": "0.3"},
            {"id": "two", "kind": "external", "allocation": "0.3", "max_leverage": "2"},
        ],
        "adapters": [{"name": "paper"}],
    }
)
_IDS = count()


@pytest.fixture
async def traded() -> AsyncIterator[Running]:
    """Run a gateway over a portfolio of every product."""
    async with running_gateway(PORTFOLIO) as gateway:
        yield gateway


async def decided(client: AsyncClient, symbol: str, quantity: str, **changes: object) -> orders_pb2.Decision:
    """Submit an order with an id of its own."""
    return await client.submit_order(order(f"p{next(_IDS)}", symbol=symbol, quantity=quantity, **changes))


async def hold(client: AsyncClient, symbol: str, quantity: str, price: str, **changes: object) -> None:
    """Submit an order and report it filled."""
    decision = await decided(client, symbol, quantity, **changes)
    assert decision.order_id, decision
    trade = orders_pb2.Execution(
        execution_id=f"x{next(_IDS)}",
        execution_type=orders_pb2.EXECUTION_TYPE_TRADE,
        order_id=decision.order_id,
        last_quantity=quantity,
        last_price=price,
    )
    report = orders_pb2.ReportExecutionsRequest(account="acc", adapter="paper", executions=[trade])
    await client.orders.ReportExecutions(report)


async def test_every_reason_of_a_product_reaches_the_sender(traded: Running) -> None:
    """A rate that is missing or old, currency that is not there, a future without margin, an expired option."""
    client = traded.client
    await client.market_data.PublishBars(bar(1, UP="100", DAX="100", ES="4000", CALL="5", BTC="43210.12345678"))
    assert Reason.FX_RATE_MISSING == (await decided(client, "DAX", "1")).reason_code
    await client.market_data.PublishBars(bar(2, EURUSD="1.1"))
    assert Reason.CAPITAL == (await decided(client, "DAX", "1")).reason_code
    assert Reason.CURRENCY_NOT_AVAILABLE == (await decided(client, "EURUSD", "1", side=SELL)).reason_code
    assert Reason.MARGIN_NEEDED == (await decided(client, "ES", "1")).reason_code
    await hold(client, "EURUSD", "1000", "1.1")
    await hold(client, "DAX", "4", "100")
    await client.market_data.PublishBars(bar(6, UP="100", DAX="100", CALL="5"))
    assert Reason.FX_RATE_STALE == (await decided(client, "DAX", "1")).reason_code
    assert common_pb2.ACTION_ALLOW == (await decided(client, "CALL", "1")).action
    await client.market_data.PublishBars(bar(10, UP="100", CALL="5"))
    assert Reason.OPTION_EXPIRED == (await decided(client, "CALL", "1")).reason_code


async def test_a_portfolio_of_every_product_is_conserved_and_shown_by_currency(traded: Running) -> None:
    """Every kind is held, long and short; cash stands by currency, and the sum shows that nothing was lost."""
    client = traded.client
    prices = {"UP": "100", "DAX": "100", "ES": "4000", "CALL": "5", "BTC": "43210.12", "EURUSD": "1.1"}
    await client.market_data.PublishBars(bar(1, **prices))
    await hold(client, "EURUSD", "1000", "1.1")
    await hold(client, "DAX", "4", "100")
    await hold(client, "BTC", "0.00000003", "43210.12")
    await hold(client, "ES", "1", "4000", side=SELL, strategy_id="two")
    await hold(client, "CALL", "2", "5", side=SELL, strategy_id="two")
    await client.market_data.PublishBars(bar(2, **(prices | {"ES": "4010", "EURUSD": "1.2", "DAX": "110"})))
    shown = await client.portfolio.GetPortfolio(portfolio_pb2.GetPortfolioRequest())
    cash = {entry.currency: (entry.cash, entry.rate) for entry in shown.cash_by_currency}
    assert {"USD": ("999899.9987036964", "1"), "EUR": ("600", "1.2")} == cash
    assert ("999648", "0") == (shown.equity, shown.conservation.difference)
    two = await client.portfolio.GetStrategy(portfolio_pb2.GetStrategyRequest(strategy_id="two"))
    assert ("301000", "299500", "220500") == (two.strategy.cash, two.strategy.equity, two.strategy.gross_exposure)
