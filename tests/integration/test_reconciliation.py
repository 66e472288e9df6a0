"""Statements and suspense through the real gateway: a difference found, alerted, halted, assigned, and clean again."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner, Result

from gateway.adapter_client import AdapterClient
from gateway.cli import app
from gateway.client import new_order
from gateway.protection import Protection
from gateway.status import refusal_of
from gateway.testing import RunningGateway, running_gateway
from tests.integration.doors import guarded, refusal
from tests.integration.principals import AccessWriter
from tidegate.portfolio_file import PortfolioFile
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, orders_pb2, portfolio_pb2, reconciliation_pb2, risk_pb2

BUY = common_pb2.SIDE_BUY
# No bar has brought the time yet.
START = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
NOW = datetime(2020, 1, 1, tzinfo=UTC)
ACCOUNT: dict[str, Any] = {"id": "U-1", "cash": {"USD": "5000"}, "halt": {"level": "halted", "instrument": "AAA"}}
PORTFOLIO = PortfolioFile.model_validate(
    {
        "name": "stated",
        "currency": "USD",
        "capital": 100_000,
        "clock": "bars",
        "limits": {"max_price_age_s": 86_400},
        "instruments": [{"symbol": "AAA"}, {"symbol": "BBB"}],
        "strategies": [{"id": name, "kind": "external", "allocation": "0.4"} for name in ("one", "two")],
        "adapters": [{"name": "broker", "account": ACCOUNT}],
    }
)


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    """Run a gateway with an account whose breaks halt AAA; it is priced at 100."""
    async with running_gateway(PORTFOLIO) as running:
        await running.publish_bar({"AAA": "100", "BBB": "50"})
        yield running


def adapter_of(gateway: RunningGateway) -> AdapterClient:
    """Speak as the account's adapter."""
    return AdapterClient(gateway.client, name="broker", account="U-1")


def stray(execution_id: str = "e1") -> orders_pb2.Execution:
    """Write a fill of somebody at the broker's own screen."""
    return orders_pb2.Execution(
        execution_id=execution_id,
        execution_type=orders_pb2.EXECUTION_TYPE_TRADE,
        symbol="AAA",
        side=BUY,
        last_quantity="5",
        last_price="100",
        fee="1.5",
    )


def assignment(strategy_id: str = "one", execution_id: str = "e1") -> reconciliation_pb2.AssignSuspenseRequest:
    """Write the assignment of that fill."""
    return reconciliation_pb2.AssignSuspenseRequest(
        account="U-1", execution_id=execution_id, strategy_id=strategy_id, operator="ann", reason="by telephone"
    )


async def alerted(gateway: RunningGateway) -> list[str]:
    """Return the alerts' codes, newest first."""
    response = await gateway.client.risk.ListAlerts(risk_pb2.ListAlertsRequest())
    return [alert.reason_code for alert in response.alerts]


async def command(gateway: RunningGateway, *words: str) -> Result:
    """Run a command of the line against the gateway."""
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, [*words, "--address", gateway.address]))


