"""Reason codes through the real gateway: those that no other test here produces; and that none is left out."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.client import new_order
from gateway.status import refusal_of
from gateway.testing import RunningGateway, running_gateway
from tidegate.gate import Request
from tidegate.permissions import INTERNAL
from tidegate.portfolio_file import PortfolioFile
from tidegate.reasons import Reason
from tidegate.v1 import actors_pb2, admin_pb2, common_pb2, instruments_pb2, market_data_pb2, orders_pb2, risk_pb2

HERE = Path(__file__).parent
DAY_S = 86_400
BUY, SELL = common_pb2.SIDE_BUY, common_pb2.SIDE_SELL
TRADE = orders_pb2.EXECUTION_TYPE_TRADE
SIGNED: dict[str, Any] = {"operator": "ann", "reason": "test"}
# Produced by test_readers.py and test_floods.py, which read the wire's bytes and know the codes by their texts.
BY_TEXT = {Reason.READER_TOO_SLOW, Reason.OVERLOADED}
CODED: dict[str, Any] = {"class": "tests:None", "route": "paper"}
PORTFOLIO: dict[str, Any] = {
    "name": "codes",
    "currency": "USD",
    "capital": 100_000,
    "clock": "bars",
    "limits": dict.fromkeys(("max_leverage", "max_concentration", "max_drawdown", "warn_drawdown", "halt_drawdown")),
    "instruments": [{"symbol": "A"}, {"symbol": "B"}],
    "strategies": [
        CODED | {"id": "cash", "kind": "cash", "allocation": 0.4},
        CODED | {"id": "margin", "kind": "margin", "allocation": 0.5, "max_leverage": 0.5},
    ],
    "adapters": [{"name": "paper"}, {"name": "other"}],
}

Do = Callable[[RunningGateway], Awaitable[Any]]


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    """Run a gateway without limits, its two instruments priced at 100."""
    async with running_gateway(PortfolioFile.model_validate(PORTFOLIO)) as running:
        await running.client.market_data.PublishBars(bar(1))
        yield running


def bar(day: int, **closes: str) -> market_data_pb2.PublishBarsRequest:
    """Write the bar of a day."""
    bars = [market_data_pb2.Bar(symbol=s, close=c) for s, c in (closes or {"A": "100", "B": "100"}).items()]
    return market_data_pb2.PublishBarsRequest(time=Timestamp(seconds=1_600_000_000 + day * DAY_S), bars=bars)


def order(client_order_id: str, quantity: str = "10", **changes: Any) -> orders_pb2.NewOrder:
    """Write a good order of strategy cash."""
    fields: dict[str, Any] = {
        "strategy_id": "cash",
        "symbol": "A",
        "side": BUY,
        "quantity": quantity,
        "route": "paper",
    } | changes
    return new_order(client_order_id=client_order_id, **fields)


async def working(gateway: RunningGateway, client_order_id: str = "w", **changes: Any) -> str:
    """Submit a limit order that works; return its id."""
    decision = await gateway.client.submit_order(order(client_order_id, limit_price="100", **changes))
    return decision.order_id


async def report(gateway: RunningGateway, *executions: orders_pb2.Execution, adapter: str = "paper") -> None:
    """Report executions."""
    request = orders_pb2.ReportExecutionsRequest(account="acc", adapter=adapter, executions=executions)
    await gateway.client.orders.ReportExecutions(request)


def fill(order_id: str, quantity: str = "10", name: str = "x1", **fields: Any) -> orders_pb2.Execution:
    """Write a fill."""
    return orders_pb2.Execution(
        execution_id=name, execution_type=TRADE, order_id=order_id, last_quantity=quantity, last_price="100", **fields
    )


def submitted(**fields: Any) -> Do:
    """Submit an order with odd fields."""
    odd = order("odd")
    for name, value in fields.items():
        setattr(odd, name, value)
    return lambda gateway: gateway.client.submit_order(odd)


def asked(service: str, method: str, request: Any) -> Do:
    """Call a method."""
    return lambda gateway: getattr(getattr(gateway.client, service), method)(request)


def transfer(**fields: Any) -> admin_pb2.TransferCapitalRequest:
    """Write a transfer."""
    return admin_pb2.TransferCapitalRequest(transfer_id="t1", **SIGNED, **fields)


def replaced(quantity: str = "20", name: str = "r1") -> orders_pb2.ReplaceOrderRequest:
    """Write a replacement of the working order."""
    return orders_pb2.ReplaceOrderRequest(
        strategy_id="cash", orig_client_order_id="w", client_order_id=name, quantity=quantity, limit_price="100"
    )


async def reuse_a_transfer(gateway: RunningGateway) -> None:
    """Deposit two amounts under one id."""
    for amount in ("1", "2"):
        await gateway.client.admin.DepositCapital(
            admin_pb2.DepositCapitalRequest(transfer_id="t1", amount=amount, **SIGNED)
        )


async def break_a_limit(gateway: RunningGateway) -> None:
    """Take so much from a strategy that what it holds is more than its multiple carries."""
    order_id = await working(gateway, strategy_id="margin", quantity="200")
    await report(gateway, fill(order_id, "200"))
    await gateway.client.admin.TransferCapital(transfer(from_strategy_id="margin", amount="15000"))


async def publish_twice(gateway: RunningGateway) -> None:
    """Publish an older bar after a newer one."""
    await gateway.client.market_data.PublishBars(bar(0))


async def replace_twice(gateway: RunningGateway) -> None:
    """Replace what is being replaced."""
    await working(gateway)
    await gateway.client.orders.ReplaceOrder(replaced())
    await gateway.client.orders.ReplaceOrder(replaced("30", "r2"))


async def replace_by_the_same(gateway: RunningGateway) -> None:
    """Replace an order by itself."""
    await working(gateway)
    await gateway.client.orders.ReplaceOrder(replaced("10"))


async def replace_below_what_is_filled(gateway: RunningGateway) -> None:
    """Replace an order by less than is filled already."""
    await report(gateway, fill(await working(gateway), "6"))
    await gateway.client.orders.ReplaceOrder(replaced("5"))


async def reset_into_the_next_halt(gateway: RunningGateway) -> None:
    """Reset a halt for a drawdown that still stands."""
    await report(gateway, fill(await working(gateway, quantity="300"), "300"))
    halting = risk_pb2.Limit(figure=risk_pb2.LIMIT_FIGURE_DRAWDOWN, limit="0.1", action=common_pb2.ACTION_HALT)
    await gateway.client.admin.UpdateLimits(admin_pb2.UpdateLimitsRequest(limits=[halting], **SIGNED))
    await gateway.client.market_data.PublishBars(bar(2, A="50"))
    keep = admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP
    await gateway.client.admin.ResetHalt(admin_pb2.ResetHaltRequest(high_water_mark=keep, **SIGNED))


async def change_what_was_traded(gateway: RunningGateway) -> None:
    """Give an instrument another multiplier while an order in it works."""
    await working(gateway)
    await gateway.client.admin.UpsertInstruments(upserted("2"))


def upserted(multiplier: str) -> admin_pb2.UpsertInstrumentsRequest:
    """Write a change of instrument A."""
    terms = instruments_pb2.Instrument(symbol="A", multiplier=multiplier)
    return admin_pb2.UpsertInstrumentsRequest(instruments=[terms], **SIGNED)


async def watch_with_an_odd_heartbeat(gateway: RunningGateway) -> None:
    """Open a session that would be heard of once in a while."""
    request = orders_pb2.WatchOrdersRequest(adapter="paper", cancel_on_disconnect=True, heartbeat_s=61)
    async for _ in gateway.client.orders.WatchOrders(request):
        pass


NOBODY = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_STRATEGY, name="nobody")
UNTYPED = orders_pb2.ReportExecutionsRequest(
    account="acc", adapter="paper", executions=[orders_pb2.Execution(execution_id="x")]
)
AHEAD = orders_pb2.ReportExecutionsRequest(account="acc", adapter="paper", bar_sequence=999)
TWICE = market_data_pb2.PublishBarsRequest(
    time=Timestamp(seconds=1_700_000_000), bars=[market_data_pb2.Bar(symbol="A", close="1")] * 2
)
REFUSED: list[tuple[Reason, Do]] = [
    (Reason.ORDER_TYPE_INVALID, submitted(order_type=99)),
    (Reason.TIME_IN_FORCE_INVALID, submitted(time_in_force=99)),
    (Reason.AMOUNT_INVALID, asked("admin", "TransferCapital", transfer(to_strategy_id="cash", amount="x"))),
    (Reason.TIME_INVALID, asked("market_data", "PublishBars", market_data_pb2.PublishBarsRequest(bars=TWICE.bars[:1]))),
    (Reason.TEXT_INVALID, asked("admin", "Halt", admin_pb2.HaltRequest(operator="ann"))),
    (Reason.EXECUTION_TYPE_INVALID, asked("orders", "ReportExecutions", UNTYPED)),
    (Reason.SCOPE_INVALID, asked("admin", "Halt", admin_pb2.HaltRequest(scope=NOBODY, **SIGNED))),
    (Reason.BAR_EMPTY, asked("market_data", "PublishBars", market_data_pb2.PublishBarsRequest(time=TWICE.time))),
    (Reason.SYMBOL_REPEATED, asked("market_data", "PublishBars", TWICE)),
    (Reason.PAGE_TOKEN_INVALID, asked("orders", "ListOrders", orders_pb2.ListOrdersRequest(page_token="x"))),  # noqa: S106
    (Reason.HEARTBEAT_INVALID, watch_with_an_odd_heartbeat),
    (
        Reason.ALERT_UNKNOWN,
        asked("risk", "AcknowledgeAlert", risk_pb2.AcknowledgeAlertRequest(alert_sequence=9, operator="ann")),
    ),
    (
        Reason.TRANSFER_TO_ITSELF,
        asked("admin", "TransferCapital", transfer(from_strategy_id="cash", to_strategy_id="cash", amount="1")),
    ),
    (
        Reason.CASH_NOT_AVAILABLE,
        asked("admin", "TransferCapital", transfer(from_strategy_id="cash", amount="40001")),
    ),
    (Reason.TRANSFER_ID_REUSED, reuse_a_transfer),
    (Reason.TRANSFER_BREAKS_LIMIT, break_a_limit),
    (Reason.BAR_OUT_OF_ORDER, publish_twice),
    (Reason.BAR_UNKNOWN, asked("orders", "ReportExecutions", AHEAD)),
    (Reason.REPLACE_PENDING, replace_twice),
    (Reason.REPLACE_CHANGES_NOTHING, replace_by_the_same),
    (Reason.REPLACE_BELOW_FILLED, replace_below_what_is_filled),
    (Reason.RESET_WOULD_HALT_AGAIN, reset_into_the_next_halt),
    (Reason.INSTRUMENT_INVALID, asked("admin", "UpsertInstruments", upserted("0"))),
    (Reason.INSTRUMENT_IN_USE, change_what_was_traded),
]


@pytest.mark.parametrize(("reason", "do"), REFUSED, ids=[str(reason) for reason, _ in REFUSED])
async def test_a_call_ends_with_its_code(gateway: RunningGateway, reason: Reason, do: Do) -> None:
    """The refusal carries the one code that its page explains."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await do(gateway)
    assert reason == refusal_of(caught.value).reason


