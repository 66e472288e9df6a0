"""Capital put into the portfolio and taken out of it: once, never performance, and never what is not there."""

from decimal import Decimal

import pytest
from google.protobuf.message import Message

from tests.unit.builders import BUY, Desk, action, configuration
from tests.unit.conftest import OpenDesk
from tidegate.v1 import actors_pb2, admin_pb2, common_pb2, portfolio_pb2, risk_pb2


def fallen(open_desk: OpenDesk, price: str = "80", **limits: str) -> Desk:
    """Hold 1,000 A, bought at 100, in a portfolio of 100,000 whose reserve is 20,000; then A falls."""
    configured = configuration(**limits)
    configured.strategies[1].max_leverage = "10"
    desk = open_desk(configured)
    desk.bar(1, A="100")
    desk.hold("cash", "400", "100")
    desk.hold("margin", "600", "100")
    desk.bar(2, A=price)
    return desk


def drawdown(desk: Desk) -> str:
    """Return the drawdown as it is shown."""
    request = risk_pb2.GetRiskMetricsRequest()
    return desk.ask("GetRiskMetrics", request, risk_pb2.GetRiskMetricsResponse).drawdown


def total_return(desk: Desk) -> str:
    """Complete the oldest bar; return what the portfolio has made so far."""
    bar = actors_pb2.CompleteBarRequest(bar_sequence=desk.book.next_bar_sequence, seen_sequence=desk.book.sequence)
    desk.ask("CompleteBar", bar, actors_pb2.CompleteBarResponse)
    request = portfolio_pb2.GetPerformanceRequest()
    return desk.ask("GetPerformance", request, portfolio_pb2.GetPerformanceResponse).performance.total_return


@pytest.mark.parametrize(("amount", "expected"), [("5000.5", 25_000.5), ("-5000.5", 14_999.5), ("-20000", 0)])
def test_capital_goes_into_the_reserve_and_out_of_it(desk: Desk, amount: str, expected: float) -> None:
    """Pins reserve, equity, peak and conservation, that it is journaled with its sign, and the same after a restart."""
    equity = Decimal(100_000) + Decimal(amount)
    assert "" == (desk.withdraw(amount[1:]) if amount[0] == "-" else desk.deposit(amount))
    for one in (desk, desk.restarted()):
        assert [Decimal(str(expected)), equity, equity] == [one.book.reserve, one.book.equity, one.book.high_water_mark]
        assert (equity, "0") == (one.book.deposits, one.conserved())
    moved = desk.events("capital_moved")[0].capital_moved
    assert (amount, "ann") == (moved.amount, moved.operator)


@pytest.mark.parametrize("method", ["DepositCapital", "WithdrawCapital"])
def test_a_retry_moves_nothing_twice(desk: Desk, method: str) -> None:
    """Pins that the same id has the same answer, in one batch, later and after a restart."""
    fields = {"transfer_id": "m1", "amount": "100", "operator": "ann", "reason": "plan"}
    request: Message = getattr(admin_pb2, f"{method}Request")(**fields)
    first, again = desk.replies((method, request), (method, request))
    assert ("", first) == (first.reason, again)
    assert first == desk.reply(method, request) == desk.restarted().reply(method, request)
    assert 1 == len(desk.events("capital_moved"))


@pytest.mark.parametrize("first", ["DepositCapital", "WithdrawCapital", "TransferCapital"])
@pytest.mark.parametrize("second", ["DepositCapital", "WithdrawCapital", "TransferCapital"])
def test_an_id_stands_for_one_movement_of_whatever_kind(desk: Desk, first: str, second: str) -> None:
    """Pins that the same id with another amount, direction or kind moves nothing, and the journal tells."""
    desk.refusal(first, movement(first, "100"))
    refused = movement(second, "100" if first != second else "101")
    before = desk.book.reserve
    assert "TRANSFER_ID_REUSED" == desk.refusal(second, refused)
    assert "TRANSFER_ID_REUSED" == desk.restarted().refusal(second, refused)
    assert ("TRANSFER_ID_REUSED", second, "ann") == (
        (told := desk.events("command_refused")[0].command_refused).reason_code,
        told.command,
        told.operator,
    )
    assert before == desk.book.reserve


