"""Who may, over real gRPC: what a token opens, and what a stranger gets."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.client import Client
from gateway.protection import Protection
from gateway.tokens import new_token
from tests.integration.conftest import Running
from tests.integration.doors import guarded, is_healthy, is_known, reflected, refusal, text_of, within_s
from tests.integration.principals import AccessWriter
from tests.integration.test_gateway import bar, order
from tidegate.portfolio_file import PortfolioFile
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, market_data_pb2, orders_pb2, portfolio_pb2, risk_pb2

UNAUTHENTICATED = (grpc.StatusCode.UNAUTHENTICATED, Reason.UNAUTHENTICATED)
DENIED = (grpc.StatusCode.PERMISSION_DENIED, Reason.PERMISSION_DENIED)
METRICS = risk_pb2.GetRiskMetricsRequest()
# How long a change may take to count.
SOON_S = 3.0


@pytest.mark.control("access")
async def test_a_stranger_gets_nothing_but_the_health(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter
) -> None:
    """Methods, streams and reflection need a known caller; health does not, so that a probe works."""
    async with guarded(tmp_path, portfolio, Protection(access=access.path)) as gateway, gateway.client() as client:
        calls: list[Any] = [
            client.risk.GetRiskMetrics(METRICS),
            client.market_data.AwaitBar(market_data_pb2.AwaitBarRequest()),
            client.admin.Halt(admin_pb2.HaltRequest(reason="no")),
            anext(aiter(client.orders.WatchOrders(orders_pb2.WatchOrdersRequest(adapter="paper")))),
        ]
        for call in calls:
            refused = await refusal(call)
            assert UNAUTHENTICATED == (refused.code, refused.reason)
        await within_s(SOON_S, lambda: is_healthy(client))
        assert UNAUTHENTICATED == (await refusal(reflected(client)))[:2]
        assert "tidegate.v1.AdminService" in await reflected(client, access.tokens["feed"])


@pytest.mark.parametrize("name", ["viewer", "trader", "feed", "ann", "root"])
async def test_each_role_reaches_its_methods_over_the_wire(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter, name: str
) -> None:
    """One method a role; what it is not there for is refused with who and what."""
    async with (
        guarded(tmp_path, portfolio, Protection(access=access.path)) as gateway,
        gateway.client(access.tokens[name]) as client,
    ):
        calls: dict[str, Any] = {
            "viewer": lambda: client.portfolio.GetPortfolio(portfolio_pb2.GetPortfolioRequest()),
            "trader": lambda: client.submit_order(order("a", strategy_id="one")),
            "feed": lambda: client.market_data.PublishBars(bar(1, UP="100")),
            "ann": lambda: client.admin.Halt(admin_pb2.HaltRequest(reason="drill")),
            "root": lambda: client.admin.PauseStrategy(
                admin_pb2.PauseStrategyRequest(strategy_id="one", reason="drill")
            ),
        }
        await calls[name]()
        wider = {"ann": {"viewer", "root"}, "root": {"viewer", "ann"}}
        for other in set(calls) - {name} - wider.get(name, set()):
            refused = await refusal(calls[other]())
            assert DENIED == (refused.code, refused.reason)
            assert refused.text.startswith(f"{name} may ")


async def test_an_adapter_works_with_a_traders_token(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter
) -> None:
    """From its first look to a fill, for its own strategy and adapter; nothing of it for another one's."""
    async with (
        guarded(tmp_path, portfolio, Protection(access=access.path)) as gateway,
        gateway.client(access.tokens["feed"]) as feed,
        gateway.client(access.tokens["trader"]) as trader,
    ):
        await feed.market_data.PublishBars(bar(1, UP="100"))
        stream = trader.orders.WatchOrders(orders_pb2.WatchOrdersRequest(adapter="paper"))
        messages = aiter(stream)
        await anext(messages)
        decision = await trader.submit_order(order("a", strategy_id="one"))
        sent = (await anext(messages)).instructions[0].send
        assert decision.order_id == sent.order_id
        claim = orders_pb2.ClaimOrdersRequest(adapter="paper", order_ids=[sent.order_id])
        await trader.orders.ClaimOrders(claim)
        trade = orders_pb2.Execution(
            execution_id="x1",
            execution_type=orders_pb2.EXECUTION_TYPE_TRADE,
            order_id=sent.order_id,
            last_quantity="10",
            last_price="100",
        )
        report = orders_pb2.ReportExecutionsRequest(account="acc", adapter="paper", executions=[trade])
        await trader.orders.ReportExecutions(report)
        listed = await trader.portfolio.ListStrategies(portfolio_pb2.ListStrategiesRequest())
        assert ["one"] == [strategy.strategy_id for strategy in listed.strategies]
        foreign: list[Any] = [
            trader.submit_order(order("b", strategy_id="two")),
            trader.orders.ClaimOrders(orders_pb2.ClaimOrdersRequest(adapter="other")),
            trader.portfolio.GetStrategy(portfolio_pb2.GetStrategyRequest(strategy_id="two")),
            anext(aiter(trader.orders.WatchOrders(orders_pb2.WatchOrdersRequest(adapter="other")))),
        ]
        for call in foreign:
            refused = await refusal(call)
            assert DENIED == (refused.code, refused.reason)
        stream.cancel()


