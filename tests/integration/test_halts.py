"""Halts over real gRPC: who gets out, who lets trading go on, and what halts by itself."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.adapter_client import AdapterClient
from gateway.client import AsyncClient, new_order
from gateway.protection import Protection
from gateway.testing import RunningGateway, running_gateway
from tests.integration.doors import Guarded, guarded, refusal
from tests.integration.principals import AccessWriter
from tests.integration.test_gateway import bar
from tidegate.portfolio_file import PortfolioFile
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, common_pb2, orders_pb2, risk_pb2

BUY, SELL = common_pb2.SIDE_BUY, common_pb2.SIDE_SELL
HALTED = common_pb2.HALT_LEVEL_HALTED
REBASE = admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE
ROOT = Path(__file__).parents[2]
TIDEGATE = str(Path(sys.executable).parent / "tidegate")


def desk(**halts: Any) -> PortfolioFile:
    """Write a portfolio with a live clock: strategy routed goes out by the broker, strategy own by itself."""
    return PortfolioFile.model_validate(
        {
            "name": "halts",
            "currency": "USD",
            "capital": "1000000",
            "clock": "wall",
            "limits": {"max_price_age_s": 86_400},
            "halts": halts,
            "instruments": [{"symbol": "AAA"}],
            "strategies": [
                {"id": "routed", "kind": "external", "allocation": "0.4", "route": "broker"},
                {"id": "own", "kind": "external", "allocation": "0.4"},
            ],
            "adapters": [{"name": "broker"}],
        }
    )


@asynccontextmanager
async def open_desk(**halts: Any) -> AsyncIterator[RunningGateway]:
    """Run a gateway with a price."""
    async with running_gateway(desk(**halts)) as gateway:
        await gateway.publish_bar({"AAA": "100"})
        yield gateway


def order(client_order_id: str, quantity: str, side: common_pb2.Side.ValueType = BUY, **changes: str) -> Any:
    """Write an order."""
    fields: dict[str, Any] = {"strategy_id": "routed", "symbol": "AAA", "route": "broker"} | changes
    return new_order(client_order_id=client_order_id, quantity=quantity, side=side, **fields)


class Broker:
    """A small adapter: claims, and fills or cancels all that it is told."""

    def __init__(self, client: AsyncClient) -> None:
        """Speak in the adapter's name."""
        self.adapter = AdapterClient(client, name="broker", account="a")
        self.count = 0

    def report(self, order_id: str, kind: orders_pb2.ExecutionType.ValueType, quantity: str = "") -> Any:
        """Write a report."""
        self.count += 1
        price = "100" if quantity else ""
        return orders_pb2.Execution(
            execution_id=f"x{self.count}",
            execution_type=kind,
            order_id=order_id,
            last_quantity=quantity,
            last_price=price,
        )

    async def work(self) -> None:
        """Do what there is to do, for as long as nobody stops it."""
        async for message in self.adapter.watch():
            for one in message.instructions:
                if one.HasField("cancel"):
                    canceled = self.report(one.cancel.order_id, orders_pb2.EXECUTION_TYPE_CANCELED)
                    await self.adapter.report([canceled])
                elif one.HasField("send"):
                    (claim,) = await self.adapter.claim([one.send])
                    if claim.outcome == orders_pb2.CLAIM_OUTCOME_CLAIMED:
                        filled = self.report(
                            one.send.order_id, orders_pb2.EXECUTION_TYPE_TRADE, one.send.leaves_quantity
                        )
                        await self.adapter.report([filled])


async def reasons(client: AsyncClient) -> list[str]:
    """Return the alerts' reasons, oldest first."""
    alerts = (await client.risk.ListAlerts(risk_pb2.ListAlertsRequest())).alerts
    return [alert.reason_code for alert in alerts][::-1]


async def positions(client: AsyncClient) -> dict[str, str]:
    """Return what the strategies hold."""
    exposure = await client.risk.GetRiskMetrics(risk_pb2.GetRiskMetricsRequest())
    return {"net": exposure.net_exposure, "gross": exposure.gross_exposure}