@pytest.mark.control("reconciliation", "suspense")
async def test_a_break_is_found_alerted_halted_and_resolved_over_a_restart(gateway: RunningGateway) -> None:
    """The broker has a fill that it lost on the way here: it halts, comes in, is somebody's, and all is clean again."""
    adapter = adapter_of(gateway)
    assert 0 == (await adapter.reconcile(positions={}, cash={"USD": "5000"}, orders=[], time=NOW)).difference_count
    broken = await adapter.reconcile(positions={"AAA": "5"}, cash={"USD": "4498.5"}, orders=[], time=NOW)
    differences = [(d.symbol or d.currency, d.ours, d.stated, d.difference) for d in broken.differences]
    assert [("AAA", "0", "5", "5"), ("USD", "5000", "4498.5", "-501.5")] == differences
    assert {Reason.RECONCILIATION_BREAK} == {*await alerted(gateway)}
    await gateway.stop()
    await gateway.start()
    order = new_order(strategy_id="one", client_order_id="o1", symbol="AAA", side=BUY, quantity="1", route="broker")
    assert Reason.TRADING_HALTED == (await gateway.client.submit_order(order)).reason_code

    await adapter.report([stray()])
    clean = await adapter.reconcile(positions={"AAA": "5"}, cash={"USD": "4498.5"}, orders=[], time=NOW)
    assert 0 == clean.difference_count
    assert Reason.RECONCILED == (await alerted(gateway))[0]
    listed = await gateway.client.portfolio.ListSuspense(portfolio_pb2.ListSuspenseRequest())
    assert ["e1"] == [fill.execution_id for fill in listed.fills]
    first = await gateway.client.admin.AssignSuspense(assignment())
    await gateway.stop()
    await gateway.start()
    assert first == await gateway.client.admin.AssignSuspense(assignment())
    owned = await gateway.client.portfolio.GetStrategy(portfolio_pb2.GetStrategyRequest(strategy_id="one"))
    assert ("5", "39498.5", "1.5") == (owned.positions[0].quantity, owned.strategy.cash, owned.strategy.fees)
    portfolio = await gateway.client.portfolio.GetPortfolio(portfolio_pb2.GetPortfolioRequest())
    assert ("0", "0") == (portfolio.conservation.difference, portfolio.conservation.suspense)
    (account,) = (await gateway.client.portfolio.ListAccounts(portfolio_pb2.ListAccountsRequest())).accounts
    assert (0, account.statement_time) == (account.difference_count, account.clean_time)
    scope = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_INSTRUMENT, name="AAA")
    reset = admin_pb2.ResetHaltRequest(scope=scope, operator="ann", reason="found it")
    assert (await gateway.client.admin.ResetHalt(reset)).changed
    order.client_order_id = "o2"
    assert (await gateway.client.submit_order(order)).order_id


async def test_what_the_broker_has_not_reported_yet_is_told_apart(gateway: RunningGateway) -> None:
    """A fill of an open order is in flight until its report comes: alerted, and nothing is halted."""
    adapter = adapter_of(gateway)
    order = new_order(strategy_id="one", client_order_id="o1", symbol="AAA", side=BUY, quantity="9", route="broker")
    order_id = (await gateway.client.submit_order(order)).order_id
    await gateway.client.orders.ClaimOrders(orders_pb2.ClaimOrdersRequest(adapter="broker", order_ids=[order_id]))
    open_order = reconciliation_pb2.StatedOrder(order_id=order_id, cumulative_quantity="4", leaves_quantity="5")
    response = await adapter.reconcile(positions={"AAA": "4"}, orders=[open_order], time=NOW)
    kinds = [reconciliation_pb2.DifferenceKind.Name(found.kind) for found in response.differences]
    assert ["DIFFERENCE_KIND_ORDER_FILL_IN_FLIGHT", "DIFFERENCE_KIND_POSITION_IN_FLIGHT"] == kinds
    assert (0, []) == (response.break_count, list(response.halts))
    assert Reason.RECONCILIATION_IN_FLIGHT == (await alerted(gateway))[0]


async def test_an_adapter_states_its_own_account_by_its_own_token(tmp_path: Path) -> None:
    """The journal names who its token says; another's account, and the assignment of a fill, are an officer's."""
    access = AccessWriter(tmp_path / "access.yaml")
    access.add("desk", "trader", strategies=["one"], adapters=["broker"])
    access.add("stranger", "trader", strategies=["two"], adapters=["other"])
    access.add("olga", "risk")
    async with guarded(tmp_path, PORTFOLIO, Protection(access=access.write())) as gateway:
        async with gateway.client(access.tokens["desk"]) as client:
            adapter = AdapterClient(client, name="broker", account="U-1")
            await adapter.report([stray()])
            response = await adapter.reconcile(positions={"AAA": "5"}, time=START)
            assert (0, Reason.PERMISSION_DENIED) == (
                response.difference_count,
                (await refusal(client.admin.AssignSuspense(assignment()))).reason,
            )
        async with gateway.client(access.tokens["stranger"]) as client:
            adapter = AdapterClient(client, name="broker", account="U-1")
            assert Reason.PERMISSION_DENIED == (await refusal(adapter.reconcile(positions={}, time=START))).reason
        async with gateway.client(access.tokens["olga"]) as client:
            mine = assignment()
            mine.operator = ""
            await client.admin.AssignSuspense(mine)
            read = await client.admin.ReadJournal(admin_pb2.ReadJournalRequest())
    events = [journal_pb2.Event.FromString(body) for body in read.events]
    signed = [e.positions_reconciled.operator or e.suspense_assigned.operator for e in events]
    assert ["desk", "olga"] == [name for name in signed if name]