async def test_a_token_that_is_none_is_refused_without_a_word_about_why(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong secret, an unknown id, a foreign form: only the bearer of the right secret learns that it has expired."""
    monkeypatch.setattr("gateway.brake.DELAY_MAX_S", 0.05)
    right = access.tokens["viewer"]
    flipped = right[:-1] + ("0" if right[-1] != "0" else "1")
    expired = access.add("late", "viewer", days=-1)
    access.write()
    shown = {
        flipped: "the token is not valid",
        new_token().text: "the token is not valid",
        expired: "the token has expired",
        expired[:-1] + ("0" if expired[-1] != "0" else "1"): "the token is not valid",
        "letmein": "the authorization is not one bearer token of this gateway's form",
        right.upper(): "the authorization is not one bearer token of this gateway's form",
        f"{right} {right}": "the authorization is not one bearer token of this gateway's form",
    }
    async with guarded(tmp_path, portfolio, Protection(access=access.path)) as gateway:
        assert await is_known(gateway, right)
        for token, text in shown.items():
            async with gateway.client(token) as client:
                refused = await refusal(client.risk.GetRiskMetrics(METRICS))
            assert (*UNAUTHENTICATED, text) == (refused.code, refused.reason, refused.text)
        async with gateway.client(right) as client:
            twice = client.risk.GetRiskMetrics(METRICS, metadata=(("authorization", f"Bearer {flipped}"),))
            assert grpc.StatusCode.UNAUTHENTICATED == (await refusal(twice)).code
        async with gateway.client() as client:
            basic = client.risk.GetRiskMetrics(METRICS, metadata=(("authorization", f"Basic {right}"),))
            assert grpc.StatusCode.UNAUTHENTICATED == (await refusal(basic)).code


async def test_the_synchronous_client_shows_its_token_too(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given to it, or out of the environment; streams as well."""
    async with guarded(tmp_path, portfolio, Protection(access=access.path)) as gateway:

        def ask(**shown: Any) -> int:
            with Client(gateway.address, timeout_s=5, **shown) as client:
                client.risk.GetRiskMetrics(METRICS)
                return int(next(client.market_data.WatchBars(market_data_pb2.WatchBarsRequest())).bar_sequence)

        assert 0 == await asyncio.to_thread(ask, token=access.tokens["viewer"])
        with pytest.raises(grpc.RpcError):
            await asyncio.to_thread(ask)
        monkeypatch.setenv("TIDEGATE_TOKEN", access.tokens["viewer"])
        assert 0 == await asyncio.to_thread(ask)


@pytest.mark.control("responsibility")
async def test_an_operator_is_who_its_token_says(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter
) -> None:
    """An empty operator is the caller; another name than the caller's is refused, with the field."""
    async with (
        guarded(tmp_path, portfolio, Protection(access=access.path)) as gateway,
        gateway.client(access.tokens["ann"]) as ann,
    ):
        assert "ann" == (await ann.admin.Halt(admin_pb2.HaltRequest(reason="drill"))).halt.operator
        for name in ("root", "tidegate"):
            refused = await refusal(ann.admin.Halt(admin_pb2.HaltRequest(operator=name, reason="drill")))
            assert (grpc.StatusCode.PERMISSION_DENIED, Reason.OPERATOR_NOT_CALLER) == (refused.code, refused.reason)
            assert "operator" == refused.field


async def test_nobody_calls_itself_the_gate_where_nobody_is_asked(running: Running, logs: Path) -> None:
    """A replay's operator resets what the gate halted: nobody may pass for it; the attempt is logged."""
    refused = await refusal(running.client.admin.Halt(admin_pb2.HaltRequest(operator="tidegate", reason="drill")))
    assert (grpc.StatusCode.PERMISSION_DENIED, Reason.OPERATOR_NOT_CALLER) == (refused.code, refused.reason)
    assert '"method": "Halt"' in text_of(logs)
