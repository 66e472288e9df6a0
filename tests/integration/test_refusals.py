"""What is refused: ever slower for a guesser, logged with who and where, never with a token."""

import asyncio
import re
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.protection import Protection
from gateway.status import refusal_of
from gateway.tokens import new_token
from tests.integration.doors import guarded, refusal, text_of
from tests.integration.principals import AccessWriter
from tests.integration.test_gateway import bar, order
from tidegate.portfolio_file import PortfolioFile
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, orders_pb2, risk_pb2

UNAUTHENTICATED = (grpc.StatusCode.UNAUTHENTICATED, Reason.UNAUTHENTICATED)
DENIED = (grpc.StatusCode.PERMISSION_DENIED, Reason.PERMISSION_DENIED)
METRICS = risk_pb2.GetRiskMetricsRequest()


async def test_a_guesser_gets_slower_and_nobody_else_does(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter
) -> None:
    """Each failure of an address costs more than the one before; who is known there is answered at once meanwhile."""
    async with (
        guarded(tmp_path, portfolio, Protection(access=access.path)) as gateway,
        gateway.client(new_token().text) as guesser,
        gateway.client(access.tokens["viewer"]) as viewer,
    ):
        await viewer.risk.GetRiskMetrics(METRICS)
        took = []
        for _ in range(5):
            began = time.monotonic()
            await refusal(guesser.risk.GetRiskMetrics(METRICS))
            took.append(time.monotonic() - began)
        assert all(one < other for one, other in pairwise(took))
        assert took[4] > 0.75
        slow = asyncio.create_task(refusal(guesser.risk.GetRiskMetrics(METRICS)))
        await asyncio.sleep(0.1)
        began = time.monotonic()
        await viewer.risk.GetRiskMetrics(METRICS)
        assert time.monotonic() - began < 0.5
        assert not slow.done()
        await slow


async def test_every_refusal_is_logged_and_no_token_ever_is(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter, logs: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Who, which method, from where and why stand in the log; a token, right or wrong, stands nowhere."""
    right, wrong = access.tokens["viewer"], new_token().text
    expired = access.add("late", "viewer", days=-1)
    access.write()
    shown = [right, wrong, expired, "letmein-not-a-token"]
    texts = []
    async with guarded(tmp_path, portfolio, Protection(access=access.path)) as gateway:
        for token, method in (
            (right, "PublishBars"),
            (wrong, "SubmitOrder"),
            (expired, "Halt"),
            (shown[3], "GetOrder"),
        ):
            async with gateway.client(token) as client:
                calls: dict[str, Any] = {
                    "PublishBars": lambda: client.market_data.PublishBars(bar(1, UP="100")),
                    "SubmitOrder": lambda: client.submit_order(order("a")),
                    "Halt": lambda: client.admin.Halt(admin_pb2.HaltRequest()),
                    "GetOrder": lambda: client.orders.GetOrder(orders_pb2.GetOrderRequest()),
                }
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await calls[method]()
                texts += [
                    str(caught.value),
                    repr(caught.value),
                    repr(client.credentials),
                    str(refusal_of(caught.value)),
                ]
        async with gateway.client(access.tokens["trader"]) as trader:
            await refusal(trader.submit_order(order("a", strategy_id="two")))
    lines = text_of(logs)
    for line in (
        r'"who": "viewer", "method": "PublishBars", "peer": "ipv4:127.0.0.1:\d+", "reason": "PERMISSION_DENIED"',
        rf'"who": "token {wrong[3:11]}", "method": "SubmitOrder", "peer": "ipv4:.*"reason": "UNAUTHENTICATED"',
        rf'"who": "late, token {expired[3:11]}", "method": "Halt", .*"text": "the token has expired"',
        r'"who": "unknown", "method": "GetOrder", .*"reason": "UNAUTHENTICATED"',
        r'"who": "trader", "method": "SubmitOrder", .*"text": "trader may not act for strategy \'two\'"',
    ):
        assert re.search(line, lines), line
    written = lines + "".join(texts) + "".join(capfd.readouterr())
    for token in shown:
        assert token.rpartition("_")[2] not in written