async def test_a_refused_statement_or_assignment_says_why(gateway: RunningGateway) -> None:
    """Each with the code that its page explains."""
    adapter, admin = adapter_of(gateway), gateway.client.admin
    await adapter.report([stray("e0"), stray("e1")])
    await admin.AssignSuspense(assignment("one"))
    await adapter.reconcile(positions={}, time=NOW)
    elsewhere = AdapterClient(gateway.client, name="broker", account="U-2")
    twice = [reconciliation_pb2.StatedOrder(order_id="3", leaves_quantity="1")] * 2
    calls: list[tuple[Reason, Any]] = [
        (Reason.ACCOUNT_UNKNOWN, elsewhere.reconcile(positions={}, time=NOW)),
        (Reason.STATEMENT_INVALID, adapter.reconcile(positions={}, orders=twice, time=NOW)),
        (Reason.STATEMENT_OUT_OF_ORDER, adapter.reconcile(positions={}, time=datetime(2019, 1, 1, tzinfo=UTC))),
        (Reason.FILL_NOT_IN_SUSPENSE, admin.AssignSuspense(assignment("one", "e9"))),
        (Reason.SUSPENSE_ASSIGNED_ELSEWHERE, admin.AssignSuspense(assignment("two"))),
    ]
    for reason, call in calls:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert reason == refusal_of(caught.value).reason


async def test_the_command_line_reconciles_lists_and_assigns(gateway: RunningGateway, tmp_path: Path) -> None:
    """YAML and JSON; a break is exit code 1 with a line each; what is no statement is refused with file and key."""
    await adapter_of(gateway).report([stray()])
    clean, broken, odd = tmp_path / "clean.yaml", tmp_path / "broken.json", tmp_path / "odd.yaml"
    clean.write_text(
        "account: U-1\ntime: 2020-01-01T00:00:00Z\npositions: {AAA: 5}\ncash: {USD: 4498.50}\norders: []\n"
    )
    orders = [{"broker_order_id": 77, "symbol": "BBB", "side": "sell", "left": 2}]
    stated = {"account": "U-1", "time": "2020-01-01T00:00:00Z", "positions": {"AAA": "4"}, "orders": orders}
    broken.write_text(json.dumps(stated))
    odd.write_text("account: U-1\npositions: {AAA: many}\n")

    found = await command(gateway, "reconcile", str(clean))
    assert (0, True) == (found.exit_code, found.output.startswith("U-1 is clean (event ")), found.output
    found = await command(gateway, "reconcile", str(broken), "--halt", "reduce-only", "--strategy", "two")
    assert 1 == found.exit_code
    lines = [line.split() for line in found.output.splitlines()]
    assert ["POSITION", "AAA", "5", "4", "-1", "BREAK", "2020-01-01T00:00:00Z"] in lines
    assert ["ORDER_NOT_OURS", "77", "BBB", "0", "2", "2", "BREAK", "2020-01-01T00:00:00Z"] in lines
    assert "U-1: 2 differences, 2 breaks (event" in found.output
    assert "AAA is HALTED: account U-1:" in found.output
    assert "two is REDUCE_ONLY: account U-1:" in found.output
    found = await command(gateway, "reconcile", str(odd))
    assert (1, True) == (found.exit_code, f"{odd}:2: positions.AAA" in found.output), found.output

    found = await command(gateway, "status")
    assert "in suspense: 1 fills" in found.output
    assert "account U-1 differs from its broker's statement of 2020-01-01T00:00:00Z: 2 differences" in found.output
    found = await command(gateway, "suspense", "list")
    assert ["U-1", "e1", "BUY", "5", "AAA", "100", "1.5"] == found.output.splitlines()[1].split()[2:]
    found = await command(gateway, "suspense", "assign", "U-1", "e1", "--strategy", "two", "--reason", "hers")
    assert (0, True) == (found.exit_code, found.output.startswith("e1 of U-1 is two's (event ")), found.output
    found = await command(gateway, "suspense", "assign", "U-1", "e1", "--strategy", "one", "--reason", "mine")
    assert (1, True) == (found.exit_code, Reason.SUSPENSE_ASSIGNED_ELSEWHERE in found.output)
    assert "nothing is in suspense\n" == (await command(gateway, "suspense", "list")).output
