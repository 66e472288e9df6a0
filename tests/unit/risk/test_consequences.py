"""What follows from a price or a fill: halts, and limits breached by no order, each with its cause."""

from decimal import Decimal

import pytest

from tests.unit.builders import BUY, CANCELED, Desk, action, configuration, strategy_scope
from tests.unit.conftest import OpenDesk
from tidegate.v1 import admin_pb2, common_pb2


def invested(open_desk: OpenDesk, **limits: str) -> Desk:
    """Hold 1,000 A at 100 in a portfolio of 100,000; no strategy's own leverage is in the way."""
    configured = configuration(**limits)
    configured.strategies[1].max_leverage = "10"
    desk = open_desk(configured)
    desk.bar(1, A="100", B="50")
    desk.hold("cash", "400", "100")
    desk.hold("margin", "600", "100")
    return desk


@pytest.mark.control("drawdown", "kill-automatic")
@pytest.mark.parametrize("by", ["bar", "price"])
def test_a_drawdown_halts_on_the_price_that_causes_it(open_desk: OpenDesk, by: str) -> None:
    """Pins the halt, its reason, the cancels that it asks for, and the breach with its cause, in one batch."""
    desk = invested(open_desk, halt_drawdown="0.2")
    desk.buy("cash", "1", "B")
    desk.bar(2, A="80", B="50")
    assert [] == desk.events("trading_halted")
    recorded = desk.book.sequence
    (desk.bar if by == "bar" else desk.price)(3, A="79.99")
    bodies = [event.WhichOneof("body") for event in desk.gate.journal.read(recorded + 1)]
    assert ["trading_halted", "cancel_requested", "limit_breached"] == bodies
    halt = desk.events("trading_halted")[0].trading_halted
    assert ("tidegate", "DRAWDOWN", common_pb2.HALT_LEVEL_HALTED) == (halt.operator, halt.reason_code, halt.level)
    assert "DRAWDOWN" == desk.events("cancel_requested")[0].cancel_requested.reason_code
    assert recorded + 1 == desk.events("limit_breached")[0].limit_breached.cause_sequence


def test_prices_of_one_message_are_judged_together(open_desk: OpenDesk) -> None:
    """Pins that a fall and a rise in one bar are one state."""
    desk = open_desk(configuration(halt_drawdown="0.2"))
    desk.bar(1, A="100", B="50")
    desk.hold("cash", "400", "100")
    desk.hold("margin", "-500", "50", "B")
    desk.bar(2, A="40", B="40")
    assert common_pb2.HALT_LEVEL_ACTIVE == desk.level()


def test_a_drawdown_turns_reduce_only_into_a_halt_but_records_no_second_one(open_desk: OpenDesk) -> None:
    """Pins that a standing halt of the portfolio is not repeated with every price."""
    desk = invested(open_desk, halt_drawdown="0.2")
    desk.halt(level=common_pb2.HALT_LEVEL_REDUCE_ONLY)
    for day, price in ((2, "79"), (3, "78"), (4, "70")):
        desk.bar(day, A=price)
    assert (common_pb2.HALT_LEVEL_HALTED, 2) == (desk.level(), len(desk.events("trading_halted")))


@pytest.mark.control("kill-automatic")
def test_a_fill_can_halt(open_desk: OpenDesk) -> None:
    """Pins that a ruinous fee is judged like a price."""
    desk = invested(open_desk, halt_drawdown="0.2")
    desk.fill(desk.buy("cash", "1", "B").order_id, "1", "50", fee="20000.01")
    assert common_pb2.HALT_LEVEL_HALTED == desk.level()


@pytest.mark.control("breaches")
@pytest.mark.parametrize(("name", "reason"), [("max_leverage", "LEVERAGE"), ("max_concentration", "CONCENTRATION")])
def test_a_breach_by_a_price_is_recorded_once_and_its_end_too(open_desk: OpenDesk, name: str, reason: str) -> None:
    """Pins cause, figures and the way back, with the same state after a restart."""
    desk = open_desk(configuration(**{name: "0.5"}))
    desk.bar(1, A="100")
    desk.hold("margin", "-500", "100")
    cause = desk.bar(2, A="101")
    desk.bar(3, A="102")
    (breach,) = desk.events("limit_breached")
    assert (reason, cause) == (breach.limit_breached.violation.reason_code, breach.limit_breached.cause_sequence)
    assert ("49750", "50500") == (breach.limit_breached.violation.limit, breach.limit_breached.violation.actual)
    assert desk.book.breaches == desk.restarted().book.breaches != {}
    desk = desk.restarted()
    desk.bar(4, A="99")
    assert ([reason], {}) == ([e.limit_restored.reason_code for e in desk.events("limit_restored")], desk.book.breaches)


