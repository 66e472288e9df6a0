"""A broker's statement against the books of its account: what differs, what it halts, what is only in flight."""

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from tests.unit.builders import (
    BUY,
    CANCELED,
    FIRST_DAY_S,
    NEW,
    PORTFOLIO,
    SELL,
    Desk,
    NewOrder,
    configuration,
    instrument_scope,
    limit,
    strategy_scope,
)
from tests.unit.conftest import OpenDesk
from tidegate.reasons import Reason
from tidegate.risk import broker_account, reconciliation
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, orders_pb2, portfolio_pb2
from tidegate.v1 import reconciliation_pb2 as wire

HALTED, REDUCE_ONLY = common_pb2.HALT_LEVEL_HALTED, common_pb2.HALT_LEVEL_REDUCE_ONLY


@pytest.fixture
def configured() -> journal_pb2.PortfolioConfigured:
    """Configure the desk's portfolio with an account of adapter paper, at 10,000."""
    configured = configuration()
    account = configured.accounts.add(account="u1", adapter="paper", in_flight_s=60)
    account.cash.add(currency="USD", amount="10000")
    return configured


@pytest.fixture
def desk(open_desk: OpenDesk, configured: journal_pb2.PortfolioConfigured) -> Desk:
    """Open a desk with that account, A at 100, B at 50 and F at 20."""
    return priced(open_desk(configured))


def priced(desk: Desk) -> Desk:
    """Publish the first bar."""
    desk.bar(1, A="100", B="50", F="20")
    return desk


def statement(
    positions: dict[str, str], cash: dict[str, str] | None = None, **fields: Any
) -> wire.ReconcilePositionsRequest:
    """Write a statement of the first bar's time; without orders unless some are given."""
    whole: dict[str, Any] = {"time": Timestamp(seconds=FIRST_DAY_S), "operator": "paper", "adapter": "paper"}
    whole |= {"without_orders": "orders" not in fields} | fields
    return wire.ReconcilePositionsRequest(
        account="u1",
        positions=[wire.StatedPosition(symbol=symbol, quantity=quantity) for symbol, quantity in positions.items()],
        cash=[wire.StatedCash(currency=currency, amount=amount) for currency, amount in (cash or {}).items()],
        **whole,
    )


def reconcile(desk: Desk, request: wire.ReconcilePositionsRequest) -> wire.ReconcilePositionsResponse:
    """Hand a statement in."""
    return desk.ask("ReconcilePositions", request, wire.ReconcilePositionsResponse)


def found(response: wire.ReconcilePositionsResponse) -> list[str]:
    """Write each difference as one line: kind, what it is about, ours, the broker's, the difference; ! for a break."""
    lines = []
    for one in response.differences:
        kind = wire.DifferenceKind.Name(one.kind).removeprefix("DIFFERENCE_KIND_")
        name = " ".join(filter(None, [one.order_id, one.broker_order_id, one.symbol, one.currency]))
        mark = "!" if one.is_break else ""
        lines.append(f"{kind}{mark} {name}: {one.ours} {one.stated} {one.difference}")
    assert len(lines) == response.difference_count
    assert sum(one.is_break for one in response.differences) == response.break_count
    return lines


def stated(order_id: str, filled: str, left: str, **fields: Any) -> wire.StatedOrder:
    """Write an open order."""
    return wire.StatedOrder(order_id=order_id, cumulative_quantity=filled, leaves_quantity=left, **fields)


def working(desk: Desk, quantity: str = "10", symbol: str = "A") -> tuple[NewOrder, str]:
    """Let strategy cash buy at 100, and the broker have the order; return it with its id."""
    order = limit(desk.order("cash", BUY, quantity, symbol), "100")
    order_id = desk.submit(order).order_id
    desk.claim(order_id)
    desk.report(desk.execution(order_id, NEW))
    return order, order_id


def reasons(desk: Desk) -> list[str]:
    """Return the reason codes of all alerts that were raised."""
    return [event.alert_raised.reason_code for event in desk.events("alert_raised")]


