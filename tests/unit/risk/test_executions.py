"""Executions: what the broker did is booked, once, whatever the state."""

from decimal import Decimal

import pytest

from tests.unit.builders import BUY, CANCEL_REJECTED, CANCELED, NEW, SELL, TRADE, Desk
from tidegate.v1 import common_pb2, orders_pb2, portfolio_pb2

EXPIRED = orders_pb2.EXECUTION_TYPE_EXPIRED
REJECTED = orders_pb2.EXECUTION_TYPE_REJECTED


def alerts(desk: Desk) -> list[str]:
    """Return the reason codes of all alerts."""
    return [event.alert_raised.reason_code for event in desk.events("alert_raised")]


def difference(desk: Desk) -> str:
    """Return what conservation of capital is off by."""
    answer = desk.ask("GetPortfolio", portfolio_pb2.GetPortfolioRequest(), portfolio_pb2.GetPortfolioResponse)
    return answer.conservation.difference


def test_partial_fills_add_up_to_the_order(desk: Desk) -> None:
    """Pins position, cash and reservation after each fill."""
    order_id = desk.buy("cash", "10").order_id
    ledger = desk.book.strategies["cash"].ledger
    desk.fill(order_id, "4", "99", fee="1")
    assert (Decimal(600), Decimal(49_603)) == (ledger.reserved_cash, ledger.cash)
    desk.fill(order_id, "6", "101", fee="-0.5")
    assert (Decimal(0), Decimal("48997.5")) == (ledger.reserved_cash, ledger.cash)
    assert (Decimal(10), {}, []) == (desk.position("cash"), desk.book.orders, alerts(desk))


@pytest.mark.control("fills-are-booked")
@pytest.mark.parametrize("again", ["in the same report", "later", "after a restart"])
def test_an_execution_id_is_booked_once(desk: Desk, again: str) -> None:
    """Pins that a repeated report is answered with its first place, even when the broker stamps and words it anew."""
    order_id = desk.buy("cash", "10").order_id
    execution = desk.trade(order_id, "4", "100")
    repeated = orders_pb2.Execution()
    repeated.CopyFrom(execution)
    repeated.time.seconds, repeated.text = 1_700_000_000, "again"
    if again == "in the same report":
        first, second = desk.report(execution, repeated)
    else:
        (first,) = desk.report(execution)
        desk = desk.restarted() if again == "after a restart" else desk
        (second,) = desk.report(repeated)
    assert first == second
    assert Decimal(4) == desk.position("cash")


def test_a_reused_execution_id_with_other_figures_is_not_booked_but_alerted(desk: Desk) -> None:
    """Pins that its place is 0, and that the rest of the report is booked."""
    order_id = desk.buy("cash", "10").order_id
    execution = desk.trade(order_id, "4", "100")
    desk.report(execution)
    execution.last_quantity = "5"
    sequences = desk.report(execution, desk.trade(order_id, "1", "100"))
    assert (0, Decimal(5), ["EXECUTION_ID_REUSED"]) == (sequences[0], desk.position("cash"), alerts(desk))
    assert sequences[1] > 0


def test_two_accounts_may_use_the_same_execution_id(desk: Desk) -> None:
    """Pins that ids are unique per broker account."""
    execution = desk.trade(desk.buy("cash", "10").order_id, "1", "100")
    for account in ("u1", "u2"):
        request = orders_pb2.ReportExecutionsRequest(account=account, adapter="paper", executions=[execution])
        desk.ask("ReportExecutions", request, orders_pb2.ReportExecutionsResponse)
    assert Decimal(2) == desk.position("cash")


@pytest.mark.control("fills-are-booked")
def test_an_overfill_is_booked_and_alerted(desk: Desk) -> None:
    """Pins that the books say what the broker did."""
    desk.fill(desk.buy("cash", "10").order_id, "15", "100")
    assert (Decimal(15), ["EXECUTION_OVERFILL"]) == (desk.position("cash"), alerts(desk))
    assert (Decimal(0), "0") == (desk.book.strategies["cash"].ledger.reserved_cash, difference(desk))


@pytest.mark.parametrize("end", [CANCELED, EXPIRED, REJECTED, TRADE])
def test_a_fill_of_a_done_order_is_booked_in_its_strategys_ledger(
    desk: Desk, end: orders_pb2.ExecutionType.ValueType
) -> None:
    """Pins that a late fill finds its owner in the archive, and is alerted."""
    order_id = desk.buy("cash", "10").order_id
    desk.report(desk.trade(order_id, "10", "100") if end == TRADE else desk.execution(order_id, end))
    before = desk.position("cash")
    desk.fill(order_id, "3", "100")
    assert (before + 3, ["EXECUTION_AFTER_DONE"]) == (desk.position("cash"), alerts(desk))
    assert (Decimal(0), "0") == (desk.book.strategies["cash"].ledger.reserved_cash, difference(desk))


@pytest.mark.control("fills-are-booked")
@pytest.mark.parametrize("order_id", ["", "999", "0", "not-ours"])
@pytest.mark.parametrize("symbol", ["A", "F", "Z"], ids=["priced", "configured", "unknown instrument"])
def test_a_fill_of_an_order_never_seen_goes_into_suspense(desk: Desk, order_id: str, symbol: str) -> None:
    """Pins that it is booked with its side and symbol, alerted, conserved, and the same after a restart."""
    execution = desk.trade(order_id, "3", "100")
    execution.symbol, execution.side = symbol, SELL
    desk.report(execution)
    assert (Decimal(-3), ["EXECUTION_OF_UNKNOWN_ORDER"]) == (desk.position("", symbol), alerts(desk))
    assert "0" == difference(desk)
    assert desk.book.strategies[""].ledger == desk.restarted().book.strategies[""].ledger