@pytest.mark.control("flatten")
async def test_a_flatten_under_a_halt_closes_every_position_that_has_a_way_out() -> None:
    """Pins the way to the end by a real adapter, what cannot be closed from here, and the alerts of both."""
    async with open_desk() as gateway:
        client, broker = gateway.client, Broker(gateway.client)
        await client.submit_order(order("in", "30"))
        waits = await client.submit_order(order("limit", "5", limit_price="1"))
        mine = await client.submit_order(order("mine", "7", strategy_id="own", route=""))
        trade = orders_pb2.EXECUTION_TYPE_TRADE
        await broker.adapter.report([broker.report(mine.order_id, trade, "7")])
        new = broker.report(waits.order_id, orders_pb2.EXECUTION_TYPE_NEW)
        await broker.adapter.report([new])
        working = asyncio.create_task(broker.work())
        await gateway.wait_for_order("routed", "in", common_pb2.ORDER_STATUS_FILLED)
        await client.admin.Halt(admin_pb2.HaltRequest(operator="ann", reason="storm"))
        answer = await client.admin.Flatten(admin_pb2.FlattenRequest(operator="ann", reason="storm"))
        told = {(one.strategy_id, one.quantity): (one.submitted_quantity, one.reason_code) for one in answer.positions}
        assert {("routed", "30"): ("30", ""), ("own", "7"): ("0", Reason.ROUTE_MISSING)} == told
        await gateway.wait_for_events("flatten_ended", 2)
        assert {"net": "700", "gross": "700"} == await positions(client)
        found = await reasons(client)
        assert [Reason.OPERATOR_HALT, Reason.FLATTEN, Reason.FLATTEN_INCOMPLETE, Reason.FLATTENED] == found
        assert Reason.TRADING_HALTED == (await client.submit_order(order("more", "1"))).reason_code
        working.cancel()


async def test_a_flatten_of_an_active_scope_leaves_it_reduce_only() -> None:
    """Pins that nothing fills again what is emptied, and a broker that does not take the exit."""
    async with open_desk() as gateway:
        client, broker = gateway.client, Broker(gateway.client)
        first = await client.submit_order(order("in", "30"))
        await broker.adapter.report([broker.report(first.order_id, orders_pb2.EXECUTION_TYPE_TRADE, "30")])
        await client.admin.Flatten(admin_pb2.FlattenRequest(operator="ann", reason="storm"))
        assert Reason.REDUCE_ONLY == (await client.submit_order(order("more", "1"))).reason_code
        state = await client.risk.GetHaltState(risk_pb2.GetHaltStateRequest())
        assert [("routed", "AAA", "ann")] == [(one.strategy_id, one.symbol, one.operator) for one in state.flattenings]
        (exit_,) = (await client.orders.ListOrders(orders_pb2.ListOrdersRequest())).orders
        rejected = broker.report(exit_.order_id, orders_pb2.EXECUTION_TYPE_REJECTED)
        await broker.adapter.report([rejected])
        assert [Reason.FLATTEN, Reason.FLATTEN, Reason.FLATTEN_INCOMPLETE] == await reasons(client)


@asynccontextmanager
async def held(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter
) -> AsyncIterator[tuple[Guarded, dict[str, AsyncClient]]]:
    """Guard a gateway on which strategy one holds 10, and connect everybody."""
    access.add("root2", "admin")
    access.write()
    async with guarded(tmp_path, portfolio, Protection(access=access.path)) as gateway:
        clients = {
            name: AsyncClient(gateway.address, timeout_s=10, token=token) for name, token in access.tokens.items()
        }
        await clients["feed"].market_data.PublishBars(bar(1, UP="100"))
        adapter = AdapterClient(clients["trader"], name="paper", account="a")
        decision = await clients["trader"].submit_order(up("in", "10"))
        trade = orders_pb2.Execution(
            execution_id="x1",
            execution_type=orders_pb2.EXECUTION_TYPE_TRADE,
            order_id=decision.order_id,
            last_quantity="10",
            last_price="100",
        )
        await adapter.report([trade])
        yield gateway, clients
        for client in clients.values():
            await client.close()


def up(
    client_order_id: str, quantity: str, side: common_pb2.Side.ValueType = BUY, why: str = ""
) -> orders_pb2.NewOrder:
    """Write an order of strategy one, perhaps as an emergency exit."""
    emergency = orders_pb2.EmergencyExit(reason=why) if why else None
    return new_order(
        strategy_id="one",
        client_order_id=client_order_id,
        symbol="UP",
        side=side,
        quantity=quantity,
        route="paper",
        emergency=emergency,
    )


