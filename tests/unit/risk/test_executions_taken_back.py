"""Busts and corrections: a fill taken back leaves cash and positions as if it had not been, to the last digit."""

from decimal import Decimal

import pytest

from tests.unit.builders import (
    BUY,
    CANCELED,
    NEW,
    REPLACE_REJECTED,
    REPLACED,
    SELL,
    TRADE_CANCEL,
    TRADE_CORRECT,
    Desk,
    NewOrder,
    strategy_scope,
)
from tidegate.v1 import common_pb2, orders_pb2


def raised(desk: Desk) -> list[str]:
    """Return the reason codes of all alerts that were raised."""
    return [event.alert_raised.reason_code for event in desk.events("alert_raised")]


def status(desk: Desk, order: NewOrder) -> str:
    """Return an order's status, filled quantity and remainder."""
    found = desk.found(order.client_order_id, order.strategy_id).order
    word = common_pb2.OrderStatus.Name(found.status).removeprefix("ORDER_STATUS_")
    return f"{word} {found.cumulative_quantity} {found.leaves_quantity}"


def figures(desk: Desk, strategy_id: str = "cash") -> list[Decimal]:
    """Return a ledger's position in A, cash, fees and reserved cash."""
    ledger = desk.book.strategies[strategy_id].ledger
    return [desk.position(strategy_id), ledger.cash, ledger.fees, ledger.reserved_cash]


def working(desk: Desk, quantity: str = "10") -> tuple[NewOrder, str]:
    """Let strategy cash buy A; return the order and its id."""
    order = desk.order("cash", BUY, quantity, "A")
    return order, desk.submit(order).order_id


def test_a_bust_undoes_a_fill_and_the_order_works_on(desk: Desk) -> None:
    """Pins quantity, cash, fee and reservation before and after, also over a restart."""
    order, order_id = working(desk)
    desk.fill(order_id, "1", "99", fee="0.5")
    before = figures(desk)
    wrong = desk.trade(order_id, "4", "101", fee="2.25")
    desk.report(wrong)
    assert [Decimal(5), Decimal("49494.25"), Decimal("2.75"), Decimal(500)] == figures(desk)
    desk.report(desk.bust(wrong))
    assert (before, "PARTIALLY_FILLED 1 9") == (figures(desk), status(desk, order))
    assert ("0", []) == (desk.conserved(), raised(desk))
    assert desk.state() == desk.restarted().state()


def test_a_correction_books_the_right_figures_instead(desk: Desk) -> None:
    """Pins quantity, price and fee of the corrected fill, and that the rest of the order stays reserved."""
    order, order_id = working(desk)
    wrong = desk.trade(order_id, "4", "101", fee="2.25")
    desk.report(wrong, desk.correction(wrong, "3", "100.5", fee="1"))
    assert [Decimal(3), Decimal("49697.5"), Decimal(1), Decimal(700)] == figures(desk)
    assert ("PARTIALLY_FILLED 3 7", "0") == (status(desk, order), desk.conserved())


@pytest.mark.control("conservation")
@pytest.mark.parametrize("correct", [False, True], ids=["bust", "correction"])
@pytest.mark.parametrize(
    "meanwhile",
    [("7", "100.07"), ("-3", "99.01"), ("-10", "98"), ("-33.5", "97.77"), ("50", "101.13")],
    ids=["added", "reduced", "closed", "flipped", "much added"],
)
def test_capital_is_conserved_whatever_happened_since_the_fill(
    desk: Desk, meanwhile: tuple[str, str], *, correct: bool
) -> None:
    """Pins a difference of exactly 0, and the equity that the true fills make, after a split cost too."""
    wrong = desk.trade(desk.buy("margin", "10").order_id, "10", "103.33333333", fee="0.07")
    desk.report(wrong)
    quantity, price = meanwhile
    orphan = desk.trade(desk.move("margin", "1" if quantity[0] != "-" else "-1").order_id, quantity.lstrip("-"), price)
    desk.report(orphan)
    desk.report(desk.correction(wrong, "9", "99.5", fee="-0.01") if correct else desk.bust(wrong))
    fills = [(Decimal(quantity), Decimal(price), Decimal(0))]
    fills += [(Decimal(9), Decimal("99.5"), Decimal("-0.01"))] if correct else []
    equity = Decimal(30_000) + sum((held * (100 - paid) - fee for held, paid, fee in fills), Decimal(0))
    assert ("0", equity) == (desk.conserved(), desk.book.strategies["margin"].ledger.equity)
    assert sum((held for held, _, _ in fills), Decimal(0)) == desk.position("margin")