def movement(method: str, amount: str) -> Message:
    """Write a movement under one id."""
    fields = {"transfer_id": "m1", "amount": amount, "operator": "ann", "reason": "plan"}
    if method == "TransferCapital":
        return admin_pb2.TransferCapitalRequest(**fields, to_strategy_id="cash")
    if method == "DepositCapital":
        return admin_pb2.DepositCapitalRequest(**fields)
    return admin_pb2.WithdrawCapitalRequest(**fields)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("transfer_id", "", "IDENTIFIER_INVALID"),
        ("amount", "", "AMOUNT_INVALID"),
        ("amount", "0", "AMOUNT_INVALID"),
        ("amount", "-1", "AMOUNT_INVALID"),
        ("amount", "--1", "AMOUNT_INVALID"),
        ("amount", "1e3", "AMOUNT_INVALID"),
        ("amount", "9" * 13, "AMOUNT_INVALID"),
        ("operator", "", "IDENTIFIER_INVALID"),
        ("reason", " ", "TEXT_INVALID"),
    ],
)
@pytest.mark.parametrize("method", ["DepositCapital", "WithdrawCapital"])
def test_a_malformed_movement_is_refused_and_not_recorded(
    desk: Desk, method: str, field: str, value: str, expected: str
) -> None:
    """Pins the reason and the field; a negative deposit is no withdrawal."""
    request, recorded = movement(method, "100"), len(desk.events())
    setattr(request, field, value)
    reply = desk.reply(method, request)
    assert (expected, field, recorded) == (reply.reason, reply.field, len(desk.events()))


def test_no_more_is_taken_out_than_the_reserve_has(desk: Desk) -> None:
    """Pins the last cent, and that the refusal is recorded with the figures and moves nothing."""
    assert "CASH_NOT_AVAILABLE" == desk.withdraw("20000.01", "w1")
    refused = desk.events("command_refused")[0].command_refused
    assert "20,000.01 was asked for, and 20,000.00 of the reserve is free" == refused.reason
    assert ("WithdrawCapital", "w1", "ann") == (refused.command, refused.subject, refused.operator)
    assert ["", "CASH_NOT_AVAILABLE"] == [desk.withdraw("20000", "w2"), desk.withdraw("0.00000001", "w3")]


def test_no_more_is_taken_out_than_the_portfolio_is_worth(open_desk: OpenDesk) -> None:
    """Pins that a reserve which covers the strategies' losses is not free: 1,000 A at 10 leave 10,000 of 20,000."""
    desk = fallen(open_desk, "10")
    desk.fill(desk.sell("cash", "400").order_id, "400", "10")
    desk.fill(desk.sell("margin", "600").order_id, "600", "10", fee="5000")
    assert (Decimal(5_000), Decimal(20_000)) == (desk.book.equity, desk.book.reserve)
    assert ["CASH_NOT_AVAILABLE", ""] == [desk.withdraw("5000.01", "w1"), desk.withdraw("5000", "w2")]


@pytest.mark.parametrize("amount", ["20000", "-15000", "0.01", "-0.01", "123456.78", "999999999999"])
@pytest.mark.parametrize("price", ["80", "93.37", "100", "107"])
def test_the_drawdown_stays_what_it_was(open_desk: OpenDesk, price: str, amount: str) -> None:
    """Pins unit NAV: the high-water mark moves in proportion, to the cent, and never up to where it would halt."""
    desk = fallen(open_desk, price, halt_drawdown="0.2")
    equity, peak = desk.book.equity, desk.book.high_water_mark
    assert "" == (desk.withdraw(amount[1:]) if amount[0] == "-" else desk.deposit(amount))
    after = desk.book.equity
    exact = peak * after / equity
    assert Decimal(0) <= exact - desk.book.high_water_mark < Decimal("0.01")
    assert after == equity + Decimal(amount)
    assert ([], common_pb2.HALT_LEVEL_ACTIVE) == (desk.events("trading_halted"), desk.level())


