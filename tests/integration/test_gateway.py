"""The gateway over real gRPC: refusals, retries, streams, health."""

import asyncio
import contextlib
import time
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from actors.local_port import LocalPort
from gateway.client import AsyncClient, Client, new_order
from gateway.connections import MESSAGE_BYTES_MAX
from gateway.server import open_gateway
from gateway.status import is_away, refusal_of
from tests.integration.conftest import Running, free_address
from tidegate.clocks import bar_clock
from tidegate.errors import ConfigurationError, TidegateError
from tidegate.gate import Gate, Request
from tidegate.journal.sqlite import SqliteJournal
from tidegate.permissions import INTERNAL
from tidegate.portfolio_file import PortfolioFile
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, market_data_pb2, orders_pb2, portfolio_pb2, risk_pb2

BUY = common_pb2.SIDE_BUY
DAY_S = 86_400


def bar(day: int, **closes: str) -> market_data_pb2.PublishBarsRequest:
    """Write a bar of some day in 2020."""
    bars = [market_data_pb2.Bar(symbol=symbol, close=close) for symbol, close in closes.items()]
    return market_data_pb2.PublishBarsRequest(time=Timestamp(seconds=1_577_836_800 + day * DAY_S), bars=bars)


def order(client_order_id: str, **changes: Any) -> orders_pb2.NewOrder:
    """Write a good order, with some fields changed."""
    fields: dict[str, Any] = {
        "strategy_id": "one",
        "symbol": "UP",
        "side": BUY,
        "quantity": "10",
        "route": "paper",
    } | changes
    return new_order(client_order_id=client_order_id, **fields)


def closed_port() -> LocalPort:
    """Make a port that has not read its journal."""
    return LocalPort(on_failures=print, on_fatal=print)


async def test_an_order_is_decided_claimed_filled_and_found_again(running: Running) -> None:
    """The whole way of an order over the wire ends in a position and in an order that says FILLED."""
    client = running.client
    await client.market_data.PublishBars(bar(1, UP="100"))
    decision = await client.submit_order(order("a"))
    await client.orders.ClaimOrders(orders_pb2.ClaimOrdersRequest(adapter="paper", order_ids=[decision.order_id]))
    trade = orders_pb2.Execution(
        execution_id="x1",
        execution_type=orders_pb2.EXECUTION_TYPE_TRADE,
        order_id=decision.order_id,
        last_quantity="10",
        last_price="101",
        fee="1.5",
    )
    report = orders_pb2.ReportExecutionsRequest(account="acc", adapter="paper", executions=[trade])
    first = await client.orders.ReportExecutions(report)
    assert first == await client.orders.ReportExecutions(report)
    found = await client.orders.GetOrder(orders_pb2.GetOrderRequest(strategy_id="one", client_order_id="a"))
    assert common_pb2.ORDER_STATUS_FILLED == found.order.status
    assert "101" == found.order.average_price
    shown = await client.portfolio.GetStrategy(portfolio_pb2.GetStrategyRequest(strategy_id="one"))
    assert [("UP", "10")] == [(position.symbol, position.quantity) for position in shown.positions]
    whole = await client.portfolio.GetPortfolio(portfolio_pb2.GetPortfolioRequest())
    assert "0" == whole.conservation.difference
    assert "99988.5" == whole.equity


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client_order_id": ""}, Reason.IDENTIFIER_INVALID),
        ({"client_order_id": "x" * 65}, Reason.IDENTIFIER_INVALID),
        ({"side": 77}, Reason.SIDE_INVALID),
        ({"quantity": "0"}, Reason.QUANTITY_INVALID),
        ({"quantity": "-1"}, Reason.QUANTITY_INVALID),
        ({"quantity": "NaN"}, Reason.QUANTITY_INVALID),
        ({"quantity": "Infinity"}, Reason.QUANTITY_INVALID),
        ({"quantity": "1" * 40}, Reason.QUANTITY_INVALID),
        ({"quantity": ""}, Reason.QUANTITY_INVALID),
        ({"limit_price": "-5"}, Reason.PRICE_INVALID),
        ({"limit_price": "1e5"}, Reason.PRICE_INVALID),
    ],
)
async def test_a_malformed_order_is_refused_alike_alone_and_in_a_batch(
    running: Running, changes: dict[str, Any], reason: Reason
) -> None:
    """Both paths name the same code; nothing is journaled; the next order is decided as if nothing had been."""
    await running.client.market_data.PublishBars(bar(1, UP="100"))
    bad = order(**({"client_order_id": "bad"} | changes))
    before = await running.client.risk.GetRiskMetrics(risk_pb2.GetRiskMetricsRequest())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.client.submit_order(bad)
    refusal = refusal_of(caught.value)
    assert (grpc.StatusCode.INVALID_ARGUMENT, reason) == (refusal.code, refusal.reason)
    assert refusal.field.startswith("order.")
    batch = orders_pb2.SubmitOrdersRequest(orders=[bad])
    decisions = (await running.client.orders.SubmitOrders(batch)).decisions
    assert [(reason, 0)] == [(decision.reason_code, decision.sequence) for decision in decisions]
    after = await running.client.risk.GetRiskMetrics(risk_pb2.GetRiskMetricsRequest())
    assert before.sequence == after.sequence
    assert common_pb2.ACTION_ALLOW == (await running.client.submit_order(order("good"))).action


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"strategy_id": "nobody"}, Reason.STRATEGY_UNKNOWN),
        ({"symbol": "NOTHING"}, Reason.INSTRUMENT_UNKNOWN),
        ({"symbol": "FLAT"}, Reason.PRICE_MISSING),
        ({"route": "elsewhere"}, Reason.ADAPTER_UNKNOWN),
        ({"limit_price": "100.005"}, Reason.PRICE_OFF_TICK),
        ({"quantity": "0.5"}, Reason.QUANTITY_OFF_LOT),
        ({"quantity": "100000"}, Reason.LEVERAGE),
    ],
)
async def test_a_risk_refusal_is_a_normal_answer_with_its_place_in_the_journal(
    running: Running, changes: dict[str, Any], reason: Reason
) -> None:
    """What the gate understood and refused is a decision, journaled, and answered again on a retry."""
    await running.client.market_data.PublishBars(bar(1, UP="100"))
    decision = await running.client.submit_order(order("r", **changes))
    assert (common_pb2.ACTION_REJECT, reason, "") == (decision.action, decision.reason_code, decision.order_id)
    assert decision.sequence > 0
    assert decision == await running.client.submit_order(order("r", **changes))