async def test_an_order_of_a_paused_strategy_is_decided_with_its_code(gateway: RunningGateway) -> None:
    """A pause is a decision on each order, not the end of a call."""
    await gateway.client.admin.PauseStrategy(admin_pb2.PauseStrategyRequest(strategy_id="cash", **SIGNED))
    assert Reason.STRATEGY_PAUSED == (await gateway.client.submit_order(order("p"))).reason_code


async def test_a_claim_says_why_it_is_refused(gateway: RunningGateway) -> None:
    """Another adapter's order, and one that is done."""
    order_id = await working(gateway)
    for adapter, reason in (("other", Reason.ORDER_NOT_ROUTED_HERE), ("paper", Reason.ORDER_DONE)):
        if adapter == "paper":
            await report(gateway, fill(order_id))
        request = orders_pb2.ClaimOrdersRequest(adapter=adapter, order_ids=[order_id])
        assert reason == (await gateway.client.orders.ClaimOrders(request)).claims[0].reason_code


async def odd_reports(gateway: RunningGateway) -> None:
    """Report what no broker should: unknown, too much, twice under one id, late, by another adapter."""
    order_id = await working(gateway)
    await report(gateway, fill("", "1", "u1", symbol="A", side=BUY))
    await report(gateway, fill(order_id, "9", "x1"), fill(order_id, "8", "x1"), fill(order_id, "2", "x2"))
    await report(gateway, fill(order_id, "1", "x3"))
    other = await working(gateway, "v")
    await report(gateway, fill(other, "1", "x4"), adapter="other")
    bust_type = orders_pb2.EXECUTION_TYPE_TRADE_CANCEL
    bust = orders_pb2.Execution(execution_id="b1", execution_type=bust_type, order_id=other, reference_execution_id="?")
    accepted = orders_pb2.Execution(
        execution_id="r1", execution_type=orders_pb2.EXECUTION_TYPE_REPLACED, order_id=other
    )
    await report(gateway, bust, accepted)