@pytest.mark.parametrize("again", ["in the same report", "later", "after a restart"])
@pytest.mark.parametrize("first", [TRADE_CANCEL, TRADE_CORRECT])
@pytest.mark.parametrize("second", [TRADE_CANCEL, TRADE_CORRECT])
def test_a_fill_is_taken_back_once(
    desk: Desk, first: orders_pb2.ExecutionType.ValueType, second: orders_pb2.ExecutionType.ValueType, again: str
) -> None:
    """Pins that a second bust or correction has the place 0, is alerted, and books nothing."""
    fill = desk.trade(working(desk)[1], "4", "101")
    desk.report(fill)
    kinds = (first, second)
    one, other = (desk.bust(fill) if kind == TRADE_CANCEL else desk.correction(fill, "3", "100") for kind in kinds)
    if again == "in the same report":
        sequences = desk.report(one, other)
    else:
        sequences = desk.report(one)
        desk = desk.restarted() if again == "after a restart" else desk
        sequences += desk.report(other)
    assert (True, 0) == (sequences[0] > 0, sequences[1])
    assert [Decimal(0 if first == TRADE_CANCEL else 3), "0"] == [desk.position("cash"), desk.conserved()]
    assert ["EXECUTION_REFERENCE_UNKNOWN"] == raised(desk) == [alert.reason_code for alert in desk.alerts()]


def test_a_correction_can_be_taken_back_in_its_turn(desk: Desk) -> None:
    """Pins that a chain of corrections ends with a bust of the last one, and that only the last one can be."""
    order, order_id = working(desk)
    fill = desk.trade(order_id, "4", "101")
    first = desk.correction(fill, "3", "100")
    second = desk.correction(first, "6", "99")
    desk.report(fill, first, second)
    assert (Decimal(6), "PARTIALLY_FILLED 6 4") == (desk.position("cash"), status(desk, order))
    assert [0, 0] == desk.report(desk.bust(first), desk.bust(fill))
    desk.report(desk.bust(second))
    assert (Decimal(0), "NEW 0 10", "0") == (desk.position("cash"), status(desk, order), desk.conserved())
    assert [Decimal(0), Decimal(50_000), Decimal(0), Decimal(1000)] == figures(desk)


@pytest.mark.parametrize("correct", [False, True], ids=["bust", "correction"])
@pytest.mark.parametrize("order_id", ["", "999", "not-ours"])
def test_a_fill_in_suspense_is_taken_back_there(desk: Desk, order_id: str, *, correct: bool) -> None:
    """Pins that whose the fill was, it is, with its own symbol and side."""
    orphan = desk.trade(order_id, "3", "100", fee="1")
    orphan.symbol, orphan.side = "Z", SELL
    desk.report(orphan)
    desk.report(desk.correction(orphan, "2", "90") if correct else desk.bust(orphan))
    ledger = desk.book.strategies[""].ledger
    expected = (Decimal(-2), Decimal(180)) if correct else (Decimal(0), Decimal(0))
    assert (*expected, Decimal(0)) == (desk.position("", "Z"), ledger.cash, ledger.fees)
    assert ("0", ["EXECUTION_OF_UNKNOWN_ORDER"]) == (desk.conserved(), raised(desk))
    assert ledger == desk.restarted().book.strategies[""].ledger