async def test_an_id_used_for_another_order_is_refused(running: Running) -> None:
    """The same client_order_id with other content is neither the old order nor a new one."""
    await running.client.market_data.PublishBars(bar(1, UP="100"))
    await running.client.submit_order(order("a"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.client.submit_order(order("a", quantity="11"))
    refusal = refusal_of(caught.value)
    assert (grpc.StatusCode.ALREADY_EXISTS, Reason.CLIENT_ORDER_ID_REUSED) == (refusal.code, refusal.reason)


async def test_a_message_of_ten_megabytes_is_refused_and_the_gateway_stays(running: Running) -> None:
    """What is over the bound is refused by gRPC itself; the next call is answered."""
    huge = order("a", quantity="1" * 10_000_000)
    assert huge.ByteSize() > MESSAGE_BYTES_MAX
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.client.submit_order(huge)
    assert grpc.StatusCode.RESOURCE_EXHAUSTED == caught.value.code()
    assert not is_away(caught.value), "asking again would be refused again"
    await running.client.risk.GetHaltState(risk_pb2.GetHaltStateRequest())


async def test_bytes_that_are_no_message_are_refused(running: Running) -> None:
    """A body that does not parse is the sender's fault, with a code."""
    call: Any = running.client.channel.unary_unary("/tidegate.v1.OrderService/SubmitOrder")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"\xff\xff\xff\xff")
    assert Reason.MESSAGE_MALFORMED == refusal_of(caught.value).reason


async def test_an_adapter_sees_its_orders_then_their_cancels(running: Running) -> None:
    """WatchOrders begins with what is to be done, and follows with orders and cancels in their order."""
    client = running.client
    await client.market_data.PublishBars(bar(1, UP="100"))
    await client.submit_order(order("early"))
    stream = client.orders.WatchOrders(orders_pb2.WatchOrdersRequest(adapter="paper"))
    messages = aiter(stream)
    first = await anext(messages)
    assert ["early"] == [entry.send.order.client_order_id for entry in first.instructions]
    await client.submit_order(order("late"))
    second = await anext(messages)
    assert ["late"] == [entry.send.order.client_order_id for entry in second.instructions]
    await client.submit_order(order("own", route=""))
    await client.admin.Halt(admin_pb2.HaltRequest(operator="tester", reason="enough"))
    third = await anext(messages)
    assert ["early", "late"] == [entry.cancel.order.client_order_id for entry in third.instructions]
    stream.cancel()


async def test_a_watcher_of_bars_waits_for_the_first_one_and_for_the_next_after_a_restart(running: Running) -> None:
    """Where no bar is new the stream stays open: the journal's other events do not make its reader late."""
    request = market_data_pb2.WatchBarsRequest()

    async def next_bar_after_the_first_look(day: int) -> tuple[int, int]:
        messages = aiter(running.client.market_data.WatchBars(request))
        first = await anext(messages)
        published = await running.client.market_data.PublishBars(bar(day, UP="100"))
        assert published.bar_sequence == (await anext(messages)).bar_sequence
        return first.bar_sequence, published.bar_sequence

    before, first = await next_bar_after_the_first_look(1)
    assert 0 == before
    await running.client.submit_order(order("a"))
    await running.stop()
    await running.start()
    again, second = await next_bar_after_the_first_look(2)
    assert first == again < second


@pytest.mark.control("kill-switch", "halt-is-final")
async def test_a_halt_refuses_new_orders_and_claims_until_it_is_reset(running: Running) -> None:
    """After Halt has returned nothing passes; a reset without the choice about the mark is refused."""
    client = running.client
    await client.market_data.PublishBars(bar(1, UP="100"))
    before = await client.submit_order(order("before"))
    halted = await client.admin.Halt(admin_pb2.HaltRequest(operator="tester", reason="enough"))
    assert 1 == halted.cancels_requested
    after = await client.submit_order(order("after"))
    assert (common_pb2.ACTION_HALT, Reason.TRADING_HALTED) == (after.action, after.reason_code)
    claim = orders_pb2.ClaimOrdersRequest(adapter="paper", order_ids=[before.order_id])
    (claimed,) = (await client.orders.ClaimOrders(claim)).claims
    assert (orders_pb2.CLAIM_OUTCOME_REFUSED, Reason.ORDER_PENDING_CANCEL) == (claimed.outcome, claimed.reason_code)
    reset = admin_pb2.ResetHaltRequest(operator="tester", reason="reviewed")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.admin.ResetHalt(reset)
    assert Reason.HIGH_WATER_MARK_UNDECIDED == refusal_of(caught.value).reason
    reset.high_water_mark = admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE
    assert (await client.admin.ResetHalt(reset)).changed
    assert common_pb2.ACTION_ALLOW == (await client.submit_order(order("again"))).action


async def test_capital_moves_once_however_often_it_is_asked(running: Running) -> None:
    """A transfer's id makes a retry the same transfer."""
    request = admin_pb2.TransferCapitalRequest(
        transfer_id="t1", to_strategy_id="two", amount="1000", operator="tester", reason="more"
    )
    first = await running.client.admin.TransferCapital(request)
    assert first == await running.client.admin.TransferCapital(request)
    shown = await running.client.portfolio.GetStrategy(portfolio_pb2.GetStrategyRequest(strategy_id="two"))
    assert "41000" == shown.strategy.cash


async def test_many_orders_at_once_share_commits_and_keep_their_answers(running: Running) -> None:
    """Calls that run together are batched; each gets the decision on its own order."""
    await running.client.market_data.PublishBars(bar(1, UP="1"))
    decisions = await asyncio.gather(*(running.client.submit_order(order(f"n{n}")) for n in range(300)))
    assert 300 == len({decision.order_id for decision in decisions})
    await running.port.close()
    journal = SqliteJournal(running.journal)
    names = {e.order_decided.decision.order_id: e.order_decided.order.client_order_id for e in journal.read(0)}
    assert [f"n{n}" for n in range(300)] == [names[decision.order_id] for decision in decisions]
    journal.verify()
    journal.close()


async def test_a_wait_sleeps_between_batches_and_wakes_on_a_change(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read asked for until it has an answer runs once a change, not round and round."""
    batches: list[int] = []
    execute = running.port.execute

    async def count(requests: Any) -> Any:
        batches.append(len(requests))
        return await execute(requests)

    monkeypatch.setattr(running.port, "execute", count)
    waiting = asyncio.create_task(running.port.wait(Request("NextBar", b"", INTERNAL), 10))
    await asyncio.sleep(0.3)
    assert [1] == batches
    published = await running.client.market_data.PublishBars(bar(1, UP="100"))
    report = orders_pb2.ReportExecutionsRequest(account="acc", adapter="paper", bar_sequence=published.bar_sequence)
    await running.client.orders.ReportExecutions(report)
    assert (await waiting).body
    assert len(batches) <= 5


async def test_the_health_says_not_serving_until_the_journal_is_read() -> None:
    """A front door that is open before the RiskManager decides refuses with UNAVAILABLE, and says so."""
    address = free_address()
    gateway = await open_gateway(closed_port(), address)
    async with AsyncClient(address, timeout_s=0.5) as client:
        health: Any = health_pb2_grpc.HealthStub(client.channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
        assert health_pb2.HealthCheckResponse.NOT_SERVING == answer.status
        call: Any = client.channel.unary_unary("/tidegate.v1.RiskService/GetHaltState")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"", timeout=0.1)
        assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    await gateway.close()


async def test_reflection_lists_every_service(running: Running) -> None:
    """A client without our files can find out what the gateway serves."""
    make: Any = reflection_pb2_grpc.ServerReflectionStub
    stub = make(running.client.channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    answer = await anext(aiter(call))
    names = {service.name for service in answer.list_services_response.service}
    wanted = {"OrderService", "MarketDataService", "RiskService", "PortfolioService", "AdminService"}
    assert {f"tidegate.v1.{name}" for name in wanted} | {"grpc.health.v1.Health"} <= names


async def test_the_synchronous_client_speaks_to_the_same_gateway(running: Running) -> None:
    """Both clients have the same services."""

    def ask() -> int:
        with Client(running.address, timeout_s=5) as client:
            client.market_data.PublishBars(bar(1, UP="100"))
            return client.submit_order(order("sync")).action

    assert common_pb2.ACTION_ALLOW == await asyncio.to_thread(ask)


@pytest.mark.parametrize("timeout_s", [0.1, 1.5])
async def test_a_short_time_out_lets_an_answer_through_and_ends_a_wait(running: Running, timeout_s: float) -> None:
    """A client in a hurry is served, and does not wait for long on a gateway that is away."""
    request = risk_pb2.GetHaltStateRequest()
    async with AsyncClient(running.address, timeout_s=timeout_s) as client:
        await client.risk.GetHaltState(request)
        await running.stop()
        began = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.risk.GetHaltState(request)
        assert is_away(caught.value)
        assert timeout_s <= time.monotonic() - began < timeout_s + 3


@pytest.mark.parametrize("address", ["0.0.0.0:50051", "[::]:50051", "192.0.2.1:50051", "example.org:50051", "50051"])
async def test_an_address_that_others_could_reach_is_refused(address: str) -> None:
    """Without TLS and roles the gateway listens on loopback only."""
    with pytest.raises(ConfigurationError):
        await open_gateway(closed_port(), address)


async def test_two_gateways_never_share_a_port(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one is refused instead of taking half of the connections."""
    monkeypatch.setattr("gateway.listeners._BIND_ATTEMPTS", 1)
    with pytest.raises(TidegateError, match="another process"):
        await open_gateway(closed_port(), running.address)


@pytest.mark.control("records")
async def test_a_failed_commit_answers_nobody_and_asks_for_the_end(running: Running) -> None:
    """Fail-stop: with the outcome unknown no reply leaves, and the process is told to end."""
    await running.client.market_data.PublishBars(bar(1, UP="100"))
    SqliteJournal(running.journal).close()  # a newer writer: this one is fenced
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await running.client.submit_order(order("lost"))
    assert ["EpochFencedError"] == [type(failure).__name__ for failure in running.failures]
    running.failures.clear()
    journal = SqliteJournal(running.journal)
    assert not [e for e in journal.read(0) if e.order_decided.order.client_order_id == "lost"]
    journal.close()


@pytest.mark.control("continuity", "duplicate-ids")
async def test_a_restart_answers_a_retry_as_before(running: Running, portfolio: PortfolioFile) -> None:
    """What was decided before a restart is not decided again."""
    await running.client.market_data.PublishBars(bar(1, UP="100"))
    first = await running.client.submit_order(order("a"))
    await running.port.close()
    await running.port.open(lambda: Gate(SqliteJournal(running.journal), bar_clock), portfolio.to_wire())
    assert first == await running.client.submit_order(order("a"))


@pytest.mark.control("price-age")
async def test_a_live_clock_stamps_with_the_time_of_day_and_knows_a_stale_price(
    tmp_path: Any, portfolio: PortfolioFile
) -> None:
    """With the wall's clock a price that is too old refuses an order."""
    now = 1_700_000_000 * 10**9
    configuration = journal_pb2.PortfolioConfigured()
    configuration.CopyFrom(portfolio.to_wire())
    configuration.limits.max_price_age_s = 60
    times = [now]
    gate = Gate(SqliteJournal(tmp_path / "j.db"), lambda _command, _newest: times[0])
    gate.start(configuration)
    price = market_data_pb2.Price(symbol="UP", price="100", time=Timestamp(seconds=1_700_000_000))
    gate.process([Request("PublishPrices", market_data_pb2.PublishPricesRequest(prices=[price]).SerializeToString())])
    found = []
    for name, age_s in (("fresh", 60), ("stale", 61)):
        times[0] = now + age_s * 10**9
        body = orders_pb2.SubmitOrderRequest(order=order(name)).SerializeToString()
        (reply,) = gate.process([Request("SubmitOrder", body)]).replies
        found.append(orders_pb2.SubmitOrderResponse.FromString(reply.body).decision.reason_code)
    assert ["", Reason.PRICE_STALE] == found
