"""Operators: halts, resets, transfers of capital, pauses."""

from decimal import Decimal

import pytest

from tests.unit.builders import PORTFOLIO, Desk, action, configuration, instrument_scope, stamp, strategy_scope
from tests.unit.conftest import OpenDesk
from tidegate.v1 import admin_pb2, common_pb2

REDUCE_ONLY = common_pb2.HALT_LEVEL_REDUCE_ONLY
HALTED = common_pb2.HALT_LEVEL_HALTED
ACTIVE = common_pb2.HALT_LEVEL_ACTIVE
KEEP = admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP
REBASE = admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE


def reset_request(
    scope: common_pb2.Scope = PORTFOLIO, choice: admin_pb2.HighWaterMarkChoice.ValueType = KEEP
) -> admin_pb2.ResetHaltRequest:
    """Write a reset."""
    return admin_pb2.ResetHaltRequest(scope=scope, operator="ann", reason="reviewed", high_water_mark=choice)


def transfer(amount: str, source: str = "", target: str = "cash", id_: str = "t1") -> admin_pb2.TransferCapitalRequest:
    """Write a transfer; an empty side is the reserve."""
    return admin_pb2.TransferCapitalRequest(
        transfer_id=id_, from_strategy_id=source, to_strategy_id=target, amount=amount, operator="ann", reason="plan"
    )


@pytest.mark.control("kill-switch", "cancel-all")
@pytest.mark.parametrize(
    ("scope", "canceled"),
    [
        (PORTFOLIO, ["cash A", "cash B", "margin A"]),
        (common_pb2.Scope(), ["cash A", "cash B", "margin A"]),
        (strategy_scope("cash"), ["cash A", "cash B"]),
        (instrument_scope("A"), ["cash A", "margin A"]),
    ],
)
def test_a_halt_asks_to_cancel_what_works_in_its_scope(
    desk: Desk, scope: common_pb2.Scope, canceled: list[str]
) -> None:
    """Pins whose orders are canceled, and that they stay reserved."""
    for strategy_id, symbol in (("cash", "A"), ("cash", "B"), ("margin", "A")):
        desk.buy(strategy_id, "10", symbol)
    reply = desk.halt(scope)
    orders = desk.book.orders.values()
    names = [f"{o.request.strategy_id} {o.request.symbol}" for o in orders if o.cancel_requested]
    assert (canceled, len(canceled)) == (names, reply.cancels_requested)
    assert (3, Decimal(1500)) == (len(orders), desk.book.strategies["cash"].ledger.reserved_cash)


def test_a_reduce_only_halt_cancels_nothing(desk: Desk) -> None:
    """Pins that the mild level leaves working orders alone."""
    desk.buy("cash", "10")
    assert 0 == desk.halt(level=REDUCE_ONLY).cancels_requested
    assert [] == desk.events("cancel_requested")


def test_a_halt_raises_the_level_and_never_lowers_it(desk: Desk) -> None:
    """Pins that a milder or equal halt answers with the one that stands, and records nothing."""
    desk.halt(level=REDUCE_ONLY)
    severe = desk.halt(level=common_pb2.HALT_LEVEL_UNSPECIFIED).halt
    assert (HALTED, "ann", "OPERATOR_HALT", stamp(1)) == (
        severe.level,
        severe.operator,
        severe.reason_code,
        severe.time,
    )
    assert severe == desk.halt(level=REDUCE_ONLY).halt == desk.halt().halt
    assert (HALTED, 2) == (desk.level(), len(desk.events("trading_halted")))


@pytest.mark.control("halt-is-final")
def test_a_halt_survives_a_restart(desk: Desk) -> None:
    """Pins that only a reset ends a halt."""
    desk.halt()
    again = desk.restarted()
    assert (HALTED, "HALT TRADING_HALTED") == (again.level(), action(again.buy("cash", "1")))


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("level", ACTIVE, "HALT_LEVEL_INVALID"),
        ("level", 99, "HALT_LEVEL_INVALID"),
        ("operator", "", "IDENTIFIER_INVALID"),
        ("reason", "", "TEXT_INVALID"),
        ("reason", "  ", "TEXT_INVALID"),
        ("reason", "x" * 501, "TEXT_INVALID"),
    ],
)
def test_a_malformed_halt_is_refused(desk: Desk, field: str, value: str | int, expected: str) -> None:
    """Pins that a halt has a known level, an operator and a reason."""
    request = admin_pb2.HaltRequest(operator="ann", reason="drill")
    setattr(request, field, value)
    assert expected == desk.refusal("Halt", request)
    assert ACTIVE == desk.level()