def test_a_suspense_fill_of_an_instrument_without_a_price_leaves_it_without_one(desk: Desk) -> None:
    """Pins that a fill values its own position and opens no instrument for orders."""
    execution = desk.trade("", "3", "100")
    execution.symbol, execution.side = "Z", BUY
    desk.report(execution)
    assert "Z" not in desk.book.mark_times_ns
    assert Decimal(300) == desk.book.instrument_exposure("Z")


@pytest.mark.control("fills-are-booked")
def test_a_fill_is_booked_while_everything_is_halted(desk: Desk) -> None:
    """Pins that a halt does not make the books wrong."""
    order_id = desk.buy("cash", "10").order_id
    desk.halt()
    desk.fill(order_id, "10", "100")
    assert Decimal(10) == desk.position("cash")


@pytest.mark.control("order-counts-when-sent")
@pytest.mark.parametrize(
    ("kind", "status", "reserved"),
    [
        (NEW, "PENDING_CANCEL", 600),
        (CANCEL_REJECTED, "PARTIALLY_FILLED", 600),
        (CANCELED, "CANCELED", 0),
        (EXPIRED, "EXPIRED", 0),
        (REJECTED, "REJECTED", 0),
    ],
)
def test_a_reservation_is_the_brokers_to_release(
    desk: Desk, kind: orders_pb2.ExecutionType.ValueType, status: str, reserved: int
) -> None:
    """Pins what each report after a cancel leaves of a partly filled order."""
    order = desk.order("cash", BUY, "10", "A")
    order_id = desk.submit(order).order_id
    desk.fill(order_id, "4", "100")
    desk.cancel(order)
    ledger = desk.book.strategies["cash"].ledger
    assert Decimal(600) == ledger.reserved_cash
    desk.report(desk.execution(order_id, kind))
    assert reserved == ledger.reserved_cash
    request = orders_pb2.GetOrderRequest(order_id=order_id)
    found = desk.ask("GetOrder", request, orders_pb2.GetOrderResponse).order
    assert f"ORDER_STATUS_{status}" == common_pb2.OrderStatus.Name(found.status)


def test_symbol_and_side_come_from_the_order(desk: Desk) -> None:
    """Pins that a report cannot move a fill to another instrument or side."""
    execution = desk.trade(desk.buy("cash", "10").order_id, "10", "100")
    execution.symbol, execution.side = "B", SELL
    desk.report(execution)
    assert (Decimal(10), Decimal(0)) == (desk.position("cash", "A"), desk.position("cash", "B"))


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("execution_id", "", "IDENTIFIER_INVALID"),
        ("execution_id", "x" * 65, "IDENTIFIER_INVALID"),
        ("execution_type", 0, "EXECUTION_TYPE_INVALID"),
        ("execution_type", 99, "EXECUTION_TYPE_INVALID"),
        ("last_quantity", "0", "QUANTITY_INVALID"),
        ("last_quantity", "-1", "QUANTITY_INVALID"),
        ("last_quantity", "NaN", "QUANTITY_INVALID"),
        ("last_price", "", "PRICE_INVALID"),
        ("last_price", "1e400", "PRICE_INVALID"),
        ("fee", "Infinity", "AMOUNT_INVALID"),
        ("order_id", "", "IDENTIFIER_INVALID"),
        ("order_id", "a b", "IDENTIFIER_INVALID"),
        ("text", "x" * 501, "TEXT_INVALID"),
        ("execution_type", NEW, "QUANTITY_INVALID"),
    ],
)
def test_a_malformed_execution_refuses_the_whole_report(
    desk: Desk, field: str, value: str | int, expected: str
) -> None:
    """Pins the reason, and that nothing of the report is booked; without an order, a fill needs its symbol."""
    good = desk.trade(desk.buy("cash", "10").order_id, "1", "100")
    bad = desk.trade("7", "1", "100")
    setattr(bad, field, value)
    recorded = len(desk.events())
    request = orders_pb2.ReportExecutionsRequest(account="u1", adapter="paper", executions=[good, bad])
    reply = desk.reply("ReportExecutions", request)
    assert (expected, True) == (reply.reason, reply.field.startswith("executions[1]"))
    assert recorded == len(desk.events())


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("account", "", "IDENTIFIER_INVALID"),
        ("adapter", "stranger", "ADAPTER_UNKNOWN"),
        ("bar_sequence", 999, "BAR_UNKNOWN"),
    ],
)
def test_a_report_about_something_unknown_books_nothing(
    desk: Desk, field: str, value: str | int, expected: str
) -> None:
    """Pins that a refused report has no effect."""
    request = orders_pb2.ReportExecutionsRequest(
        account="u1", adapter="paper", executions=[desk.trade(desk.buy("cash", "10").order_id, "1", "100")]
    )
    setattr(request, field, value)
    assert expected == desk.refusal("ReportExecutions", request)
    assert Decimal(0) == desk.position("cash")
