"""The minimal adapter through all that docs/adapters.md says an adapter must get right; the page quotes this file."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from examples.minimal_adapter import Adapter, ToyBroker
from gateway.adapter_client import ENTRIES_MAX, AdapterClient
from gateway.client import AsyncClient, new_order
from gateway.status import is_away, refusal_of
from gateway.testing import RunningGateway, running_gateway
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, common_pb2, orders_pb2

CANCELED = common_pb2.ORDER_STATUS_CANCELED
FILLED = common_pb2.ORDER_STATUS_FILLED
WORKING = common_pb2.ORDER_STATUS_NEW
PARTIALLY_FILLED = common_pb2.ORDER_STATUS_PARTIALLY_FILLED
REJECTED = common_pb2.ORDER_STATUS_REJECTED
NEW = orders_pb2.EXECUTION_TYPE_NEW
TRADE = orders_pb2.EXECUTION_TYPE_TRADE


@contextlib.asynccontextmanager
async def running_adapter(gateway: RunningGateway, broker: ToyBroker) -> AsyncIterator[None]:
    """Run the adapter beside the test; what ends it early fails the test."""
    async with AsyncClient(gateway.address, timeout_s=5) as client:
        adapter = Adapter(AdapterClient(client, name="broker", account="demo"), broker)
        task = asyncio.create_task(adapter.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def order(name: str, symbol: str = "AAA", limit_price: str = "", route: str = "broker") -> orders_pb2.NewOrder:
    """Write an order of the desk's, to buy 10."""
    return new_order(
        strategy_id="desk",
        client_order_id=name,
        symbol=symbol,
        side=common_pb2.SIDE_BUY,
        quantity="10",
        limit_price=limit_price,
        route=route,
    )


async def submit_until_answered(client: AsyncClient, order: orders_pb2.NewOrder) -> orders_pb2.Decision:
    """Submit until there is an answer; the client_order_id makes it one order, however often it is asked."""
    while True:
        try:
            return await client.submit_order(order)
        except grpc.aio.AioRpcError as error:
            if not is_away(error):
                raise
            await asyncio.sleep(0.2)


async def ask_to_cancel(gateway: RunningGateway, name: str) -> None:
    """Have the desk ask for a cancel."""
    await gateway.client.orders.CancelOrder(orders_pb2.CancelOrderRequest(strategy_id="desk", client_order_id=name))


def booked(gateway: RunningGateway) -> list[orders_pb2.Execution]:
    """Return the executions that the journal holds."""
    return [event.execution_booked.execution for event in gateway.events("execution_booked")]


async def test_an_order_is_claimed_sent_and_filled() -> None:
    """What the adapter does, as the journal tells it."""
    async with running_gateway() as gateway, running_adapter(gateway, ToyBroker({"AAA": "100.00"})):
        await gateway.publish_bar({"AAA": "100.00"})
        await gateway.client.submit_order(order("first"))
        filled = await gateway.wait_for_order("desk", "first", FILLED)
        assert filled.average_price == "100"
        assert [event.order_claimed.adapter for event in gateway.events("order_claimed")] == ["broker"]
        assert [execution.execution_type for execution in booked(gateway)] == [NEW, TRADE]


async def test_partial_fills_add_up() -> None:
    """Each part is an execution of its own; the rest works on."""
    broker = ToyBroker({"AAA": "100.00"})
    async with running_gateway() as gateway, running_adapter(gateway, broker):
        await gateway.publish_bar({"AAA": "100.00"})
        decision = await gateway.client.submit_order(order("rests", limit_price="99"))
        await gateway.wait_for_order("desk", "rests", WORKING)
        broker.fill(decision.order_id, "4", "98")
        part = await gateway.wait_for_order("desk", "rests", PARTIALLY_FILLED)
        broker.fill(decision.order_id, "6", "99")
        whole = await gateway.wait_for_order("desk", "rests", FILLED)
    assert ("4", "6") == (part.cumulative_quantity, part.leaves_quantity)
    assert ("10", "98.6") == (whole.cumulative_quantity, whole.average_price)


async def test_a_newer_price_from_elsewhere_does_not_end_the_adapter() -> None:
    """Its own quote is refused as older than the mark, and orders go on."""
    async with running_gateway() as gateway:
        await gateway.publish_bar({"AAA": "100.00"}, time=datetime.now(UTC) + timedelta(seconds=4))
        async with running_adapter(gateway, ToyBroker({"AAA": "100.00"})):
            await gateway.client.submit_order(order("first"))
            await gateway.wait_for_order("desk", "first", FILLED)
            refused = await gateway.wait_for_events("command_refused")
            await gateway.client.submit_order(order("next"))
            await gateway.wait_for_order("desk", "next", FILLED)
    assert [Reason.PRICE_OUT_OF_ORDER] == [event.command_refused.reason_code for event in refused]


