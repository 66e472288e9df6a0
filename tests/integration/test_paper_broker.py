"""The paper broker as an adapter of a gateway: what it does about a replacement."""

import asyncio
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.client import new_order
from gateway.testing import RunningGateway, running_gateway
from tidegate.v1 import common_pb2, orders_pb2

BROKER = Path(__file__).parents[2] / "examples" / "paper_broker.py"
WORKING = common_pb2.ORDER_STATUS_NEW
FILLED = common_pb2.ORDER_STATUS_FILLED


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    """Run a gateway with the broker behind it; orders fill at the next bar."""
    async with running_gateway() as running:
        arguments = [str(BROKER), "--address", running.address, "--adapter", "broker", "--exit-with-parent"]
        broker = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=asyncio.subprocess.PIPE)
        await running.publish_bar({"AAA": "100"})
        yield running
        assert broker.stdin is not None
        broker.stdin.close()
        await broker.wait()


async def test_a_replaced_order_fills_with_its_new_quantity_at_its_new_limit(gateway: RunningGateway) -> None:
    """Pins the whole way of a replacement: reserved, told to the broker, accepted, filled."""
    order = new_order(
        strategy_id="desk",
        client_order_id="a",
        symbol="AAA",
        side=common_pb2.SIDE_BUY,
        quantity="10",
        limit_price="90",
        route="broker",
        time_in_force=common_pb2.TIME_IN_FORCE_GTC,
    )
    await gateway.client.submit_order(order)
    await gateway.wait_for_order("desk", "a", WORKING)
    request = orders_pb2.ReplaceOrderRequest(
        strategy_id="desk", orig_client_order_id="a", client_order_id="b", quantity="25", limit_price="101"
    )
    await gateway.client.orders.ReplaceOrder(request)
    working = await gateway.wait_for_order("desk", "b", WORKING)
    assert ("b", "25", "101") == (working.order.client_order_id, working.order.quantity, working.order.limit_price)
    await gateway.publish_bar({"AAA": "100"})
    filled = await gateway.wait_for_order("desk", "a", FILLED)
    assert "25" == filled.cumulative_quantity


async def test_a_stop_order_waits_for_its_stop(gateway: RunningGateway) -> None:
    """Pins that a stop below the market sells only once the price is there, and a stop-limit not below its limit."""
    for name, limit in (("stop", ""), ("stop-limit", "96")):
        order = new_order(
            strategy_id="desk",
            client_order_id=name,
            symbol="AAA",
            side=common_pb2.SIDE_SELL,
            quantity="10",
            limit_price=limit,
            stop_price="97",
            route="broker",
            time_in_force=common_pb2.TIME_IN_FORCE_GTC,
        )
        assert (await gateway.client.submit_order(order)).order_id
        await gateway.wait_for_order("desk", name, WORKING)
    await gateway.publish_bar({"AAA": "98"})
    await gateway.publish_bar({"AAA": "95"})
    await gateway.wait_for_order("desk", "stop", FILLED)
    waiting = await gateway.wait_for_order("desk", "stop-limit", WORKING)
    assert "0" == waiting.cumulative_quantity
    await gateway.publish_bar({"AAA": "96.5"})
    filled = await gateway.wait_for_order("desk", "stop-limit", FILLED)
    assert Decimal(96) <= Decimal(filled.average_price)
    stopped = await gateway.wait_for_order("desk", "stop", FILLED)
    assert Decimal(stopped.average_price) <= Decimal(95)
