"""Streams that resume and lose nothing, sessions that end with their adapter, time that goes on."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator

import grpc
import pytest

from gateway.adapter_client import AdapterClient
from gateway.client import AsyncClient, new_order
from gateway.status import refusal_of
from gateway.testing import RunningGateway, running_gateway
from gateway.testing.portfolio import DEFAULT_PORTFOLIO
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, market_data_pb2, orders_pb2, risk_pb2

CANCEL_REQUESTED = common_pb2.ORDER_STATUS_PENDING_CANCEL


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    """Run a gateway with a live clock, and a price."""
    async with running_gateway() as running:
        await running.publish_bar({"AAA": "100", "BBB": "50"})
        yield running


@pytest.mark.parametrize("stream", ["orders", "bars", "alerts", "metrics"])
async def test_a_stream_that_begins_while_the_risk_manager_is_away_says_so(
    gateway: RunningGateway, stream: str
) -> None:
    """As every other call does: UNAVAILABLE, with its code, so that whoever watches comes back."""
    await gateway.port.close()
    client = gateway.client
    calls: dict[str, AsyncIterable[object]] = {
        "orders": client.orders.WatchOrders(orders_pb2.WatchOrdersRequest(adapter="broker")),
        "bars": client.market_data.WatchBars(market_data_pb2.WatchBarsRequest()),
        "alerts": client.risk.WatchAlerts(risk_pb2.WatchAlertsRequest()),
        "metrics": client.risk.WatchRiskMetrics(risk_pb2.WatchRiskMetricsRequest()),
    }
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(aiter(calls[stream]))
    assert (grpc.StatusCode.UNAVAILABLE, Reason.RISK_MANAGER_UNAVAILABLE) == refusal_of(caught.value)[:2]


def order(client_order_id: str) -> orders_pb2.NewOrder:
    """Write an order that the adapter routes."""
    return new_order(
        strategy_id="desk",
        client_order_id=client_order_id,
        symbol="AAA",
        side=common_pb2.SIDE_BUY,
        quantity="1",
        route="broker",
    )


def adapter(gateway: RunningGateway) -> AdapterClient:
    """Speak in the adapter's name."""
    return AdapterClient(gateway.client, name="broker", account="a")


async def bars_after(client: AsyncClient, after: int, count: int) -> list[int]:
    """Watch bars from a place; return the sequences of so many."""
    found: list[int] = []
    call = client.market_data.WatchBars(market_data_pb2.WatchBarsRequest(after_sequence=after))
    async with asyncio.timeout(10):
        async for message in call:
            if message.bars:
                found.append(message.bar_sequence)
            if len(found) == count:
                break
    call.cancel()
    return found


async def test_a_watcher_of_bars_resumes_where_it_was_also_after_a_restart(gateway: RunningGateway) -> None:
    """Pins that bars come from the journal where memory has none of them, and then go on live."""
    first = gateway.events("bar_published")[0].sequence
    published = [await gateway.publish_bar({"AAA": str(price)}) for price in range(101, 106)]
    assert published == await bars_after(gateway.client, first, 5)
    await gateway.stop()
    await gateway.start()
    watching = asyncio.create_task(bars_after(gateway.client, published[1], 4))
    await asyncio.sleep(0.1)
    live = await gateway.publish_bar({"AAA": "110"})
    assert [*published[2:], live] == await watching


@pytest.mark.control("alerts")
async def test_alerts_are_streamed_listed_and_acknowledged(gateway: RunningGateway) -> None:
    """Pins that a halt reaches whoever watches, that a late watcher gets it too, and that a person can say "seen"."""
    risk = gateway.client.risk
    watching = risk.WatchAlerts(risk_pb2.WatchAlertsRequest())
    await gateway.client.admin.Halt(admin_pb2.HaltRequest(operator="ann", reason="drill"))
    async with asyncio.timeout(10):
        live = await anext(aiter(watching))
        late = await anext(aiter(risk.WatchAlerts(risk_pb2.WatchAlertsRequest())))
    watching.cancel()
    (alert,) = live.alerts
    assert "OPERATOR_HALT" == alert.reason_code
    assert "ann: drill" in alert.text
    assert [alert] == list(late.alerts)
    seen = risk_pb2.AcknowledgeAlertRequest(alert_sequence=alert.sequence, operator="bob")
    assert (await risk.AcknowledgeAlert(seen)).changed
    assert not (await risk.AcknowledgeAlert(seen)).changed
    (listed,) = (await risk.ListAlerts(risk_pb2.ListAlertsRequest())).alerts
    assert "bob" == listed.acknowledged_by
    assert not (await risk.ListAlerts(risk_pb2.ListAlertsRequest(open_only=True))).alerts


async def test_risk_metrics_come_when_something_has_changed(gateway: RunningGateway) -> None:
    """Pins one message for the state of now, none while nothing happens, and the newest state afterwards."""
    call = gateway.client.risk.WatchRiskMetrics(risk_pb2.WatchRiskMetricsRequest(period_ms=100))
    messages = aiter(call)
    async with asyncio.timeout(10):
        first = await anext(messages)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(pending := asyncio.ensure_future(anext(messages))), 0.5)
        await gateway.client.submit_order(order("a"))
        second = await pending
    call.cancel()
    assert 0 == first.metrics.working_orders
    assert 1 == second.metrics.working_orders
    assert second.metrics.sequence > first.metrics.sequence