async def test_a_replacement_that_the_broker_does_not_know_is_answered() -> None:
    """An adapter that replaces nothing says so, and the order works on as it was."""
    async with running_gateway() as gateway, running_adapter(gateway, ToyBroker({"AAA": "100.00"})):
        await gateway.publish_bar({"AAA": "100.00"})
        await gateway.client.submit_order(order("rests", limit_price="99"))
        await gateway.wait_for_order("desk", "rests", WORKING)
        request = orders_pb2.ReplaceOrderRequest(
            strategy_id="desk", orig_client_order_id="rests", client_order_id="more", quantity="20", limit_price="99"
        )
        replaced = await gateway.client.orders.ReplaceOrder(request)
        assert common_pb2.ACTION_ALLOW == replaced.decision.action
        await gateway.wait_for_events("execution_booked", 2)
        working = await gateway.wait_for_order("desk", "rests", WORKING)
    assert ("10", "rests") == (working.leaves_quantity, working.order.client_order_id)


async def test_an_order_that_the_broker_does_not_take_is_reported_rejected() -> None:
    """Its reservation is free again."""
    async with running_gateway() as gateway, running_adapter(gateway, ToyBroker({"AAA": "100.00"})):
        await gateway.publish_bar({"BBB": "5"})
        await gateway.client.submit_order(order("strange", "BBB"))
        await gateway.wait_for_order("desk", "strange", REJECTED)


async def test_a_cancel_is_the_brokers_to_confirm() -> None:
    """The order is PENDING_CANCEL until the broker says so, and works on when the broker was not asked in time."""
    broker = ToyBroker({"AAA": "100.00"})
    async with running_gateway() as gateway, running_adapter(gateway, broker):
        await gateway.publish_bar({"AAA": "100.00"})
        for name in ("gone", "late"):
            await gateway.client.submit_order(order(name, limit_price="99"))
            await gateway.wait_for_order("desk", name, WORKING)
        late = await gateway.wait_for_order("desk", "late", WORKING)
        del broker.working[late.order_id]  # filled a moment ago; the news is still on its way
        await ask_to_cancel(gateway, "gone")
        await ask_to_cancel(gateway, "late")
        await gateway.wait_for_order("desk", "gone", CANCELED)
        await gateway.wait_for_order("desk", "late", WORKING)
        assert orders_pb2.EXECUTION_TYPE_CANCEL_REJECTED == booked(gateway)[-1].execution_type


@pytest.mark.parametrize("halted", [False, True], ids=["canceled", "halted"])
async def test_what_was_canceled_or_halted_before_it_was_sent_never_reaches_the_broker(*, halted: bool) -> None:
    """The adapter reports it canceled itself: nobody else can."""
    broker = ToyBroker({"AAA": "100.00"})
    async with running_gateway() as gateway:
        await gateway.publish_bar({"AAA": "100.00"})
        await gateway.client.submit_order(order("unsent"))
        if halted:
            await gateway.client.admin.Halt(admin_pb2.HaltRequest(operator="ann", reason="enough"))
        else:
            await ask_to_cancel(gateway, "unsent")
        async with running_adapter(gateway, broker):
            await gateway.wait_for_order("desk", "unsent", CANCELED)
    assert {} == broker.known


async def test_what_the_broker_did_while_the_gateway_was_away_is_booked_once() -> None:
    """The adapter survives a restart of the gateway and tells it what it missed."""
    broker = ToyBroker({"AAA": "100.00"})
    async with running_gateway() as gateway, running_adapter(gateway, broker):
        await gateway.publish_bar({"AAA": "100.00"})
        decision = await gateway.client.submit_order(order("rests", limit_price="99"))
        await gateway.wait_for_order("desk", "rests", WORKING)
        await gateway.stop()
        broker.fill(decision.order_id, "4", "98")
        await asyncio.sleep(0.2)
        broker.fill(decision.order_id, "6", "98")
        await gateway.start()
        await gateway.wait_for_order("desk", "rests", FILLED)
        await gateway.client.submit_order(order("next"))
        await gateway.wait_for_order("desk", "next", FILLED)
        assert [NEW, TRADE, TRADE, NEW, TRADE] == [execution.execution_type for execution in booked(gateway)]


@pytest.mark.parametrize("sent", [False, True], ids=["never sent", "sent and filled"])
async def test_a_possibly_sent_order_is_asked_about_before_it_is_sent(*, sent: bool) -> None:
    """An adapter that died between claim and report: its successor sends only what the broker does not know."""
    broker = ToyBroker({"AAA": "100.00"})
    async with running_gateway() as gateway:
        await gateway.publish_bar({"AAA": "100.00"})
        await gateway.client.submit_order(order("perhaps"))
        died = AdapterClient(gateway.client, name="broker", account="demo")
        (open_order,) = [entry.send for entry in (await anext(died.watch())).instructions]
        await died.claim([open_order])
        (perhaps,) = [working async for working in died.working_orders()]
        assert perhaps.possibly_sent
        if sent:
            await broker.place(perhaps)
        async with running_adapter(gateway, broker):
            await gateway.wait_for_order("desk", "perhaps", FILLED)
    assert [NEW, TRADE] == [execution.execution_type for execution in broker.known[perhaps.order_id]]


