"""The rules on orders through the real gateway: each refuses with its reason code, and says whose it is."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from typer.testing import CliRunner

from gateway.cli import app
from gateway.client import new_order
from gateway.testing import RunningGateway, running_gateway
from tidegate.portfolio_file import PortfolioFile
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, common_pb2, market_data_pb2, orders_pb2, risk_pb2

BUY, SELL = common_pb2.SIDE_BUY, common_pb2.SIDE_SELL
# New York is open: it is a Wednesday.
OPEN = datetime(2022, 11, 23, 15, 0, tzinfo=UTC)
CLOSED = datetime(2022, 11, 23, 21, 0, tzinfo=UTC)

PORTFOLIO = PortfolioFile.model_validate(
    {
        "name": "ruled",
        "currency": "USD",
        "capital": "1000000",
        "clock": "bars",
        "limits": {"max_price_age_s": 86_400, "max_concentration": None, "warn_concentration": None},
        "price_bands": [{"band": "0.5", "confirmations": 2}],
        "orders": {
            "collar": {"share": "0.05"},
            "price_move": {"share": "0.1", "within_s": 60},
            "duplicate_within_ms": 500,
            "throttle": {"fills": 4, "within_s": 10},
            "refuse_self_trade": True,
            "max_messages_per_s": 20,
        },
        "instruments": [
            {
                "symbol": "SIZED",
                "min_quantity": "2",
                "max_quantity": "50",
                "min_notional": "300",
                "max_notional": "4000",
            },
            {"symbol": "NYSE", "calendar": "XNYS"},
            {"symbol": "FREE"},
        ],
        "strategies": [
            {"id": "picky", "kind": "external", "allocation": "0.2", "instruments": ["SIZED"]},
            {"id": "long", "kind": "external", "allocation": "0.2", "short_selling": False, "max_working_orders": 1},
            {"id": "daily", "kind": "external", "allocation": "0.2", "max_daily_quantity": "100"}
            | {"max_daily_notional": "5000"},
            {"id": "free", "kind": "external", "allocation": "0.2"},
        ],
        "adapters": [{"name": "broker"}],
    }
)


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    """Run a gateway with every rule, its instruments priced at 100 while New York is open."""
    async with running_gateway(PORTFOLIO) as running:
        await publish(running, OPEN)
        yield running


async def publish(gateway: RunningGateway, moment: datetime, **prices: str) -> None:
    """Publish marks; those that are not named are 100."""
    stamp = Timestamp(seconds=int(moment.timestamp()))
    marks = {"SIZED": "100", "NYSE": "100", "FREE": "100"} | prices
    entries = [market_data_pb2.Price(symbol=symbol, price=price, time=stamp) for symbol, price in marks.items()]
    await gateway.client.market_data.PublishPrices(market_data_pb2.PublishPricesRequest(prices=entries))


class Orders:
    """Orders with ids of their own."""

    def __init__(self, gateway: RunningGateway) -> None:
        """Begin to count."""
        self.gateway = gateway
        self.count = 0

    async def submit(  # noqa: PLR0913, PLR0917 -- an order has as many parts
        self,
        strategy_id: str,
        side: common_pb2.Side.ValueType,
        quantity: str,
        symbol: str = "FREE",
        limit: str = "",
        stop: str = "",
    ) -> orders_pb2.Decision:
        """Submit an order; return the decision."""
        self.count += 1
        order = new_order(
            strategy_id=strategy_id,
            client_order_id=f"o{self.count}",
            symbol=symbol,
            side=side,
            quantity=quantity,
            limit_price=limit,
            stop_price=stop,
            route="broker",
        )
        return await self.gateway.client.submit_order(order)


@pytest.fixture
def orders(gateway: RunningGateway) -> Orders:
    """Submit to the gateway."""
    return Orders(gateway)


@pytest.mark.control("permitted-instruments", "order-size", "price-collar", "short-selling", "working-orders")
@pytest.mark.parametrize(
    ("strategy_id", "side", "quantity", "symbol", "limit", "reason"),
    [
        ("picky", BUY, "5", "FREE", "", Reason.INSTRUMENT_NOT_PERMITTED),
        ("free", BUY, "1", "SIZED", "", Reason.QUANTITY_TOO_SMALL),
        ("free", BUY, "51", "SIZED", "", Reason.ORDER_QUANTITY),
        ("free", BUY, "2", "SIZED", "90", Reason.NOTIONAL_TOO_SMALL),
        ("free", BUY, "39", "SIZED", "", Reason.ORDER_NOTIONAL),
        ("free", BUY, "5", "FREE", "105.01", Reason.PRICE_COLLAR),
        ("long", SELL, "1", "FREE", "", Reason.SHORT_SALE),
        ("daily", BUY, "101", "FREE", "", Reason.DAILY_QUANTITY),
        ("daily", BUY, "48", "FREE", "", Reason.DAILY_NOTIONAL),
    ],
)
async def test_what_breaks_a_rule_is_refused_with_its_code(  # noqa: PLR0913, PLR0917 -- an order has as many parts
    orders: Orders,
    strategy_id: str,
    side: common_pb2.Side.ValueType,
    quantity: str,
    symbol: str,
    limit: str,
    reason: Reason,
) -> None:
    """Each rule that one order alone can break."""
    decision = await orders.submit(strategy_id, side, quantity, symbol, limit)
    assert (common_pb2.ACTION_REJECT, reason) == (decision.action, decision.reason_code)
    assert decision.sequence > 0


@pytest.mark.control("trading-hours")
async def test_an_order_for_a_closed_exchange_is_refused(gateway: RunningGateway, orders: Orders) -> None:
    """The sessions of the real calendar reach the engine."""
    assert "" == (await orders.submit("free", BUY, "5", "NYSE")).reason_code
    await publish(gateway, CLOSED)
    assert Reason.MARKET_CLOSED == (await orders.submit("free", BUY, "5", "NYSE")).reason_code


@pytest.mark.control("duplicate-orders")
async def test_what_repeats_itself_is_refused(gateway: RunningGateway, orders: Orders) -> None:
    """A duplicate, one working order too many, a cross with ourselves, a price that ran away, a message too many."""
    assert "" == (await orders.submit("free", BUY, "5")).reason_code
    assert Reason.DUPLICATE_ORDER == (await orders.submit("free", BUY, "5")).reason_code
    assert "" == (await orders.submit("long", BUY, "5")).reason_code
    assert Reason.WORKING_ORDERS == (await orders.submit("long", BUY, "6")).reason_code
    assert Reason.SELF_TRADE == (await orders.submit("free", SELL, "7")).reason_code
    await publish(gateway, OPEN, FREE="111")
    assert Reason.PRICE_MOVED == (await orders.submit("free", BUY, "8")).reason_code
    reasons = [(await orders.submit("free", BUY, str(10 + n), "NYSE")).reason_code for n in range(20)]
    assert Reason.MESSAGE_RATE == reasons[-1]


@pytest.mark.control("execution-throttle", "runaway")
async def test_a_runaway_program_is_turned_off_until_a_person_turns_it_on(
    gateway: RunningGateway, orders: Orders
) -> None:
    """Fills that repeat throttle the strategy, alert, and only ReleaseThrottle ends it."""
    order_id = (await orders.submit("free", BUY, "10")).order_id
    fills = [
        orders_pb2.Execution(
            execution_id=f"x{number}",
            execution_type=orders_pb2.EXECUTION_TYPE_TRADE,
            order_id=order_id,
            last_quantity="1",
            last_price="100",
        )
        for number in range(4)
    ]
    report = orders_pb2.ReportExecutionsRequest(account="main", adapter="broker", executions=fills)
    await gateway.client.orders.ReportExecutions(report)
    decision = await orders.submit("free", BUY, "1")
    assert Reason.EXECUTION_THROTTLE == decision.reason_code
    assert "strategy free had 4 buys of FREE filled within 10 s" in decision.reason
    command = ["release", "free", "--reason", "found the bug", "--operator", "ann", "--address", gateway.address]
    first, second = [await asyncio.to_thread(CliRunner().invoke, app, command) for _ in range(2)]
    assert ["free: released\n", "free: was not throttled\n"] == [first.output, second.output]
    release = admin_pb2.ReleaseThrottleRequest(strategy_id="free", operator="ann", reason="found the bug")
    assert not (await gateway.client.admin.ReleaseThrottle(release)).changed
    assert "" == (await orders.submit("free", BUY, "1")).reason_code
    alerts = (await gateway.client.risk.ListAlerts(risk_pb2.ListAlertsRequest())).alerts
    assert [Reason.THROTTLE_RELEASED, Reason.EXECUTION_THROTTLE] == [alert.reason_code for alert in alerts]


async def test_a_stop_order_is_taken_at_its_worst(gateway: RunningGateway, orders: Orders) -> None:
    """A stop order reserves its stop and the collar beyond, and is shown with its stop."""
    decision = await orders.submit("free", BUY, "10", stop="110")
    assert "" == decision.reason_code
    found = await gateway.client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id=decision.order_id))
    assert (common_pb2.ORDER_TYPE_STOP, "110") == (found.order.order.order_type, found.order.order.stop_price)
    (event,) = gateway.events("order_decided")
    assert ("115.5", "15.5") == (event.order_decided.valuation_price, event.order_decided.unit_loss)