@pytest.mark.control("emergency-exit")
async def test_an_emergency_exit_is_for_officers_and_only_reduces(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter
) -> None:
    """Pins, by token: a trader's is refused, an officer's passes the halt, and nothing else of an officer does."""
    async with held(tmp_path, portfolio, access) as (gateway, clients):
        ann, trader = clients["ann"], clients["trader"]
        await ann.admin.Halt(admin_pb2.HaltRequest(reason="storm"))
        refused = await refusal(trader.submit_order(up("a", "4", SELL, "out")))
        assert (Reason.PERMISSION_DENIED, "trader may not call for an emergency exit") == (refused.reason, refused.text)
        assert Reason.PERMISSION_DENIED == (await refusal(ann.submit_order(up("b", "4", SELL)))).reason
        assert Reason.TRADING_HALTED == (await trader.submit_order(up("c", "4", SELL))).reason_code
        flip = await ann.submit_order(up("d", "11", SELL, "out"))
        assert [Reason.TRADING_HALTED, Reason.NOT_REDUCING] == [one.reason_code for one in flip.violations][:2]
        decision = await clients["root"].submit_order(up("e", "4", SELL, "out"))
        assert common_pb2.ACTION_ALLOW == decision.action
        claim = orders_pb2.ClaimOrdersRequest(adapter="paper", order_ids=[decision.order_id])
        (claimed,) = (await trader.orders.ClaimOrders(claim)).claims
        assert orders_pb2.CLAIM_OUTCOME_CLAIMED == claimed.outcome
        found = await ann.orders.GetOrder(orders_pb2.GetOrderRequest(strategy_id="one", client_order_id="e"))
        assert ("root", "out") == (found.order.order.emergency.operator, found.order.order.emergency.reason)
        assert gateway.address


@pytest.mark.control("four-eyes")
async def test_four_eyes_are_two_tokens(tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter) -> None:
    """Pins that who asked cannot confirm, in no other name, and that a second officer can."""
    strict = portfolio.model_copy(update={"halts": desk(four_eyes=True).halts, "replay": None})
    async with held(tmp_path, strict, access) as (_, clients):
        ann, root = clients["ann"], clients["root"]
        await ann.admin.Halt(admin_pb2.HaltRequest(reason="storm"))
        asked = await ann.admin.ResetHalt(admin_pb2.ResetHaltRequest(reason="over", high_water_mark=REBASE))
        assert not asked.changed
        confirm = admin_pb2.ConfirmResetRequest(request_sequence=asked.request_sequence, reason="so it is")
        refused = await refusal(ann.admin.ConfirmReset(confirm))
        assert (grpc.StatusCode.FAILED_PRECONDITION, Reason.RESET_NOT_BY_ANOTHER) == (refused.code, refused.reason)
        forged = admin_pb2.ConfirmResetRequest(request_sequence=asked.request_sequence, operator="root", reason="so")
        assert Reason.OPERATOR_NOT_CALLER == (await refusal(ann.admin.ConfirmReset(forged))).reason
        assert Reason.PERMISSION_DENIED == (await refusal(clients["trader"].admin.ConfirmReset(confirm))).reason
        state = await root.risk.GetHaltState(risk_pb2.GetHaltStateRequest())
        assert (HALTED, ["ann"]) == (state.level, [one.operator for one in state.pending_resets])
        await root.admin.ConfirmReset(confirm)
        gone = await refusal(root.admin.ConfirmReset(confirm))
        assert (grpc.StatusCode.NOT_FOUND, Reason.RESET_REQUEST_UNKNOWN) == (gone.code, gone.reason)
        assert [Reason.OPERATOR_HALT, Reason.RESET_REQUESTED, Reason.HALT_RESET] == await reasons(root)
        assert common_pb2.ACTION_ALLOW == (await clients["trader"].submit_order(up("z", "1"))).action


async def test_a_reset_that_nobody_confirms_expires_by_the_gates_own_clock() -> None:
    """Pins that a request does not lie about for whoever comes along."""
    async with open_desk(four_eyes=True, confirm_within_s=1) as gateway:
        admin = gateway.client.admin
        await admin.Halt(admin_pb2.HaltRequest(operator="ann", reason="storm"))
        reset = admin_pb2.ResetHaltRequest(operator="ann", reason="over", high_water_mark=REBASE)
        asked = (await admin.ResetHalt(reset)).request_sequence
        (expired,) = await gateway.wait_for_events("reset_expired")
        assert asked == expired.reset_expired.request_sequence
        assert Reason.RESET_EXPIRED == (await reasons(gateway.client))[-1]