async def test_no_answer_is_unknown_and_asking_again_is_one_order() -> None:
    """A sender that got no answer asks with the same id, for as long as it takes."""
    async with running_gateway() as gateway:
        await gateway.publish_bar({"AAA": "100.00"})
        async with AsyncClient(gateway.address, timeout_s=0.3) as client:
            first = await client.submit_order(order("once"))
            await gateway.stop()
            asking = asyncio.create_task(submit_until_answered(client, order("once")))
            await asyncio.sleep(0.8)
            assert not asking.done()
            await gateway.start()
            assert first == await asking
            assert 1 == len(gateway.events("order_decided"))


async def test_an_order_without_a_route_is_its_senders_to_send_and_report() -> None:
    """The reply is the permission, until route_by; the same adapter reports on it."""
    async with running_gateway() as gateway:
        await gateway.publish_bar({"AAA": "100.00"})
        decision = await gateway.client.submit_order(order("own", route=""))
        assert decision.HasField("route_by")
        gate = AdapterClient(gateway.client, name="broker", account="demo")
        trade = orders_pb2.Execution(
            execution_id="x1",
            execution_type=TRADE,
            order_id=decision.order_id,
            last_quantity=decision.approved_quantity,
            last_price="100",
        )
        await gate.report([trade])
        await gateway.wait_for_order("desk", "own", FILLED)


async def test_a_mistake_ends_the_adapter_instead_of_being_repeated() -> None:
    """A name that the portfolio file does not know stays wrong; the refusal says so with its code and field."""
    async with running_gateway() as gateway:
        stranger = Adapter(AdapterClient(gateway.client, name="stranger", account="demo"), ToyBroker({"AAA": "1"}))
        with pytest.raises(BaseExceptionGroup) as caught:
            await stranger.run()
        error = caught.value.exceptions[0]
        assert isinstance(error, grpc.aio.AioRpcError)
        refusal = refusal_of(error)
    assert (grpc.StatusCode.NOT_FOUND, Reason.ADAPTER_UNKNOWN, "adapter") == (
        refusal.code,
        refusal.reason,
        refusal.field,
    )


async def test_more_than_one_call_takes_is_claimed_reported_and_listed_in_parts() -> None:
    """An adapter that comes late to many orders is not refused with BATCH_TOO_LARGE."""
    count = ENTRIES_MAX + 1
    names = [f"n{number}" for number in range(count)]
    async with running_gateway() as gateway:
        await gateway.publish_bar({"AAA": "1"})
        for part in (names[:ENTRIES_MAX], names[ENTRIES_MAX:]):
            request = orders_pb2.SubmitOrdersRequest(orders=[order(name) for name in part])
            await gateway.client.orders.SubmitOrders(request)
        gate = AdapterClient(gateway.client, name="broker", account="demo")
        messages, is_cut, orders = gate.watch(), True, list[orders_pb2.Order]()
        while is_cut:
            message = await anext(messages)
            orders += [entry.send for entry in message.instructions]
            is_cut = message.is_cut
        claims = await gate.claim(orders)
        news = [
            orders_pb2.Execution(execution_id=f"x{claim.order_id}", execution_type=NEW, order_id=claim.order_id)
            for claim in claims
            if claim.outcome == orders_pb2.CLAIM_OUTCOME_CLAIMED
        ]
        places = await gate.report(news)
        listed = [working.order.client_order_id async for working in gate.working_orders()]
    assert names == listed == [working.order.client_order_id for working in orders]
    assert count == len(set(places))


async def test_an_execution_id_used_for_other_figures_has_no_place() -> None:
    """The same report again has the place of the first; another one under its id is not booked, and 0 says so."""
    async with running_gateway() as gateway:
        await gateway.publish_bar({"AAA": "100.00"})
        decision = await gateway.client.submit_order(order("a"))
        gate = AdapterClient(gateway.client, name="broker", account="demo")
        first = orders_pb2.Execution(execution_id="x", execution_type=NEW, order_id=decision.order_id)
        other = orders_pb2.Execution(
            execution_id="x", execution_type=orders_pb2.EXECUTION_TYPE_REJECTED, order_id=decision.order_id
        )
        (place,) = await gate.report([first])
        assert [place, 0] == await gate.report([first, other])
        assert [] == await gate.report([])
