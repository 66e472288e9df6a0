"""Limits through the real gateway: every reason code of theirs, and a risk officer's commands."""

import asyncio
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from gateway.status import refusal_of
from tests.integration.conftest import Running
from tests.integration.test_gateway import bar, order
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, common_pb2, orders_pb2, portfolio_pb2, risk_pb2

TIDEGATE = str(Path(sys.executable).parent / "tidegate")
HALT = common_pb2.ACTION_HALT


async def change(running: Running, figure: str, limit: str, **fields: object) -> None:
    """Set one limit of the portfolio."""
    changed = risk_pb2.Limit(figure=risk_pb2.LimitFigure.Value(f"LIMIT_FIGURE_{figure}"), limit=limit, **fields)  # type: ignore[arg-type]
    request = admin_pb2.UpdateLimitsRequest(limits=[changed], operator="tester", reason="test")
    await running.client.admin.UpdateLimits(request)


@pytest.mark.parametrize(
    ("figure", "limit", "reason"),
    [
        ("GROSS_EXPOSURE", "999.99", Reason.GROSS_EXPOSURE),
        ("NET_EXPOSURE", "999.99", Reason.NET_EXPOSURE),
        ("VALUE_AT_RISK", "0.5", Reason.RISK_UNDEFINED),
        ("ORDER_QUANTITY", "9", Reason.ORDER_QUANTITY),
    ],
)
async def test_a_limit_that_was_just_set_refuses_the_next_order(
    running: Running, figure: str, limit: str, reason: Reason
) -> None:
    """Once UpdateLimits has returned, no order passes that is over it."""
    await running.client.market_data.PublishBars(bar(1, UP="100"))
    assert common_pb2.ACTION_ALLOW == (await running.client.submit_order(order("before"))).action
    await change(running, figure, limit)
    assert reason == (await running.client.submit_order(order("after"))).reason_code


@pytest.mark.parametrize("figure", ["VALUE_AT_RISK", "EXPECTED_SHORTFALL", "VOLATILITY"])
async def test_a_figure_over_past_sessions_refuses_by_its_own_code(running: Running, figure: str) -> None:
    """61 sessions of a price that falls and comes back, and a limit that no position meets."""
    for day in range(1, 63):
        await running.client.market_data.PublishBars(bar(day, UP="100" if day % 2 else "99"))
    await change(running, figure, "0.000001")
    assert figure == (await running.client.submit_order(order("a"))).reason_code


async def test_strategies_that_nobody_knows_yet_and_strategies_that_make_the_same_are_refused(running: Running) -> None:
    """What is undefined has its code; and both strategies of a pair are refused by theirs, as GetCorrelations shows."""
    await running.client.market_data.PublishBars(bar(1, UP="100"))
    for strategy_id in ("one", "two"):
        decision = await running.client.submit_order(order(f"hold-{strategy_id}", strategy_id=strategy_id))
        fill = orders_pb2.Execution(
            execution_id=f"x-{strategy_id}",
            execution_type=orders_pb2.EXECUTION_TYPE_TRADE,
            order_id=decision.order_id,
            last_quantity="10",
            last_price="100",
        )
        report = orders_pb2.ReportExecutionsRequest(account="acc", adapter="paper", executions=[fill])
        await running.client.orders.ReportExecutions(report)
    await change(running, "STRATEGY_CORRELATION", "0.8")
    assert Reason.RISK_UNDEFINED == (await running.client.submit_order(order("early"))).reason_code
    for day in range(2, 64):
        await running.client.market_data.PublishBars(bar(day, UP="100" if day % 2 else "99"))
    asked = await running.client.portfolio.GetCorrelations(portfolio_pb2.GetCorrelationsRequest())
    assert [("1", 61)] == [(one.correlation, one.observations) for one in asked.correlations]
    decision = await running.client.submit_order(order("late"))
    assert Reason.STRATEGY_CORRELATION == decision.reason_code
    alerts = await running.client.risk.ListAlerts(risk_pb2.ListAlertsRequest())
    assert Reason.STRATEGY_CORRELATION in [alert.reason_code for alert in alerts.alerts]


async def test_a_loss_of_the_day_halts_with_its_code(running: Running) -> None:
    """A limit order far above the mark could lose too much: refused by the same code that would halt."""
    await running.client.market_data.PublishBars(bar(1, UP="100"))
    await change(running, "DAILY_LOSS", "0.0001", action=HALT)
    decision = await running.client.submit_order(order("far", limit_price="150"))
    assert Reason.DAILY_LOSS in [violation.reason_code for violation in decision.violations]


async def test_a_limit_that_makes_no_sense_is_an_invalid_argument(running: Running) -> None:
    """Leverage above six is refused, with the field at fault."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await change(running, "LEVERAGE", "6.01")
    refusal = refusal_of(caught.value)
    assert (grpc.StatusCode.INVALID_ARGUMENT, Reason.LIMIT_INVALID) == (refusal.code, refusal.reason)
    assert "limits[0]" == refusal.field


async def test_a_risk_officer_sets_a_limit_by_the_command_line_and_sees_it(running: Running) -> None:
    """``tidegate limits set`` and ``list`` say who, until when and what is left; a wrong one is one line and code 1."""
    words = ("daily_loss", "--limit", "0.03", "--action", "halt", "--reason", "month end", "--operator", "ann")
    done = await command(running, "set", *words, "--until", "2030-01-01T00:00:00")
    assert done.stdout.startswith("daily_loss of portfolio: 0.03 until 2030-01-01T00:00:00Z (event ")
    shown = (await command(running, "list")).stdout
    assert "daily_loss" in shown
    assert "ann: month end" in " ".join(shown.split())
    risky = ("value_at_risk", "--limit", "0.05", "--confidence", "0.99", "--on-undefined", "warn", "--reason", "agreed")
    await command(running, "set", *risky)
    assert "value_at_risk 0.99" in (await command(running, "list")).stdout
    wrong = await command(running, "set", "leverage", "--limit", "7", "--reason", "greed")
    assert (1, 1) == (wrong.returncode, len(wrong.stderr.strip().splitlines()))
    assert wrong.stderr.startswith("LIMIT_INVALID: limits[0]: leverage takes at most 6")
    taken = await command(running, "set", "daily_loss", "--action", "halt", "--reason", "over", "--operator", "ann")
    assert "daily_loss of portfolio: none (event " in taken.stdout


async def command(running: Running, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``tidegate limits`` beside the gateway's own event loop."""
    return await asyncio.to_thread(
        subprocess.run,
        [TIDEGATE, "limits", *words, "--address", running.address],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])},
    )