@pytest.mark.parametrize(("kind", "name"), [(1, "cash"), (2, ""), (2, "nobody"), (3, "Z"), (99, "cash"), (0, "A")])
@pytest.mark.parametrize("method", ["Halt", "ResetHalt"])
def test_a_scope_has_a_known_kind_and_a_name_that_fits(desk: Desk, method: str, kind: int, name: str) -> None:
    """Pins that a halt never lands on something else than was meant."""
    scope = common_pb2.Scope(name=name)
    scope.kind = common_pb2.ScopeKind.ValueType(kind)
    halt = admin_pb2.HaltRequest(scope=scope, operator="ann", reason="drill")
    assert "SCOPE_INVALID" == desk.refusal(method, halt if method == "Halt" else reset_request(scope))


@pytest.mark.parametrize("scope", [PORTFOLIO, strategy_scope("cash"), instrument_scope("A")])
def test_a_reset_lets_trading_go_on_in_its_scope(desk: Desk, scope: common_pb2.Scope) -> None:
    """Pins each scope, and that a second reset says that nothing changed."""
    desk.halt(scope)
    assert "HALT TRADING_HALTED" == action(desk.buy("cash", "1"))
    assert desk.ask("ResetHalt", reset_request(scope), admin_pb2.ResetHaltResponse).changed
    assert "ALLOW" == action(desk.buy("cash", "1"))
    assert not desk.ask("ResetHalt", reset_request(scope), admin_pb2.ResetHaltResponse).changed


def test_a_reset_of_one_scope_leaves_the_others_halted(desk: Desk) -> None:
    """Pins that scopes are reset one by one."""
    desk.halt()
    desk.halt(strategy_scope("cash"))
    desk.ask("ResetHalt", reset_request(), admin_pb2.ResetHaltResponse)
    assert "HALT TRADING_HALTED" == action(desk.buy("cash", "1"))
    assert "ALLOW" == action(desk.buy("margin", "1"))


def test_a_reset_of_the_portfolio_must_choose_about_the_high_water_mark(desk: Desk) -> None:
    """Pins that nobody re-bases by accident."""
    desk.halt()
    undecided = reset_request(choice=admin_pb2.HIGH_WATER_MARK_CHOICE_UNSPECIFIED)
    assert "HIGH_WATER_MARK_UNDECIDED" == desk.refusal("ResetHalt", undecided)
    assert HALTED == desk.level()


@pytest.mark.control("halt-is-final")
@pytest.mark.parametrize(
    ("price", "choice", "expected"),
    [
        ("79.99", KEEP, "RESET_WOULD_HALT_AGAIN"),
        ("79.99", REBASE, ""),
        ("80", KEEP, ""),
        ("0.01", REBASE, ""),
    ],
)
def test_a_reset_that_would_halt_again_is_refused(
    open_desk: OpenDesk, price: str, choice: admin_pb2.HighWaterMarkChoice.ValueType, expected: str
) -> None:
    """Pins the threshold of 80,000, that re-basing is the way out, and that a refusal is recorded."""
    desk = open_desk(configuration(halt_drawdown="0.2"))
    desk.bar(1, A="100")
    desk.hold("cash", "400", "100")
    desk.hold("margin", "600", "100")
    desk.bar(2, A="79.99")
    desk.bar(3, A=price)
    assert expected == desk.refusal("ResetHalt", reset_request(choice=choice))
    assert (HALTED if expected else ACTIVE) == desk.level()
    refused = [event.command_refused.reason_code for event in desk.events("command_refused")]
    assert ([expected] if expected else []) == refused
    peak = desk.book.equity if choice == REBASE else Decimal(100_000)
    assert peak == desk.book.high_water_mark


@pytest.mark.parametrize("price", ["300", "301"], ids=["equity is 0", "equity is below 0"])
@pytest.mark.parametrize("choice", [KEEP, REBASE])
def test_no_reset_at_equity_of_zero_or_less(
    desk: Desk, price: str, choice: admin_pb2.HighWaterMarkChoice.ValueType
) -> None:
    """Pins that a re-based mark of nothing is no way out, even without a drawdown limit."""
    desk.hold("margin", "-500", "100")
    desk.bar(2, A=price)
    desk.halt()
    assert "RESET_WOULD_HALT_AGAIN" == desk.refusal("ResetHalt", reset_request(choice=choice))


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("", "cash", (51_000, 30_000, 19_000)),
        ("cash", "margin", (49_000, 31_000, 20_000)),
        ("margin", "", (50_000, 29_000, 21_000)),
    ],
)
def test_a_transfer_moves_cash_once_and_is_no_performance(
    desk: Desk, source: str, target: str, expected: tuple[int, int, int]
) -> None:
    """Pins all directions, the retry, and that the portfolio's equity stands."""
    first = desk.ask("TransferCapital", transfer("1000", source, target), admin_pb2.TransferCapitalResponse)
    again = desk.restarted()
    assert first == again.ask("TransferCapital", transfer("1000", source, target), admin_pb2.TransferCapitalResponse)
    ledgers = [again.book.strategies[s].ledger for s in ("cash", "margin")]
    assert list(expected) == [*(ledger.cash for ledger in ledgers), again.book.reserve]
    assert (Decimal(100_000), Decimal(0)) == (again.book.equity, sum(ledger.realised_pnl for ledger in ledgers))