def test_an_order_that_comes_later_is_not_touched_by_a_bust_in_suspense(desk: Desk) -> None:
    """Pins that an id which a stray fill happened to name makes it no fill of the order that got the id later."""
    orphan = desk.trade(str(desk.book.sequence + 3), "3", "100")
    orphan.symbol, orphan.side = "A", BUY
    desk.report(orphan)
    order, order_id = working(desk)
    assert orphan.order_id == order_id
    desk.fill(order_id, "4", "100")
    desk.report(desk.bust(orphan))
    assert ("PARTIALLY_FILLED 4 6", Decimal(4)) == (status(desk, order), desk.position("cash"))
    assert (Decimal(0), "0") == (desk.position("", "A"), desk.conserved())
    desk.report(desk.execution(order_id, CANCELED))
    assert "CANCELED 4 0" == status(desk.restarted(), order)


@pytest.mark.parametrize("end", ["filled", "canceled"])
def test_a_bust_of_a_done_order_moves_the_books_and_revives_nothing(desk: Desk, end: str) -> None:
    """Pins the position, that nothing is reserved, and that an order without its fills is not called filled."""
    order, order_id = working(desk)
    fill = desk.trade(order_id, "10" if end == "filled" else "4", "100")
    desk.report(fill)
    if end == "canceled":
        desk.report(desk.execution(order_id, CANCELED))
    desk.report(desk.bust(fill))
    assert [Decimal(0), Decimal(50_000), Decimal(0), Decimal(0)] == figures(desk)
    assert ({}, "CANCELED 0 0") == (desk.book.orders, status(desk, order))
    assert (desk.state(), "CANCELED 0 0") == (desk.restarted().state(), status(desk.restarted(), order))
    assert ("0", []) == (desk.conserved(), raised(desk))


@pytest.mark.parametrize("reference", ["none", "a report of no fill", "a bust", "another account's fill"])
@pytest.mark.parametrize("correct", [False, True], ids=["bust", "correction"])
def test_a_reference_that_is_no_fill_takes_nothing_back(desk: Desk, reference: str, *, correct: bool) -> None:
    """Pins the place 0 and one alert, that the rest of the report is booked, and that it may be sent again."""
    order_id = working(desk)[1]
    fill, other = desk.trade(order_id, "1", "100"), desk.trade(order_id, "2", "100")
    taken, confirmed = desk.bust(other), desk.execution(order_id, NEW)
    desk.report(fill, other, taken, confirmed)
    missing = desk.trade(order_id, "9", "9")
    found = {"none": missing, "a report of no fill": confirmed, "a bust": taken, "another account's fill": fill}
    report = desk.correction(found[reference], "5", "5") if correct else desk.bust(found[reference])
    message = orders_pb2.ReportExecutionsRequest(
        account="u2" if reference.startswith("another") else "u1",
        adapter="paper",
        executions=[report, desk.trade(order_id, "3", "100")],
    )
    sequences = desk.ask("ReportExecutions", message, orders_pb2.ReportExecutionsResponse).sequences
    assert (0, True, Decimal(4)) == (sequences[0], sequences[1] > 0, desk.position("cash"))
    assert ["EXECUTION_REFERENCE_UNKNOWN"] == raised(desk)
    assert 0 == desk.report(report)[0] if not reference.startswith("another") else True


def test_a_repeated_bust_is_answered_as_before(desk: Desk) -> None:
    """Pins that a retry is no second bust, even worded anew, and that other figures are."""
    fill = desk.trade(working(desk)[1], "4", "101")
    bust, correction = desk.bust(fill), desk.correction(fill, "3", "100")
    (_, first) = desk.report(fill, bust)
    bust.text, bust.order_id = "again", fill.order_id
    assert [first] == desk.report(bust) == desk.restarted().report(bust)
    desk = desk.restarted()
    correction.execution_id = bust.execution_id
    assert [0] == desk.report(correction)
    assert (["EXECUTION_ID_REUSED"], Decimal(0)) == (raised(desk), desk.position("cash"))


@pytest.mark.parametrize(
    ("quantity", "expected", "alerts"),
    [("9", "PARTIALLY_FILLED 9 1", []), ("10", "FILLED 10 0", []), ("11", "FILLED 11 0", ["EXECUTION_OVERFILL"])],
)
def test_a_correction_may_fill_an_order_and_more(desk: Desk, quantity: str, expected: str, alerts: list[str]) -> None:
    """Pins the end of an order by a correction, and that an overfill is alerted however it is reported."""
    order, order_id = working(desk)
    fill = desk.trade(order_id, "4", "100")
    desk.report(fill, desk.correction(fill, quantity, "100"))
    assert (expected, alerts) == (status(desk, order), raised(desk))
    assert (Decimal(quantity), "0") == (desk.position("cash"), desk.conserved())


