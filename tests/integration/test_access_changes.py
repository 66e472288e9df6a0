"""The access file changes under an open gateway: what is open ends, what was good stays."""

import asyncio
import re
import stat
import time
from pathlib import Path

import grpc
import pytest

from actors.local_port import LocalPort
from gateway.protection import Protection
from gateway.server import open_gateway
from tests.integration.conftest import free_address
from tests.integration.doors import Guarded, guarded, is_known, is_logged, refusal, text_of, within_s
from tests.integration.principals import AccessWriter
from tests.integration.test_gateway import bar
from tidegate.errors import ConfigurationError
from tidegate.portfolio_file import PortfolioFile
from tidegate.reasons import Reason
from tidegate.v1 import market_data_pb2, orders_pb2, risk_pb2

UNAUTHENTICATED = (grpc.StatusCode.UNAUTHENTICATED, Reason.UNAUTHENTICATED)
DENIED = (grpc.StatusCode.PERMISSION_DENIED, Reason.PERMISSION_DENIED)
METRICS = risk_pb2.GetRiskMetricsRequest()
# How long a change of a file may take to count.
SOON_S = 3.0


async def publish(gateway: Guarded, access: AccessWriter) -> None:
    """Publish a bar, so that there is one to watch from."""
    async with gateway.client(access.tokens["feed"]) as feed:
        await feed.market_data.PublishBars(bar(1, UP="100"))


async def test_the_file_is_read_again_and_a_revoked_token_ends_its_streams(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter
) -> None:
    """A new token works soon; a revoked one works no more soon, neither for a call nor for what is open."""
    async with (
        guarded(tmp_path, portfolio, Protection(access=access.path)) as gateway,
        gateway.client(access.tokens["trader"]) as trader,
        gateway.client(access.tokens["viewer"]) as viewer,
    ):
        await publish(gateway, access)
        orders = aiter(trader.orders.WatchOrders(orders_pb2.WatchOrdersRequest(adapter="paper")))
        bars = aiter(trader.market_data.WatchBars(market_data_pb2.WatchBarsRequest()))
        kept = aiter(viewer.market_data.WatchBars(market_data_pb2.WatchBarsRequest()))
        waiting = viewer.market_data.AwaitBar(market_data_pb2.AwaitBarRequest(bar_sequence=10**6))
        for stream in (orders, bars, kept):
            await anext(stream)
        late = access.add("late", "viewer")
        access.principals = [principal for principal in access.principals if principal["name"] != "trader"]
        access.write()
        began = time.monotonic()
        for stream in (orders, bars):
            refused = await refusal(anext(stream))
            assert UNAUTHENTICATED == (refused.code, refused.reason)
        assert time.monotonic() - began < SOON_S
        assert not await is_known(gateway, access.tokens["trader"])
        assert await is_known(gateway, late)
        access.principals = [principal for principal in access.principals if principal["name"] == "feed"]
        access.write()
        assert grpc.StatusCode.UNAUTHENTICATED == (await refusal(waiting)).code
        assert grpc.StatusCode.UNAUTHENTICATED == (await refusal(anext(kept))).code


async def test_a_token_that_expires_ends_its_streams(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter
) -> None:
    """Nobody has to touch the file for it."""
    short = access.add("short", "viewer", days=2 / 86_400)
    access.write()
    async with guarded(tmp_path, portfolio, Protection(access=access.path)) as gateway, gateway.client(short) as client:
        await publish(gateway, access)
        stream = aiter(client.market_data.WatchBars(market_data_pb2.WatchBarsRequest()))
        await anext(stream)
        began = time.monotonic()
        refused = await refusal(anext(stream))
        assert UNAUTHENTICATED == (refused.code, refused.reason)
        assert time.monotonic() - began < 2 + SOON_S
        refused = await refusal(client.risk.GetRiskMetrics(METRICS))
        assert "the token has expired" == refused.text


async def test_changed_rights_end_a_stream_that_may_begin_again_if_they_allow_it(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter
) -> None:
    """A stream goes on under the rights that it began with, or not at all; UNAVAILABLE says: again."""
    async with (
        guarded(tmp_path, portfolio, Protection(access=access.path)) as gateway,
        gateway.client(access.tokens["trader"]) as trader,
    ):
        request = orders_pb2.WatchOrdersRequest(adapter="paper")
        for adapters, then in ((["paper", "other"], ""), (["other"], Reason.PERMISSION_DENIED)):
            stream = aiter(trader.orders.WatchOrders(request))
            await anext(stream)
            access.change("trader", adapters=adapters)
            refused = await refusal(anext(stream))
            assert (grpc.StatusCode.UNAVAILABLE, Reason.ACCESS_CHANGED) == (refused.code, refused.reason)
            again = anext(aiter(trader.orders.WatchOrders(request)))
            if then:
                assert then == (await refusal(again)).reason
            else:
                await again


@pytest.mark.parametrize("damage", ["garbage", "gone", "readable by others"])
async def test_a_file_that_cannot_be_used_leaves_the_last_good_one_in_force(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter, logs: Path, damage: str
) -> None:
    """It is logged critically, once; who was known stays known, and who was not does not get in."""
    async with guarded(tmp_path, portfolio, Protection(access=access.path)) as gateway:
        late = access.add("late", "viewer")
        if damage == "garbage":
            access.path.write_text("principals: [", encoding="utf-8")
        elif damage == "gone":
            access.path.unlink()
        else:
            access.write().chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP)
        await within_s(SOON_S, lambda: is_logged(logs, "files_refused"))
        await asyncio.sleep(1.5)
        assert 1 == text_of(logs).count('"files_refused"')
        assert '"level": "critical"' in text_of(logs)
        assert await is_known(gateway, access.tokens["viewer"])
        assert not await is_known(gateway, late)
        access.write()
        await within_s(SOON_S, lambda: is_logged(logs, "files_read_again"))
        assert await is_known(gateway, late)


@pytest.mark.parametrize(
    ("text", "problem"),
    [("principals: 5", "access.yaml:1: principals: Input should be"), ("", "access.yaml:1: the file is empty")],
)
async def test_a_gateway_does_not_open_with_an_access_file_that_it_cannot_use(
    tmp_path: Path, access: AccessWriter, text: str, problem: str
) -> None:
    """Fail closed: no gateway is better than one that asks nobody."""
    access.path.write_text(text, encoding="utf-8")
    port = LocalPort(on_failures=print, on_fatal=print)
    with pytest.raises(ConfigurationError, match=re.escape(problem)):
        await open_gateway(port, free_address(), Protection(access=access.path))
    with pytest.raises(ConfigurationError, match="No such file"):
        await open_gateway(port, free_address(), Protection(access=tmp_path / "none.yaml"))