def accounts(desk: Desk) -> portfolio_pb2.AccountState:
    """Ask for the one account."""
    response = desk.ask("ListAccounts", portfolio_pb2.ListAccountsRequest(), portfolio_pb2.ListAccountsResponse)
    (account,) = response.accounts
    return account


def test_a_statement_that_is_what_went_through_the_account_is_clean(desk: Desk) -> None:
    """Pins positions of all strategies and of suspense together, cash with fees, and the small record of it."""
    desk.hold("cash", "10", "100")
    desk.hold("margin", "-4", "101")
    stray = desk.trade("", "3", "50", "0.25")
    stray.symbol, stray.side = "B", BUY
    desk.report(stray)
    request = statement({"A": "6", "B": "3"}, {"USD": "9253.75"}, orders=[])
    assert [] == found(reconcile(desk, request))
    (event,) = desk.events("positions_reconciled")
    recorded = event.positions_reconciled
    assert ("u1", "paper", 2, 1, 0) == (
        recorded.account,
        recorded.operator,
        recorded.positions,
        recorded.currencies,
        recorded.difference_count,
    )
    assert event.ByteSize() < 64
    assert request.time == accounts(desk).clean_time
    assert Reason.RECONCILED not in reasons(desk)


def test_every_difference_is_listed_to_the_unit(desk: Desk) -> None:
    """Pins what only we have, what only the broker has, what both have, and cash: ours, its, its less ours."""
    desk.hold("cash", "10", "100")
    desk.hold("cash", "2", "50", "B")
    response = reconcile(desk, statement({"A": "9", "F": "-0.5"}, {"USD": "8900.01", "EUR": "7"}))
    assert [
        "POSITION! A: 10 9 -1",
        "POSITION! B: 2 0 -2",
        "POSITION! F: 0 -0.5 -0.5",
        "CASH! EUR: 0 7 7",
        "CASH! USD: 8900 8900.01 0.01",
    ] == found(response)
    (event,) = desk.events("positions_reconciled")
    assert list(response.differences) == list(event.positions_reconciled.differences)
    assert [Reason.RECONCILIATION_BREAK] == reasons(desk)
    assert "account u1: position A: 10 here, 9 at the broker; and 4 more" == desk.alerts()[0].text


def test_cash_is_held_against_the_digits_that_money_has_or_the_statement_states(desk: Desk) -> None:
    """Pins half a cent: nothing in a statement in cents, and a difference in one that states more."""
    desk.hold("cash", "1", "100.005")
    assert [] == found(reconcile(desk, statement({"A": "1"}, {"USD": "9900.00"})))
    assert ["CASH! USD: 9899.995 9899.994 -0.001"] == found(reconcile(desk, statement({"A": "1"}, {"USD": "9899.994"})))


def test_a_statement_without_cash_or_orders_compares_neither(desk: Desk) -> None:
    """Pins that what a statement does not cover is no difference, and is not counted as compared."""
    working(desk)
    desk.hold("cash", "1", "100", "B")
    assert [] == found(reconcile(desk, statement({"B": "1"})))
    recorded = desk.events("positions_reconciled")[0].positions_reconciled
    assert (1, 0, 0) == (recorded.positions, recorded.currencies, recorded.orders)


def test_a_fill_that_the_broker_has_and_has_not_reported_is_in_flight(desk: Desk) -> None:
    """Pins order, position and cash, no break and no halt but an alert; once reported, the next one is clean."""
    _, order_id = working(desk)
    desk.fill(order_id, "2", "100")
    request = statement({"A": "5"}, {"USD": "9500"}, orders=[stated(order_id, "5", "5")], halt_level=HALTED)
    response = reconcile(desk, request)
    assert [
        f"ORDER_FILL_IN_FLIGHT {order_id} A: 2 5 3",
        "POSITION_IN_FLIGHT A: 2 5 3",
        "CASH_IN_FLIGHT USD: 9800 9500 -300",
    ] == found(response)
    assert ([], common_pb2.HALT_LEVEL_ACTIVE) == (list(response.halts), desk.level())
    desk.fill(order_id, "3", "100")
    assert [] == found(reconcile(desk, request))
    assert [Reason.RECONCILIATION_IN_FLIGHT, Reason.RECONCILED] == reasons(desk)