async def differing_ledger(gateway: RunningGateway) -> None:
    """Complete a bar as an allocator does whose strategy's ledger differs from the book."""
    fault = actors_pb2.StrategyFault(strategy_id="cash", reason_code=Reason.LEDGER_DIFFERS, reason="digests differ")
    request = actors_pb2.CompleteBarRequest(bar_sequence=2, seen_sequence=2, faults=[fault])
    (reply,) = await gateway.port.execute([Request("CompleteBar", request.SerializeToString(), INTERNAL)])
    assert "" == reply.reason


async def ruinous_fee(gateway: RunningGateway) -> None:
    """Let a fee take more cash than there is."""
    await report(gateway, fill(await working(gateway), name="f1", fee="50000"))


async def hundreds_of_refusals(gateway: RunningGateway) -> None:
    """Be refused more often than is recorded, then once more in another second."""
    orders = [order(f"n{number}", "99999") for number in range(102)]
    await gateway.client.orders.SubmitOrders(orders_pb2.SubmitOrdersRequest(orders=orders))
    await gateway.client.market_data.PublishBars(bar(2))
    await gateway.client.submit_order(order("last", "99999"))


@pytest.mark.parametrize(
    ("do", "reasons"),
    [
        (
            odd_reports,
            {
                Reason.EXECUTION_OF_UNKNOWN_ORDER,
                Reason.EXECUTION_ID_REUSED,
                Reason.EXECUTION_OVERFILL,
                Reason.EXECUTION_AFTER_DONE,
                Reason.EXECUTION_BY_OTHER_ADAPTER,
                Reason.EXECUTION_REFERENCE_UNKNOWN,
                Reason.EXECUTION_OF_UNKNOWN_REPLACEMENT,
            },
        ),
        (differing_ledger, {Reason.LEDGER_DIFFERS}),
        (ruinous_fee, {Reason.CASH_NEGATIVE}),
        (hundreds_of_refusals, {Reason.REFUSALS_COUNTED}),
    ],
)
async def test_what_a_person_should_know_is_an_alert_with_its_code(
    gateway: RunningGateway, do: Do, reasons: set[Reason]
) -> None:
    """What is a fact cannot be refused: it is booked, and alerted."""
    await do(gateway)
    alerts = await gateway.client.risk.ListAlerts(risk_pb2.ListAlertsRequest())
    assert reasons <= {alert.reason_code for alert in alerts.alerts}


async def test_a_cancel_by_scope_names_its_reason_in_the_journal(gateway: RunningGateway) -> None:
    """Whoever reads the journal sees that nobody asked for this order alone."""
    await working(gateway)
    await gateway.client.orders.CancelAllOrders(orders_pb2.CancelAllOrdersRequest())
    (event,) = await gateway.wait_for_events("cancel_requested")
    assert Reason.CANCEL_ALL == event.cancel_requested.reason_code


async def test_while_the_risk_manager_is_away_every_call_says_so(gateway: RunningGateway) -> None:
    """Unknown is not no: UNAVAILABLE, with its code."""
    await gateway.port.close()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.client.risk.GetLimits(risk_pb2.GetLimitsRequest())
    assert Reason.RISK_MANAGER_UNAVAILABLE == refusal_of(caught.value).reason


def test_every_code_is_named_by_a_test_through_the_gateway() -> None:
    """A code that no test here knows is one that nobody has seen on the wire."""
    texts = [path.read_text(encoding="utf-8") for path in HERE.glob("*.py")]
    named = set(re.findall(r"[A-Z_]{4,}", " ".join(texts))) | {reason.name for reason in BY_TEXT}
    assert {reason for reason in Reason if reason.name not in named} == set()
