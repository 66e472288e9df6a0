"""Deadlines: one that has expired means "unknown", and asking again with the same id says what happened."""

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from gateway.client import Client, new_order
from gateway.status import is_away
from gateway.testing import RunningGateway
from tests.integration.target import running_target
from tests.integration.test_gateway import bar, order
from tidegate.v1 import common_pb2, journal_pb2, market_data_pb2, orders_pb2

SLOW_S = 0.6
IMPATIENT_S = 0.2


@pytest.fixture
def slow_disk(running: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have every commit from now on take its time."""

    def begin() -> None:
        assert running.port._gate is not None
        journal = running.port._gate.journal
        append = journal.append

        def take_ones_time(*entries: Any) -> Any:
            time.sleep(SLOW_S)
            return append(*entries)

        monkeypatch.setattr(journal, "append", take_ones_time)

    return begin


def submit(running: RunningGateway, client_order_id: str, timeout_s: float | None = None) -> Any:
    """Submit an order, patiently or not."""
    request = orders_pb2.SubmitOrderRequest(order=order(client_order_id))
    return running.client.orders.SubmitOrder(request, timeout=timeout_s)


def decided(running: RunningGateway, client_order_id: str) -> list[journal_pb2.Event]:
    """Return every decision on an order in the journal."""
    events = running.events("order_decided")
    return [event for event in events if event.order_decided.order.client_order_id == client_order_id]


async def expired(call: Any) -> None:
    """Wait for a call to give up."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert grpc.StatusCode.DEADLINE_EXCEEDED == caught.value.code()
    assert is_away(caught.value)


async def test_an_order_whose_sender_gave_up_is_decided_once_and_the_retry_says_how(
    running: RunningGateway, slow_disk: Callable[[], None]
) -> None:
    """The commit was under way: the decision stands, and is given to whoever asks again."""
    await running.client.market_data.PublishBars(bar(1, UP="100"))
    slow_disk()
    await expired(submit(running, "a", IMPATIENT_S))
    answer = await submit(running, "a")
    (event,) = decided(running, "a")
    assert (common_pb2.ACTION_ALLOW, event.sequence) == (answer.decision.action, answer.decision.sequence)


async def test_what_the_gateway_has_begun_is_decided_though_its_sender_gave_up_before_its_turn(
    running: RunningGateway, slow_disk: Callable[[], None]
) -> None:
    """Behind a commit that lasts, an order waits for its batch; nobody takes it out when its deadline expires."""
    await running.client.market_data.PublishBars(bar(1, UP="100"))
    slow_disk()
    first = asyncio.ensure_future(submit(running, "first"))
    await asyncio.sleep(IMPATIENT_S / 2)
    await expired(submit(running, "second", IMPATIENT_S))
    assert not first.done()
    await first
    answer = await submit(running, "second")
    (event,) = decided(running, "second")
    assert event.sequence == answer.decision.sequence


def test_an_order_that_reached_a_gateway_that_stood_still_is_decided_once() -> None:
    """Whether it was decided when the gateway went on, or only by the retry, nobody can know, and nobody need to."""
    request = orders_pb2.SubmitOrderRequest(
        order=new_order(strategy_id="desk", client_order_id="a", symbol="AAA", side=common_pb2.SIDE_BUY, quantity="10")
    )
    with running_target() as target, Client(target.address, timeout_s=10) as client:
        now = market_data_pb2.PublishBarsRequest(bars=[market_data_pb2.Bar(symbol="AAA", close="100")])
        now.time.GetCurrentTime()
        client.market_data.PublishBars(now)
        target.send(signal.SIGSTOP)
        with pytest.raises(grpc.RpcError) as caught:
            client.orders.SubmitOrder(request, timeout=IMPATIENT_S)
        target.send(signal.SIGCONT)
        assert is_away(caught.value)
        answers = [client.orders.SubmitOrder(request).decision for _ in range(3)]
        assert common_pb2.ACTION_ALLOW == answers[0].action
        assert answers[0] == answers[1] == answers[2]
        working = client.orders.ListOrders(orders_pb2.ListOrdersRequest()).orders
        assert [answers[0].order_id] == [one.order_id for one in working]