def test_a_breach_that_grows_more_severe_is_recorded_again(open_desk: OpenDesk) -> None:
    """Pins one event for each of warn, reject and halt."""
    desk = invested(open_desk, warn_drawdown="0.1", max_drawdown="0.15", halt_drawdown="0.2")
    for day, price in enumerate(("95", "89", "88", "84", "83", "79", "78"), start=2):
        desk.bar(day, A=price)
    actions = [common_pb2.Action.Name(e.limit_breached.violation.action) for e in desk.events("limit_breached")]
    assert ["ACTION_WARN", "ACTION_REJECT", "ACTION_HALT"] == actions


def test_a_reset_that_rebases_ends_the_drawdowns_breach(open_desk: OpenDesk) -> None:
    """Pins that the breach is over with the high-water mark that it was measured from."""
    desk = invested(open_desk, halt_drawdown="0.2")
    desk.bar(2, A="79")
    request = admin_pb2.ResetHaltRequest(
        operator="ann", reason="reviewed", high_water_mark=admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE
    )
    desk.ask("ResetHalt", request, admin_pb2.ResetHaltResponse)
    assert ({}, Decimal(79_000)) == (desk.book.breaches, desk.book.high_water_mark)
    assert "DRAWDOWN" == desk.events("limit_restored")[-1].limit_restored.reason_code


@pytest.mark.control("breaches")
def test_an_orphan_fill_can_breach_a_limit(open_desk: OpenDesk) -> None:
    """Pins that the suspense ledger's exposure counts."""
    desk = open_desk(configuration(max_leverage="0.5"))
    desk.bar(1, A="100")
    execution = desk.trade("", "501", "100")
    execution.symbol, execution.side = "A", BUY
    (cause,) = desk.report(execution)
    assert cause == desk.events("limit_breached")[0].limit_breached.cause_sequence
    assert "REJECT LEVERAGE" == action(desk.buy("cash", "1"))


def test_a_cash_strategy_below_zero_is_recorded_until_a_transfer_mends_it(desk: Desk) -> None:
    """Pins a price that slipped past the cash, and the end of the breach."""
    desk.fill(desk.buy("cash", "500").order_id, "500", "100.01")
    breach = desk.events("limit_breached")[0].limit_breached.violation
    assert ("CASH_NEGATIVE", "-5", strategy_scope("cash")) == (breach.reason_code, breach.actual, breach.scope)
    request = admin_pb2.TransferCapitalRequest(
        transfer_id="t1", to_strategy_id="cash", amount="5", operator="ann", reason="mend"
    )
    desk.ask("TransferCapital", request, admin_pb2.TransferCapitalResponse)
    assert ({}, 1) == (desk.book.breaches, len(desk.events("limit_restored")))


def test_a_margin_strategy_over_its_own_leverage_is_recorded_until_the_price_is_back(desk: Desk) -> None:
    """Pins that a price can breach a strategy's own limit, with the event that did it as the cause."""
    desk.bar(11, A="100")
    desk.hold("margin", "600", "100")
    desk.bar(12, A="100")
    assert {} == desk.book.breaches
    desk.bar(13, A="99.99")
    breach = desk.events("limit_breached")[0]
    assert ("CAPITAL", strategy_scope("margin")) == (
        breach.limit_breached.violation.reason_code,
        breach.limit_breached.violation.scope,
    )
    assert breach.sequence - 1 == breach.limit_breached.cause_sequence
    desk.bar(14, A="100")
    assert {} == desk.book.breaches


def test_the_breach_of_a_closed_position_ends_with_it_even_at_equity_below_zero(open_desk: OpenDesk) -> None:
    """Pins that no breach of an instrument that nobody holds stands for ever."""
    desk = open_desk(configuration(max_concentration="1"))
    desk.bar(1, A="100", B="50")
    desk.hold("margin", "-500", "100")
    desk.bar(2, A="301", B="50")
    assert {"CONCENTRATION", "CAPITAL"} == {reason for reason, _ in desk.book.breaches}
    desk.fill(desk.buy("margin", "500").order_id, "500", "301")
    assert {} == desk.book.breaches


def test_a_report_without_figures_about_an_unknown_order_breaches_nothing(desk: Desk) -> None:
    """Pins that a cancel of an order never seen is recorded, and is about no instrument."""
    desk.report(desk.execution("999", CANCELED))
    assert ({}, []) == (desk.book.breaches, desk.events("limit_breached"))
    assert "" == desk.events("execution_booked")[0].execution_booked.strategy_id


def test_a_fall_in_equity_is_held_against_every_instrument_and_not_only_the_one_that_caused_it(
    open_desk: OpenDesk,
) -> None:
    """Pins that 30,000 of 100,000 in B breach 30% by a fee of a fill in A, and that no look is needed before."""
    desk = open_desk(configuration(max_concentration="0.3"))
    desk.bar(1, A="100", B="50")
    desk.hold("cash", "600", "50", "B")
    order_id = desk.buy("cash", "10").order_id
    desk.fill(order_id, "5", "100")
    assert {} == desk.book.breaches
    desk.fill(order_id, "5", "100", fee="0.01")
    assert ["B"] == [scope.name for _, scope in desk.book.breaches]
    assert Decimal(30_000) == desk.book.totals.exposure_bound
    desk.bar(2, B="49")
    assert {} == desk.book.breaches