@pytest.mark.parametrize("cents", range(1, 60))
def test_a_deposit_never_halts(open_desk: OpenDesk, cents: int) -> None:
    """Pins equity exactly at the threshold, where a cent that is rounded up would be a halt."""
    desk = fallen(open_desk, "80", halt_drawdown="0.2", max_drawdown="0.15")
    assert [] == desk.events("trading_halted")
    desk.deposit(f"{33 + cents / 100:.2f}")
    desk.bar(3, A="80")
    assert [] == desk.events("trading_halted")


def test_nothing_left_is_no_way_to_forget_a_drawdown(open_desk: OpenDesk) -> None:
    """Pins that where there is no proportion the fall from the peak stays, in money."""
    desk = open_desk(configuration(halt_drawdown="0.2"))
    desk.bar(1, A="100")
    for number, strategy_id in enumerate(("cash", "margin")):
        amount = str(desk.book.strategies[strategy_id].ledger.cash)
        desk.refusal(
            "TransferCapital",
            admin_pb2.TransferCapitalRequest(
                transfer_id=f"t{number}", from_strategy_id=strategy_id, amount=amount, operator="ann", reason="close"
            ),
        )
    orphan = desk.trade("", "1", "0.01", fee="10000")
    orphan.symbol, orphan.side = "A", BUY
    desk.report(orphan)
    lost = desk.book.high_water_mark - desk.book.equity
    assert "" == desk.withdraw(str(desk.book.equity), "w1")
    assert (Decimal(0), lost) == (desk.book.equity, desk.book.high_water_mark)
    assert "" == desk.deposit("90000", "d1")
    assert (Decimal(90_000), 90_000 + lost) == (desk.book.equity, desk.book.high_water_mark)


@pytest.mark.parametrize(("method", "amount"), [("deposit", "50000"), ("withdraw", "10000")])
def test_what_is_put_in_or_taken_out_is_no_performance(desk: Desk, method: str, amount: str) -> None:
    """Pins that the portfolio's return is that of its trades alone, as with a strategy's transfers."""
    desk.hold("cash", "100", "100")
    desk.bar(2, A="110")
    assert "" == getattr(desk, method)(amount)
    assert ["0.010000"] == [total_return(desk) for _ in range(2)][1:]
    desk.bar(3, A="110")
    assert "0.010000" == total_return(desk)


@pytest.mark.parametrize(("name", "reason"), [("max_leverage", "LEVERAGE"), ("max_concentration", "CONCENTRATION")])
def test_a_withdrawal_that_breaches_a_limit_is_recorded_as_its_cause_and_a_deposit_mends_it(
    open_desk: OpenDesk, name: str, reason: str
) -> None:
    """Pins that less equity carries less exposure: 30,000 of 100,000 are within 30%, of 99,999.99 they are not."""
    desk = open_desk(configuration(**{name: "0.3"}))
    desk.bar(1, A="100")
    desk.hold("cash", "300", "100")
    assert {} == desk.book.breaches
    desk.withdraw("0.01")
    breach = desk.events("limit_breached")[0].limit_breached
    assert (reason, desk.events("capital_moved")[0].sequence) == (breach.violation.reason_code, breach.cause_sequence)
    assert reason in [alert.reason_code for alert in desk.alerts()]
    desk.deposit("0.01")
    assert ({}, [reason]) == (desk.book.breaches, [e.limit_restored.reason_code for e in desk.events("limit_restored")])


def test_a_deposit_gives_room_at_once(open_desk: OpenDesk) -> None:
    """Pins that limits are measured by the equity of now, and that a halt stays a halt."""
    desk = open_desk(configuration(max_leverage="0.3"))
    desk.bar(1, A="100")
    assert "REJECT LEVERAGE" == action(desk.buy("cash", "301"))
    desk.deposit("400")
    assert "ALLOW" == action(desk.buy("cash", "301"))
    desk.halt()
    desk.deposit("400000", "d2")
    assert "HALT TRADING_HALTED" == action(desk.buy("cash", "1"))
