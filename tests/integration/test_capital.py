"""Strategies that come and go, and rebalances, through the real gateway and by the command line."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import ray
from typer.testing import CliRunner

from actors.names import NAMESPACE, strategy_name
from gateway.cli import app
from gateway.status import refusal_of
from gateway.testing import RunningGateway, running_gateway
from tests.integration.desk import open_desk, write_portfolio
from tests.integration.test_reason_codes import PORTFOLIO, SIGNED, bar, fill, order, report, working
from tidegate.portfolio_file import PortfolioFile
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, common_pb2, orders_pb2, portfolio_pb2, risk_pb2


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    """Run a gateway without limits: cash has 40,000, margin 50,000, the reserve 10,000; A and B are at 100."""
    async with running_gateway(PortfolioFile.model_validate(PORTFOLIO)) as running:
        await running.client.market_data.PublishBars(bar(1))
        yield running


def weights(name: str = "r1", **shares: str) -> admin_pb2.RebalanceRequest:
    """Write a rebalance."""
    entries = [admin_pb2.TargetWeight(strategy_id=s, weight=w) for s, w in shares.items()]
    return admin_pb2.RebalanceRequest(rebalance_id=name, weights=entries, **SIGNED)


async def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    """Return the status and the code that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    refusal = refusal_of(caught.value)
    return refusal.code, refusal.reason


async def alerts(gateway: RunningGateway) -> list[str]:
    """Return the codes of all alerts, oldest first."""
    answer = await gateway.client.risk.ListAlerts(risk_pb2.ListAlertsRequest())
    return [alert.reason_code for alert in answer.alerts][::-1]


async def pending(gateway: RunningGateway) -> dict[str, str]:
    """Return what is pending, and see that nothing is lost."""
    shown = await gateway.client.portfolio.GetPortfolio(portfolio_pb2.GetPortfolioRequest())
    assert "0" == shown.conservation.difference
    return {one.strategy_id: one.amount for one in shown.rebalance.pending}


async def test_a_strategy_is_added_trades_and_is_removed(gateway: RunningGateway) -> None:
    """Each refusal on the way has its code, and an order of what is removed is decided with one."""
    admin = gateway.client.admin
    add = admin_pb2.AddStrategyRequest(strategy_id="new", amount="5000", **SIGNED)
    coded = admin_pb2.AddStrategyRequest(strategy_id="new", kind="cash", **SIGNED)
    wrong = grpc.StatusCode.INVALID_ARGUMENT, Reason.STRATEGY_TERMS_INVALID
    assert wrong == await refused(admin.AddStrategy(coded))
    await admin.AddStrategy(add)
    add.amount = "6000"
    assert (grpc.StatusCode.ALREADY_EXISTS, Reason.STRATEGY_ID_TAKEN) == await refused(admin.AddStrategy(add))
    await report(gateway, fill(await working(gateway, strategy_id="new")))
    remove = admin_pb2.RemoveStrategyRequest(strategy_id="new", **SIGNED)
    wrong = grpc.StatusCode.FAILED_PRECONDITION, Reason.STRATEGY_NOT_FLAT
    assert wrong == await refused(admin.RemoveStrategy(remove))
    closing = await gateway.client.submit_order(order("s", strategy_id="new", side=common_pb2.SIDE_SELL))
    await report(gateway, fill(closing.order_id, name="x2"))
    assert "5000" == (await admin.RemoveStrategy(remove)).amount
    assert Reason.STRATEGY_REMOVED == (await gateway.client.submit_order(order("late", strategy_id="new"))).reason_code
    gone = weights(new="0.1")
    assert (grpc.StatusCode.FAILED_PRECONDITION, Reason.STRATEGY_REMOVED) == await refused(admin.Rebalance(gone))
    shown = await gateway.client.portfolio.GetStrategy(portfolio_pb2.GetStrategyRequest(strategy_id="new"))
    assert (True, 2) == (shown.strategy.removed, shown.strategy.performance.fills)


async def test_a_rebalance_moves_what_is_free_and_the_rest_with_the_fill(gateway: RunningGateway) -> None:
    """Refused whole or done; what is tied up is shown, sold through the strategy's adapter, and moves by itself."""
    admin = gateway.client.admin
    wrong = grpc.StatusCode.INVALID_ARGUMENT, Reason.WEIGHTS_INVALID
    assert wrong == await refused(admin.Rebalance(weights(cash="0.6", margin="0.5")))
    short = grpc.StatusCode.FAILED_PRECONDITION, Reason.REBALANCE_NOT_FUNDED
    assert short == await refused(admin.Rebalance(weights(cash="0.6")))
    await report(gateway, fill(await working(gateway, quantity="300"), "300"))
    answer = await admin.Rebalance(weights(cash="0.2", margin="0.7"))
    assert answer == await admin.Rebalance(weights(cash="0.2", margin="0.7"))
    assert ("-10000", "-10000") == (answer.legs[0].moved, answer.legs[0].pending)
    assert {"cash": "-10000", "margin": "10000"} == await pending(gateway)
    watched = gateway.client.orders.WatchOrders(orders_pb2.WatchOrdersRequest(adapter="paper"))
    (told,) = (await anext(aiter(watched))).instructions
    watched.cancel()
    assert ("A", "100") == (told.send.order.symbol, told.send.order.quantity)
    await report(gateway, fill(told.send.order_id, "100", "x2"))
    assert {} == await pending(gateway)
    assert [Reason.REBALANCE_PENDING, Reason.REBALANCE_DONE] == await alerts(gateway)