def test_what_a_fill_in_flight_does_not_explain_is_a_break(desk: Desk) -> None:
    """Pins that an order's missing report excuses its own quantity and symbol, and no other."""
    _, order_id = working(desk)
    orders = [stated(order_id, "5", "5")]
    assert [
        "POSITION! A: 0 6 6",
        "POSITION! B: 0 1 1",
        f"ORDER_FILL_IN_FLIGHT {order_id} A: 0 5 5",
    ] == found(reconcile(desk, statement({"A": "6", "B": "1"}, orders=orders)))
    response = reconcile(desk, statement({"A": "5"}, {"USD": "9500", "EUR": "1"}, orders=orders))
    assert "CASH! EUR: 0 1 1" == found(response)[0]


def test_an_order_that_is_gone_at_the_broker_may_be_filled_up_to_what_was_left_of_it(desk: Desk) -> None:
    """Pins an end in flight: any part of the order explains a position, more than the order does not."""
    _, order_id = working(desk)
    gone = f"ORDER_NOT_AT_BROKER {order_id} A: 10 0 -10"
    for held in ("1", "10"):
        response = reconcile(desk, statement({"A": held}, orders=[]))
        assert [gone, f"POSITION_IN_FLIGHT A: 0 {held} {held}"] == found(response)
    assert ["POSITION! A: 0 11 11", gone] == found(reconcile(desk, statement({"A": "11"}, orders=[])))
    assert ["POSITION! A: 0 -1 -1", gone] == found(reconcile(desk, statement({"A": "-1"}, orders=[])))
    assert [gone] == found(reconcile(desk, statement({}, orders=[])))


def test_what_stays_in_flight_for_longer_than_it_may_is_a_break(desk: Desk) -> None:
    """Pins that exactly at the end is none yet, that progress begins anew, and that a restart forgets no age."""
    _, order_id = working(desk)
    orders = [stated(order_id, "5", "5")]
    assert 0 == reconcile(desk, statement({"A": "5"}, orders=orders)).break_count
    desk.wait(60)
    assert 0 == reconcile(desk, statement({"A": "5"}, orders=orders)).break_count
    desk = desk.restarted()
    desk.wait(1)
    request = statement({"A": "5"}, orders=orders, halt_level=REDUCE_ONLY)
    assert [f"ORDER_FILL_IN_FLIGHT! {order_id} A: 0 5 5", "POSITION_IN_FLIGHT! A: 0 5 5"] == found(
        reconcile(desk, request)
    )
    assert REDUCE_ONLY == desk.level()
    desk.fill(order_id, "1", "100")
    now = Timestamp(seconds=FIRST_DAY_S + 61)
    assert [f"ORDER_FILL_IN_FLIGHT {order_id} A: 1 5 4", "POSITION_IN_FLIGHT A: 1 5 4"] == found(
        reconcile(desk, statement({"A": "5"}, orders=orders, time=now))
    )


def test_an_order_that_only_the_broker_has_is_a_break(desk: Desk) -> None:
    """Pins one without an id of ours, one with an id that was never given, and one that is done here."""
    order, order_id = working(desk)
    desk.report(desk.execution(order_id, CANCELED))
    desk.wait(5)
    assert order.client_order_id
    orders = [
        wire.StatedOrder(broker_order_id="b7", symbol="B", side=SELL, leaves_quantity="4"),
        stated("999", "0", "2"),
        stated(order_id, "0", "10"),
    ]
    now = Timestamp(seconds=FIRST_DAY_S + 5)
    assert [
        "ORDER_NOT_OURS! b7 B: 0 4 4",
        "ORDER_NOT_OURS! 999: 0 2 2",
        f"ORDER_NOT_OURS! {order_id}: 0 10 10",
    ] == found(reconcile(desk, statement({}, orders=orders, time=now)))