def test_a_correction_of_a_done_orders_price_is_nothing_odd(desk: Desk) -> None:
    """Pins that the usual correction, of a price on the evening of the day, alerts nobody."""
    order, order_id = working(desk)
    fill = desk.trade(order_id, "10", "100")
    desk.report(fill)
    desk.report(desk.correction(fill, "10", "99"))
    assert ([], "FILLED 10 0", Decimal(49_010)) == (raised(desk), status(desk, order), figures(desk)[1])


def test_a_bust_is_booked_while_everything_is_halted_and_what_it_breaches_is_recorded(desk: Desk) -> None:
    """Pins that cash from a busted sale that was spent again is a breach with the bust as its cause."""
    desk.hold("cash", "500", "100")
    sale = desk.trade(desk.sell("cash", "500").order_id, "500", "100")
    desk.report(sale)
    desk.hold("cash", "400", "50", symbol="B")
    desk.halt()
    (sequence,) = desk.report(desk.bust(sale))
    breach = desk.events("limit_breached")[-1].limit_breached
    assert ("CASH_NEGATIVE", "-20000", sequence) == (
        breach.violation.reason_code,
        breach.violation.actual,
        breach.cause_sequence,
    )
    assert strategy_scope("cash") == breach.violation.scope


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("reference_execution_id", "", "IDENTIFIER_INVALID"),
        ("reference_execution_id", "a b", "IDENTIFIER_INVALID"),
        ("last_quantity", "1", "QUANTITY_INVALID"),
        ("last_price", "1", "QUANTITY_INVALID"),
        ("fee", "1", "QUANTITY_INVALID"),
        ("execution_type", TRADE_CORRECT, "QUANTITY_INVALID"),
    ],
)
def test_a_malformed_bust_refuses_the_whole_report(desk: Desk, field: str, value: str | int, expected: str) -> None:
    """Pins the reason and the field's place, and that nothing is booked."""
    fill = desk.trade(working(desk)[1], "4", "101")
    bust = desk.bust(fill)
    setattr(bust, field, value)
    message = orders_pb2.ReportExecutionsRequest(account="u1", adapter="paper", executions=[fill, bust])
    reply = desk.reply("ReportExecutions", message)
    assert (expected, True) == (reply.reason, reply.field.startswith("executions[1]"))
    assert Decimal(0) == desk.position("cash")


@pytest.mark.parametrize("kind", [REPLACED, REPLACE_REJECTED])
@pytest.mark.parametrize("state", ["never asked for", "reported before", "done"])
def test_a_report_on_a_replacement_that_nobody_asked_for_is_alerted(
    desk: Desk, state: str, kind: orders_pb2.ExecutionType.ValueType
) -> None:
    """Pins that an order which the broker may work at other figures than the gate knows is called by its name."""
    order, order_id = working(desk)
    if state == "reported before":
        desk.replace(desk.replacement(order, "12"))
        desk.report(desk.execution(order_id, REPLACED))
    elif state == "done":
        desk.fill(order_id, "10", "100")
    desk.report(desk.execution(order_id, kind))
    assert ["EXECUTION_OF_UNKNOWN_REPLACEMENT"] == raised(desk)


def test_a_replacement_that_comes_too_late_is_nothing_odd(desk: Desk) -> None:
    """Pins that a broker which cancels an order and then refuses to replace it alerts nobody; but one that does."""
    order, order_id = working(desk)
    desk.replace(desk.replacement(order, "12"))
    desk.report(desk.execution(order_id, CANCELED), desk.execution(order_id, REPLACE_REJECTED))
    assert [] == raised(desk)
    order, order_id = working(desk)
    desk.replace(desk.replacement(order, "12"))
    desk.report(desk.execution(order_id, CANCELED), desk.execution(order_id, REPLACED))
    assert ["EXECUTION_OF_UNKNOWN_REPLACEMENT"] == raised(desk)