async def test_an_adapter_that_resumes_is_not_told_twice(gateway: RunningGateway) -> None:
    """Pins that after_sequence leaves out what was told, and that a cancel of an old order is new."""
    await gateway.client.submit_order(order("a"))
    async with asyncio.timeout(10):
        told = await anext(adapter(gateway).watch())
        assert ["send"] == [entry.WhichOneof("instruction") for entry in told.instructions]
        again = await anext(adapter(gateway).watch(after_sequence=told.sequence))
        assert not again.instructions
        cancel = orders_pb2.CancelOrderRequest(strategy_id="desk", client_order_id="a")
        await gateway.client.orders.CancelOrder(cancel)
        later = await anext(adapter(gateway).watch(after_sequence=told.sequence))
    assert ["cancel"] == [entry.WhichOneof("instruction") for entry in later.instructions]


@pytest.mark.control("cancel-on-disconnect")
async def test_a_session_that_is_lost_cancels_what_its_adapter_routes(gateway: RunningGateway) -> None:
    """Pins cancel-on-disconnect, with an alert; a stream without a session cancels nothing."""
    await gateway.client.submit_order(order("a"))
    plain = adapter(gateway).watch()
    await anext(plain)
    await plain.aclose()
    session = adapter(gateway).watch(cancel_on_disconnect=True)
    first = await anext(session)
    assert first.session_id
    assert 1 == len(first.instructions)
    assert not gateway.events("cancel_requested")
    await session.aclose()
    found = await gateway.wait_for_order("desk", "a", CANCEL_REQUESTED)
    assert "0" == found.cumulative_quantity
    (closed,) = gateway.events("session_closed")
    assert "ADAPTER_DISCONNECTED" == closed.session_closed.reason_code
    alerts = await gateway.client.risk.ListAlerts(risk_pb2.ListAlertsRequest())
    assert ["ADAPTER_DISCONNECTED"] == [alert.reason_code for alert in alerts.alerts]


async def test_a_session_goes_on_in_the_stream_that_replaces_it(gateway: RunningGateway) -> None:
    """Pins that an adapter which comes back before its old stream is noticed to be dead loses no order."""
    await gateway.client.submit_order(order("a"))
    old = adapter(gateway).watch(cancel_on_disconnect=True)
    await anext(old)
    new = adapter(gateway).watch(cancel_on_disconnect=True)
    await anext(new)
    await old.aclose()
    await asyncio.sleep(0.3)
    assert not gateway.events("session_closed")
    assert not gateway.events("cancel_requested")
    await new.aclose()
    await gateway.wait_for_order("desk", "a", CANCEL_REQUESTED)


async def test_heartbeats_keep_a_session_and_their_absence_ends_it(gateway: RunningGateway) -> None:
    """Pins that an adapter which hangs, its connection alive, is lost after three heartbeats; and that it is told."""
    await gateway.client.submit_order(order("a"))
    beating = adapter(gateway).watch(cancel_on_disconnect=True, heartbeat_s=1)
    session_id = (await anext(beating)).session_id
    async with asyncio.timeout(10):
        empty = [await anext(beating) for _ in range(4)]
    assert not any(message.instructions for message in empty)
    assert not gateway.events("session_closed")
    watch = orders_pb2.WatchOrdersRequest(adapter="broker", cancel_on_disconnect=True, heartbeat_s=1)
    silent = gateway.client.orders.WatchOrders(watch)
    await anext(aiter(silent))
    with pytest.raises(grpc.aio.AioRpcError) as replaced:
        await gateway.client.orders.Heartbeat(orders_pb2.HeartbeatRequest(adapter="broker", session_id=session_id))
    assert "SESSION_UNKNOWN" == refusal_of(replaced.value).reason
    (closed,) = await gateway.wait_for_events("session_closed")
    assert "ADAPTER_SILENT" == closed.session_closed.reason_code
    await gateway.wait_for_order("desk", "a", CANCEL_REQUESTED)
    silent.cancel()
    await beating.aclose()


async def test_a_gateway_that_is_stopped_in_order_leaves_the_session_open(gateway: RunningGateway) -> None:
    """Pins that a restart of the gate cancels nothing: the adapter comes back, or its heartbeats stay away."""
    await gateway.client.submit_order(order("a"))
    session = adapter(gateway).watch(cancel_on_disconnect=True)
    await anext(session)
    await gateway.stop()
    with pytest.raises(grpc.aio.AioRpcError):
        await anext(session)
    await gateway.start()
    again = adapter(gateway).watch(cancel_on_disconnect=True)
    assert 1 == len((await anext(again)).instructions)
    assert not gateway.events("cancel_requested")
    await again.aclose()


@pytest.mark.control("overdue-orders")
async def test_an_order_that_nobody_reports_on_is_alerted_then_canceled() -> None:
    """Pins that an order never sits unrouted in silence, by the gate's own clock."""
    portfolio = DEFAULT_PORTFOLIO.model_copy(update={"route_within_s": 1})
    async with running_gateway(portfolio) as gateway:
        await gateway.publish_bar({"AAA": "100"})
        decision = await gateway.client.submit_order(order("a"))
        (overdue,) = await gateway.wait_for_events("order_overdue")
        assert decision.order_id == overdue.order_overdue.order_id
        (cancel,) = await gateway.wait_for_events("cancel_requested")
    assert (
        journal_pb2.CancelRequested(order_id=decision.order_id, strategy_id="desk", reason_code="ORDER_OVERDUE")
        == cancel.cancel_requested
    )