def test_an_order_with_other_figures_at_the_broker_is_a_break(desk: Desk) -> None:
    """Pins another whole quantity, less filled than was reported, and another instrument or side."""
    _, order_id = working(desk)
    desk.fill(order_id, "4", "100")
    for entry, line in (
        (stated(order_id, "4", "7"), f"ORDER_QUANTITY! {order_id} A: 6 7 1"),
        (stated(order_id, "3", "7"), f"ORDER_QUANTITY! {order_id} A: 4 3 -1"),
        (stated(order_id, "4", "6", symbol="B"), f"ORDER_NOT_OURS! {order_id} B: 0 6 6"),
        (stated(order_id, "4", "6", side=SELL), f"ORDER_NOT_OURS! {order_id}: 0 6 6"),
    ):
        assert [line] == found(reconcile(desk, statement({"A": "4"}, orders=[entry])))
    assert [] == found(
        reconcile(desk, statement({"A": "4"}, orders=[stated(order_id, "4", "6", symbol="A", side=BUY)]))
    )


def test_a_pending_replacement_lets_the_broker_work_either_quantity(desk: Desk) -> None:
    """Pins old and new, and that a third one is a break; also at the replacement's own time."""
    order, order_id = working(desk)
    desk.replace(desk.replacement(order, "15", "100"))
    for left in ("10", "15"):
        assert [] == found(reconcile(desk, statement({}, orders=[stated(order_id, "0", left)])))
    assert 1 == reconcile(desk, statement({}, orders=[stated(order_id, "0", "12")])).break_count


def test_an_overfilled_order_has_nothing_left(desk: Desk) -> None:
    """Pins an order that waits for its replacement's report and was filled further than it was large."""
    order, order_id = working(desk)
    desk.replace(desk.replacement(order, "12", "100"))
    desk.fill(order_id, "11", "100")
    assert [] == found(reconcile(desk, statement({"A": "11"}, orders=[stated(order_id, "11", "0")])))


def test_an_order_that_was_not_sent_yet_is_not_missed_at_the_broker(desk: Desk) -> None:
    """Pins one that nobody claimed, one of another adapter, and one that its submitter sends; only that explains."""
    desk.buy("cash", "1", "B")
    for route in ("other", ""):
        order = desk.order("cash", BUY, "1", "A")
        order.route = route
        desk.submit(order)
    assert [] == found(reconcile(desk, statement({}, orders=[])))
    assert ["POSITION! A: 0 2 2", "POSITION! B: 0 1 1"] == found(reconcile(desk, statement({"A": "2", "B": "1"})))


def test_a_fill_of_an_order_that_its_submitter_sends_is_in_flight_too(desk: Desk) -> None:
    """Pins that such an order, which no statement has to list, explains a position up to its quantity."""
    order = desk.order("cash", BUY, "2", "A")
    order.route = ""
    desk.submit(order)
    assert ["POSITION_IN_FLIGHT A: 0 2 2"] == found(reconcile(desk, statement({"A": "2"}, orders=[])))
    assert ["POSITION! A: 0 3 3"] == found(reconcile(desk, statement({"A": "3"}, orders=[])))


def test_what_came_after_the_statement_is_not_held_against_it(desk: Desk) -> None:
    """Pins positions, cash, an order's fills and its end, by the broker's time and by the journal's sequence."""
    _, order_id = working(desk)
    first = desk.trade(order_id, "4", "100", "1")
    first.time.seconds = FIRST_DAY_S - 1
    second = desk.trade(order_id, "6", "100", "2")
    second.time.seconds = FIRST_DAY_S + 1
    sequence, _ = desk.report(first, second)
    desk.wait(2)
    orders = [stated(order_id, "4", "6")]
    assert [] == found(reconcile(desk, statement({"A": "4"}, {"USD": "9599"}, orders=orders)))
    later = Timestamp(seconds=FIRST_DAY_S + 2)
    by_sequence = statement({"A": "4"}, {"USD": "9599"}, orders=orders, time=later, sequence=sequence)
    assert [] == found(reconcile(desk, by_sequence))
    assert [] == found(reconcile(desk, statement({"A": "10"}, {"USD": "8997"}, time=later, orders=[])))