async def test_what_cannot_be_sold_is_alerted_and_can_be_given_up(gateway: RunningGateway) -> None:
    """A halt is not broken by a rebalance; no weights at all end it."""
    await report(gateway, fill(await working(gateway, quantity="300"), "300"))
    scope = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_STRATEGY, name="cash")
    await gateway.client.admin.Halt(admin_pb2.HaltRequest(scope=scope, **SIGNED))
    await gateway.client.admin.Rebalance(weights(cash="0.2"))
    await gateway.client.admin.Rebalance(weights("r2"))
    expected = [Reason.OPERATOR_HALT, Reason.REBALANCE_PENDING, Reason.REBALANCE_BLOCKED, Reason.REBALANCE_GIVEN_UP]
    assert expected == await alerts(gateway)
    assert {} == await pending(gateway)


async def command(gateway: RunningGateway, *words: str) -> str:
    """Run a command of the line beside the gateway's own event loop; return what it says."""
    words = (*words, "--reason", "plan", "--operator", "ann", "--address", gateway.address)
    return (await asyncio.to_thread(CliRunner().invoke, app, words)).output


async def test_an_operator_does_all_this_by_the_command_line(gateway: RunningGateway) -> None:
    """Each command says in a line what came of it; a refusal is one line with its code."""
    terms = ("--amount", "5000", "--max-leverage", "2", "--instrument", "A", "--route", "paper")
    assert (await command(gateway, "strategy", "add", "new", *terms)).startswith("new: added with 5000 (event ")
    await report(gateway, fill(await working(gateway, strategy_id="new")))
    said = await command(gateway, "strategy", "remove", "new")
    assert "STRATEGY_NOT_FLAT: strategy new has 10 A\n" == said
    said = await command(gateway, "rebalance", "cash=0.48", "new=0.01", "--id", "r1", "--dry-run")
    assert said.splitlines() == [
        "r1: of an equity of 100000 (dry run)",
        "  cash: 40000 to 48000, 8000 moved, 0 pending",
        "  new: 5000 to 1000, -4000 moved, 0 pending",
        "  reserve: 5000 to 1000",
    ]
    assert "a weight is STRATEGY=WEIGHT, not cash\n" == await command(gateway, "rebalance", "cash")
    said = await command(gateway, "strategy", "liquidate", "new", "--remove")
    assert said.splitlines()[1:] == ["  10 A: 10 on the way out", "to be removed once it is flat"]
    (event,) = [e for e in gateway.events("order_decided") if e.order_decided.order.HasField("emergency")]
    await report(gateway, fill(event.order_decided.decision.order_id, name="x2"))
    said = await command(gateway, "strategy", "remove", "new")
    assert said.startswith("new: removed, 5000 back in the reserve (event ")


@pytest.mark.usefixtures("ray_cluster")
def test_a_whole_run_goes_on_without_one_and_with_another(tmp_path: Path) -> None:
    """Bars, strategies' actors and a second start with the same file: what came and went stands in the journal."""
    broker = {"name": "paper", "synchronised": True, "command": ["python", "paper_broker.py", "--seed", "3"]}
    path = write_portfolio(tmp_path, adapters=[broker])
    with open_desk(path) as desk:
        desk.replay(0, 3)
        add = admin_pb2.AddStrategyRequest(strategy_id="new", amount="2000", route="paper", **SIGNED)
        desk.client.admin.AddStrategy(add)
        leave = admin_pb2.LiquidateStrategyRequest(strategy_id="two", remove=True, **SIGNED)
        desk.client.admin.LiquidateStrategy(leave)
        desk.replay(3, 9)
        first = desk.strategies()
        with pytest.raises(ValueError, match="Failed to look up actor"):
            ray.get_actor(strategy_name("two"), NAMESPACE)
        assert {"one": False, "two": True, "new": False} == {name: s.removed for name, s in first.items()}
    with open_desk(path) as desk:
        assert first == desk.strategies()
        desk.replay(9, 11)
        shown, whole = desk.strategies(), desk.whole()
    assert ("0", "2000") == (whole.conservation.difference, shown["new"].equity)
    assert shown["two"].performance.orders == first["two"].performance.orders
    assert shown["one"].performance.bars == 11