@pytest.mark.control("error-rate", "kill-automatic")
async def test_a_strategy_that_is_refused_again_and_again_is_halted_and_no_other() -> None:
    """Pins the error rate over the wire."""
    async with open_desk(error_rate={"count": 5, "within_s": 60}) as gateway:
        decisions = [await gateway.client.submit_order(order(f"o{n}", "999999")) for n in range(8)]
        codes = [decision.reason_code for decision in decisions]
        assert [Reason.TRADING_HALTED] * 2 == codes[6:]
        assert Reason.TRADING_HALTED not in codes[:6]
        assert Reason.ERROR_RATE == (await reasons(gateway.client))[-1]
        other = await gateway.client.submit_order(order("own", "1", strategy_id="own"))
        assert common_pb2.ACTION_ALLOW == other.action


@pytest.mark.control("dead-man")
async def test_an_adapter_with_a_dead_mans_switch_that_is_lost_leaves_its_strategies_reduce_only() -> None:
    """Pins the switch over the wire: in the stream's request, at its end, and that it takes a reset."""
    async with open_desk() as gateway:
        client = gateway.client
        adapter = AdapterClient(client, name="broker", account="a")
        session = adapter.watch(cancel_on_disconnect=True, halt_on_loss=common_pb2.HALT_LEVEL_REDUCE_ONLY)
        await anext(session)
        await session.aclose()
        (halt,) = await gateway.wait_for_events("trading_halted")
        assert ("routed", Reason.DEAD_MAN) == (halt.trading_halted.scope.name, halt.trading_halted.reason_code)
        assert [Reason.ADAPTER_DISCONNECTED, Reason.DEAD_MAN] == await reasons(client)
        again = adapter.watch(cancel_on_disconnect=True)
        await anext(again)
        assert Reason.REDUCE_ONLY == (await client.submit_order(order("a", "1"))).reason_code
        await again.aclose()
        without = adapter.watch(halt_on_loss=HALTED)
        refused = await refusal(anext(without))
        assert (Reason.HALT_LEVEL_INVALID, "halt_on_loss") == (refused.reason, refused.field)


def token_file(path: Path, token: str) -> str:
    """Write a token into a file that only its owner reads."""
    path.write_text(token, encoding="ascii")
    path.chmod(0o600)
    return str(path)


async def run(*words: str) -> tuple[int, str]:
    """Run a command; return its exit code and what it said."""
    command = await asyncio.to_thread(subprocess.run, [*words], capture_output=True, text=True, check=False, timeout=60)
    return command.returncode, command.stdout + command.stderr


@pytest.mark.parametrize("by", ["tidegate", "reset_halt.py"])
async def test_two_officers_at_two_terminals_flatten_and_reset(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter, by: str
) -> None:
    """Pins what the command line and the script say, and that one of the two alone is not enough."""
    strict = portfolio.model_copy(update={"halts": desk(four_eyes=True).halts, "replay": None})
    async with held(tmp_path, strict, access) as (gateway, _):
        at = ["--address", gateway.address]
        files = {}
        for name in ("ann", "root"):
            files[name] = token_file(tmp_path / f"{name}.token", access.tokens[name])
        ann = [TIDEGATE, "--token-file", files["ann"]]
        code, said = await run(*ann, "halt", "--reason", "storm", *at)
        assert (0, True) == (code, said.startswith("portfolio halted by ann: storm; 0 cancels requested")), said
        out = ["order", "submit", "--strategy", "one", "--symbol", "UP", "--side", "sell", "--quantity", "4"]
        code, said = await run(*ann, *out, "--route", "paper", "--emergency", "out", *at)
        assert (0, True) == (code, said.startswith("ALLOW cli-")), said
        code, said = await run(*ann, "flatten", "--reason", "storm", *at)
        assert "portfolio: 0 cancels requested, 1 to close\n" in said, said
        assert "  one 10 UP: 6 on the way out, 4 may still be filled by working orders\n" in said
        script = [sys.executable, str(ROOT / "scripts" / "reset_halt.py"), "--token-file"]
        code, said = await run(*script, files["ann"], "--reason", "over", "--rebase-peak", *at)
        assert "portfolio: asked; another person confirms it with --confirm " in said
        number = said.split()[-1]
        code, said = await run(*ann, "status", *at)
        assert (
            f"asked for: reset of portfolio, peak re-based, by ann: over; another person confirms request {number}"
            in said
        )
        assert "being closed: one UP, by ann" in said
        for name, expected in (
            ("ann", "RESET_NOT_BY_ANOTHER: ann asked for this reset; another person confirms it\n"),
            ("root", "portfolio: reset\n"),
        ):
            if by == "tidegate":
                said = (
                    await run(TIDEGATE, "--token-file", files[name], "confirm-reset", number, "--reason", "so", *at)
                )[1]
            else:
                said = (await run(*script, files[name], "--reason", "so", "--confirm", number, *at))[1]
            assert expected == said