def test_a_statement_that_is_out_of_its_place_is_refused(
    open_desk: OpenDesk, configured: journal_pb2.PortfolioConfigured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pins older than the last one, than what is remembered, and from the future: recorded, and nothing compared."""
    monkeypatch.setattr(broker_account, "EFFECTS_MAX", 2)
    desk = priced(open_desk(configured))
    first = desk.book.sequence
    reconcile(desk, statement({}))

    def refused(seconds: int, sequence: int = 0) -> str:
        request = statement({}, time=Timestamp(seconds=FIRST_DAY_S + seconds), sequence=sequence)
        return desk.refusal("ReconcilePositions", request)

    future, late = desk.book.sequence + 100, Reason.STATEMENT_OUT_OF_ORDER
    assert [late, "", late, late] == [refused(-1), refused(5), refused(6), refused(0, future)]
    desk.wait(10)
    for _ in range(3):
        desk.hold("cash", "1", "100")
    assert [late, late, ""] == [refused(6), refused(10, first), refused(10)]
    recorded = {event.command_refused.reason_code for event in desk.events("command_refused")}
    assert {Reason.STATEMENT_OUT_OF_ORDER} == recorded


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"account": "u2"}, Reason.ACCOUNT_UNKNOWN),
        ({"adapter": "other"}, Reason.ACCOUNT_UNKNOWN),
        ({"account": ""}, Reason.IDENTIFIER_INVALID),
        ({"operator": ""}, Reason.IDENTIFIER_INVALID),
        ({"time": None}, Reason.TIME_INVALID),
        ({"positions": [wire.StatedPosition(symbol="A", quantity="1e3")]}, Reason.AMOUNT_INVALID),
        ({"positions": [wire.StatedPosition(symbol="A")] * 2}, Reason.STATEMENT_INVALID),
        ({"positions": [wire.StatedPosition()]}, Reason.IDENTIFIER_INVALID),
        ({"cash": [wire.StatedCash(currency="USD", amount="x")]}, Reason.AMOUNT_INVALID),
        ({"cash": [wire.StatedCash(currency="USD")] * 2}, Reason.STATEMENT_INVALID),
        ({"cash": [wire.StatedCash(currency="USD")] * 201}, Reason.BATCH_TOO_LARGE),
        ({"orders": [wire.StatedOrder(order_id="3")] * 2}, Reason.STATEMENT_INVALID),
        ({"orders": [wire.StatedOrder(symbol="A")]}, Reason.IDENTIFIER_INVALID),
        ({"orders": [wire.StatedOrder(order_id="3", leaves_quantity="-")]}, Reason.AMOUNT_INVALID),
        ({"halt_level": common_pb2.HALT_LEVEL_ACTIVE}, Reason.HALT_LEVEL_INVALID),
        ({"halt_scope": strategy_scope("nobody"), "halt_level": HALTED}, Reason.SCOPE_INVALID),
    ],
)
def test_a_malformed_statement_is_refused_at_the_door(desk: Desk, change: dict[str, Any], reason: Reason) -> None:
    """Pins the code, and that nothing is recorded."""
    base: dict[str, Any] = {
        "account": "u1",
        "adapter": "paper",
        "operator": "ann",
        "time": Timestamp(seconds=FIRST_DAY_S),
    }
    before = desk.book.sequence
    assert reason == desk.refusal("ReconcilePositions", wire.ReconcilePositionsRequest(**(base | change)))
    assert before == desk.book.sequence


def test_a_break_halts_what_the_portfolio_file_says_once_and_again_after_a_reset(
    open_desk: OpenDesk, configured: journal_pb2.PortfolioConfigured
) -> None:
    """Pins scope, level, code and text, and that a standing halt is not repeated."""
    configured.accounts[0].halt_level = HALTED
    configured.accounts[0].halt_scope.CopyFrom(instrument_scope("A"))
    desk = priced(open_desk(configured))
    order, _ = working(desk)
    (halt,) = reconcile(desk, statement({"A": "-1"})).halts
    assert (instrument_scope("A"), HALTED, "tidegate", Reason.RECONCILIATION_BREAK) == (
        halt.scope,
        halt.level,
        halt.operator,
        halt.reason_code,
    )
    assert "account u1: position A: 0 here, -1 at the broker" == halt.reason
    assert common_pb2.ORDER_STATUS_PENDING_CANCEL == desk.found(order.client_order_id).order.status
    assert [] == list(reconcile(desk, statement({"A": "-1"})).halts)
    reset = admin_pb2.ResetHaltRequest(scope=instrument_scope("A"), operator="ann", reason="seen")
    desk.ask("ResetHalt", reset, admin_pb2.ResetHaltResponse)
    assert 1 == len(reconcile(desk, statement({"A": "-1"})).halts)
    assert 2 == len(desk.events("trading_halted"))
    assert desk.state() == desk.restarted().state()


def test_a_statement_may_ask_for_a_halt_beside_the_portfolio_file_s(
    open_desk: OpenDesk, configured: journal_pb2.PortfolioConfigured
) -> None:
    """Pins both scopes, the more severe of two levels of one scope, and none without a break."""
    configured.accounts[0].halt_level = REDUCE_ONLY
    desk = priced(open_desk(configured))
    asked: dict[str, Any] = {"halt_level": HALTED, "halt_scope": strategy_scope("cash")}
    assert [] == list(reconcile(desk, statement({}, **asked)).halts)
    halts = [(halt.scope, halt.level) for halt in reconcile(desk, statement({"A": "1"}, **asked)).halts]
    assert [(PORTFOLIO, REDUCE_ONLY), (strategy_scope("cash"), HALTED)] == halts
    assert [(PORTFOLIO, HALTED)] == [
        (h.scope, h.level) for h in reconcile(desk, statement({"A": "1"}, halt_level=HALTED)).halts
    ]


def test_the_same_differences_are_alerted_once_and_other_ones_again(desk: Desk) -> None:
    """Pins a broker that states the same break every minute, one that moves, and the end of it."""
    for held in ("1", "1", "2", "2"):
        reconcile(desk, statement({"A": held}))
    assert [Reason.RECONCILIATION_BREAK] * 2 == reasons(desk)
    reconcile(desk, statement({}))
    reconcile(desk, statement({}))
    assert [Reason.RECONCILIATION_BREAK] * 2 + [Reason.RECONCILED] == reasons(desk)
    assert "account u1 is what its broker states, again" == desk.alerts()[0].text
    assert 6 == len(desk.events("positions_reconciled"))


def test_differences_beyond_the_bound_are_counted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins that breaks come first, in the answer and in the journal."""
    monkeypatch.setattr(reconciliation, "DIFFERENCES_MAX", 2)
    _, order_id = working(desk)
    response = reconcile(desk, statement({"B": "1", "F": "2", "Z": "3"}, orders=[stated(order_id, "0", "10")]))
    assert (2, 3, 3) == (len(response.differences), response.difference_count, response.break_count)
    assert 3 == accounts(desk).difference_count


def test_capital_that_is_paid_into_an_account_is_its_cash(desk: Desk) -> None:
    """Pins deposit and withdrawal with an account, one without, an unknown account, and a retry."""
    for method, kind, amount in (
        ("DepositCapital", admin_pb2.DepositCapitalRequest, "500"),
        ("WithdrawCapital", admin_pb2.WithdrawCapitalRequest, "200"),
    ):
        request = kind(transfer_id=method, amount=amount, operator="ann", reason="wire", account="u1")
        assert ["", ""] == [desk.refusal(method, request) for _ in range(2)]
    desk.deposit("1000", "elsewhere")
    assert [] == found(reconcile(desk, statement({}, {"USD": "10300"})))
    unknown = admin_pb2.DepositCapitalRequest(transfer_id="x", amount="1", operator="ann", reason="w", account="u2")
    assert Reason.ACCOUNT_UNKNOWN == desk.refusal("DepositCapital", unknown)


def test_a_bust_and_a_correction_change_the_account_like_the_ledger(desk: Desk) -> None:
    """Pins that what the broker took back is not expected of its statement."""
    decision = desk.buy("cash", "10")
    first, second = desk.trade(decision.order_id, "4", "100", "1"), desk.trade(decision.order_id, "6", "100", "1")
    desk.report(first, second)
    desk.report(desk.bust(first), desk.correction(second, "5", "99", "0.5"))
    assert [] == found(reconcile(desk, statement({"A": "5"}, {"USD": "9504.5"})))


def test_an_assignment_changes_nothing_at_the_broker(desk: Desk) -> None:
    """Pins that a clean account stays clean when a fill leaves suspense for a strategy."""
    stray = desk.trade("", "3", "50", "0.25")
    stray.symbol, stray.side = "B", BUY
    desk.report(stray)
    request = wire.AssignSuspenseRequest(
        account="u1", execution_id=stray.execution_id, strategy_id="margin", operator="ann", reason="hers"
    )
    desk.ask("AssignSuspense", request, wire.AssignSuspenseResponse)
    assert [] == found(reconcile(desk, statement({"B": "3"}, {"USD": "9849.75"})))


def test_only_accounts_of_the_portfolio_file_are_summed(desk: Desk) -> None:
    """Pins that another account's executions are booked, and are no part of this one's sums."""
    order_id = desk.buy("cash", "2").order_id
    report = orders_pb2.ReportExecutionsRequest(
        account="u9", adapter="other", executions=[desk.trade(order_id, "2", "100")]
    )
    desk.ask("ReportExecutions", report, orders_pb2.ReportExecutionsResponse)
    assert [] == list(accounts(desk).positions)
    assert 2 == desk.position("cash")


def test_an_account_is_shown_with_what_its_last_statement_differed_in_also_after_a_restart(desk: Desk) -> None:
    """Pins figures, times and standing differences, and the same once more from the journal."""
    desk.hold("cash", "10", "100")
    request = statement({"A": "10"}, {"USD": "9000"})
    reconcile(desk, request)
    desk.wait(1)
    broken = statement({"A": "9"}, {"USD": "9000"}, time=Timestamp(seconds=FIRST_DAY_S + 1))
    response = reconcile(desk, broken)
    shown = accounts(desk)
    assert ("u1", "paper", 1, 1) == (shown.account, shown.adapter, shown.difference_count, shown.break_count)
    assert [("A", "10")] == [(held.symbol, held.quantity) for held in shown.positions]
    assert [("USD", "9000")] == [(cash.currency, cash.amount) for cash in shown.cash]
    assert (broken.time, request.time) == (shown.statement_time, shown.clean_time)
    assert list(response.differences) == list(shown.differences)
    assert shown == accounts(desk.restarted())


def test_a_portfolio_without_accounts_keeps_no_sums(open_desk: OpenDesk) -> None:
    """Pins that what is not configured is not built, and that a statement is refused."""
    desk = priced(open_desk(configuration()))
    desk.hold("cash", "10", "100")
    assert {} == desk.book.accounts
    assert Reason.ACCOUNT_UNKNOWN == desk.refusal("ReconcilePositions", statement({"A": "10"}))


def test_fx_and_futures_are_the_cash_that_they_move(open_desk: OpenDesk) -> None:
    """Pins both currencies of an fx fill, no position of it, and a future's cash only when it is closed."""
    configured = configuration()
    configured.instruments.add(
        symbol="EURUSD", tick="0.0001", lot="1", multiplier="1", currency="USD", asset_class="fx", buys="EUR"
    )
    configured.instruments.add(symbol="ES", tick="1", lot="1", multiplier="5", currency="USD", asset_class="future")
    configured.currency_rates.add(currency="EUR", symbol="EURUSD")
    configured.accounts.add(account="u1", adapter="paper", in_flight_s=60).cash.add(currency="USD", amount="10000")
    desk = open_desk(configured)
    desk.bar(1, EURUSD="1.1", ES="100")
    desk.hold("margin", "1000", "1.1", "EURUSD")
    desk.hold("margin", "2", "100", "ES")
    assert [] == found(reconcile(desk, statement({"ES": "2"}, {"USD": "8900", "EUR": "1000"})))
    desk.hold("margin", "-1", "110", "ES")
    assert [] == found(reconcile(desk, statement({"ES": "1"}, {"USD": "8950", "EUR": "1000"})))