@pytest.mark.parametrize(
    ("source", "amount", "expected"),
    [
        ("", "20000", ""),
        ("", "20000.01", "CASH_NOT_AVAILABLE"),
        ("cash", "39000", ""),
        ("cash", "39000.01", "CASH_NOT_AVAILABLE"),
        ("margin", "25000", ""),
        ("margin", "25000.01", "TRANSFER_BREAKS_LIMIT"),
        ("margin", "30000.01", "CASH_NOT_AVAILABLE"),
    ],
)
def test_a_transfer_takes_what_is_free_and_no_more(desk: Desk, source: str, amount: str, expected: str) -> None:
    """Pins reservations, short proceeds and the source's own limit, each to the cent."""
    desk.hold("cash", "100", "100")
    desk.buy("cash", "10")
    desk.hold("margin", "-100", "100")
    request = transfer(amount, source, "margin" if source != "margin" else "cash")
    assert expected == desk.refusal("TransferCapital", request)
    assert (1 if expected else 0) == len(desk.events("command_refused"))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (transfer("1", id_=""), "IDENTIFIER_INVALID"),
        (transfer("0"), "AMOUNT_INVALID"),
        (transfer("-1"), "AMOUNT_INVALID"),
        (transfer(""), "AMOUNT_INVALID"),
        (transfer("NaN"), "AMOUNT_INVALID"),
        (transfer("9" * 40), "AMOUNT_INVALID"),
        (transfer("1", target="nobody"), "STRATEGY_UNKNOWN"),
        (transfer("1", source="cash"), "TRANSFER_TO_ITSELF"),
        (transfer("1", target=""), "TRANSFER_TO_ITSELF"),
    ],
    ids=str,
)
def test_a_malformed_transfer_is_refused_and_not_recorded(
    desk: Desk, request_: admin_pb2.TransferCapitalRequest, expected: str
) -> None:
    """Pins the reason of each."""
    recorded = len(desk.events())
    assert (expected, recorded) == (desk.refusal("TransferCapital", request_), len(desk.events()))


def test_a_transfer_id_stands_for_one_transfer(desk: Desk) -> None:
    """Pins that the same id with another amount moves nothing."""
    desk.ask("TransferCapital", transfer("1"), admin_pb2.TransferCapitalResponse)
    assert "TRANSFER_ID_REUSED" == desk.refusal("TransferCapital", transfer("2"))
    assert Decimal(19_999) == desk.book.reserve


def test_a_paused_strategy_stays_paused_for_its_first_reason_until_it_is_resumed(desk: Desk) -> None:
    """Pins that pausing and resuming twice records once, also over a restart."""
    for reason in ("first", "second"):
        request = admin_pb2.PauseStrategyRequest(strategy_id="cash", operator="ann", reason=reason)
        desk.ask("PauseStrategy", request, admin_pb2.PauseStrategyResponse)
    assert ("first", "STRATEGY_PAUSED") == (desk.book.pauses["cash"].reason, desk.book.pauses["cash"].reason_code)
    assert desk.book.pauses == desk.restarted().book.pauses
    resume = admin_pb2.ResumeStrategyRequest(strategy_id="cash", operator="ann", reason="fixed")
    desk = desk.restarted()
    for _ in range(2):
        desk.ask("ResumeStrategy", resume, admin_pb2.ResumeStrategyResponse)
    assert (0, 1, 1) == (
        len(desk.book.pauses),
        len(desk.events("strategy_paused")),
        len(desk.events("strategy_resumed")),
    )


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("strategy_id", "nobody", "STRATEGY_UNKNOWN"),
        ("operator", "", "IDENTIFIER_INVALID"),
        ("reason", "", "TEXT_INVALID"),
    ],
)
@pytest.mark.parametrize("method", ["PauseStrategy", "ResumeStrategy"])
def test_a_pause_names_a_strategy_an_operator_and_a_reason(
    desk: Desk, method: str, field: str, value: str, expected: str
) -> None:
    """Pins what is refused of both."""
    request = admin_pb2.PauseStrategyRequest(strategy_id="cash", operator="ann", reason="odd")
    setattr(request, field, value)
    assert expected == desk.refusal(method, request)
