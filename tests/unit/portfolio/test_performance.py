"""Performance: returns per bar without transfers, and their statistics."""

from decimal import Decimal
from math import sqrt
from statistics import mean, stdev

import pytest

from tests.unit.builders import Desk, configuration
from tests.unit.conftest import OpenDesk
from tidegate.portfolio.performance import Returns
from tidegate.v1 import actors_pb2, admin_pb2, common_pb2, orders_pb2, portfolio_pb2, risk_pb2

KEEP = admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP
EQUITIES = (101, 99, 103, 98, 98, 110)
RETURNS = [after / before - 1 for before, after in zip((100, *EQUITIES), EQUITIES, strict=False)]


def returns_of(*equities: int) -> Returns:
    """Close bars at these equities, from 100."""
    returns = Returns(Decimal(100))
    for equity in equities:
        returns.close_bar(Decimal(equity))
    return returns


def test_the_sharpe_ratio_is_the_textbooks() -> None:
    """Pins the running moments against the statistics module."""
    found = returns_of(*EQUITIES).sharpe_ratio
    assert found == pytest.approx(mean(RETURNS) / stdev(RETURNS) * sqrt(252), rel=1e-12)


@pytest.mark.parametrize("equities", [(), (101,), (100, 100, 100)], ids=["no bar", "one bar", "no variance"])
def test_a_sharpe_ratio_that_is_undefined_is_none(equities: tuple[int, ...]) -> None:
    """Pins that undefined is never 0."""
    assert returns_of(*equities).sharpe_ratio is None


@pytest.mark.parametrize(
    ("equities", "total", "drawdown"),
    [
        ((101, 99, 103, 98, 98, 110), 0.10, 98 / 103 - 1),
        ((110, 121), 0.21, 0.0),
        ((90, 95, 80), -0.20, -0.20),
        ((50, 0), -1.0, -1.0),
        ((50, -10, 20), -1.0, -1.0),
    ],
)
def test_return_and_drawdown_compound_over_bars(equities: tuple[int, ...], total: float, drawdown: float) -> None:
    """Pins the first bar's own drawdown, and that a series ends at -100%."""
    returns = returns_of(*equities)
    assert returns.index - 1 == pytest.approx(total)
    assert returns.max_drawdown == pytest.approx(drawdown)


@pytest.mark.parametrize("flow", [50, -50])
def test_what_is_put_in_or_taken_out_is_no_return(flow: int) -> None:
    """Pins that 100 that earned 10 is 10%, whatever was transferred in the bar."""
    returns = Returns(Decimal(100))
    returns.flow += flow
    returns.close_bar(Decimal(110 + flow))
    returns.close_bar(Decimal(110 + flow))
    assert 2 == returns.bars
    assert returns.index - 1 == pytest.approx(0.10)


def complete(desk: Desk) -> None:
    """Complete the oldest bar."""
    request = actors_pb2.CompleteBarRequest(bar_sequence=desk.book.next_bar_sequence, seen_sequence=desk.book.sequence)
    desk.ask("CompleteBar", request, actors_pb2.CompleteBarResponse)


def portfolio(desk: Desk) -> portfolio_pb2.GetPortfolioResponse:
    """Ask for the portfolio."""
    return desk.ask("GetPortfolio", portfolio_pb2.GetPortfolioRequest(), portfolio_pb2.GetPortfolioResponse)


def test_orders_rejects_and_fills_are_counted_once_each(desk: Desk) -> None:
    """Pins the counts of a strategy and of the portfolio; retries and repeated reports do not count."""
    order = desk.order("cash", common_pb2.SIDE_BUY, "10", "A")
    fill = desk.trade(desk.submit(order).order_id, "4", "100")
    desk.submit(order)
    desk.report(fill)
    desk.report(fill)
    desk.buy("cash", "9999")
    refused = desk.execution(desk.buy("margin", "1").order_id, orders_pb2.EXECUTION_TYPE_REJECTED)
    desk.report(refused)
    request = portfolio_pb2.ListStrategiesRequest()
    summaries = desk.ask("ListStrategies", request, portfolio_pb2.ListStrategiesResponse).strategies
    counts = [(s.performance.orders, s.performance.rejects, s.performance.fills) for s in summaries]
    assert [(2, 1, 1), (1, 1, 0)] == counts
    whole = portfolio(desk).performance
    assert (3, 2, 1) == (whole.orders, whole.rejects, whole.fills)


def test_a_transfer_is_never_performance(desk: Desk) -> None:
    """Pins that both strategies' returns stay what their trades made."""
    desk.hold("cash", "100", "100")
    move = admin_pb2.TransferCapitalRequest(
        transfer_id="t1",
        from_strategy_id="cash",
        to_strategy_id="margin",
        amount="10000",
        operator="ann",
        reason="plan",
    )
    desk.ask("TransferCapital", move, admin_pb2.TransferCapitalResponse)
    desk.bar(2, A="105")
    complete(desk)
    records = desk.gate.engine.performance.strategies
    assert records["cash"].to_wire().total_return == "0.010000"
    assert records["margin"].to_wire().total_return == "0.000000"
    assert portfolio(desk).performance.total_return == "0.005000"


def test_a_halt_counts_the_bars_completed_since(desk: Desk) -> None:
    """Pins what a scheduled reset goes by."""
    complete(desk)
    desk.halt()
    for day in (2, 3):
        desk.bar(day, A="100")
        complete(desk)
    state = desk.ask("GetHaltState", risk_pb2.GetHaltStateRequest(), risk_pb2.GetHaltStateResponse)
    assert [2] == [halt.bars for halt in state.halts]


def test_halts_and_halted_bars_are_the_portfolios(open_desk: OpenDesk) -> None:
    """Pins that a halt of the portfolio counts once, and each bar completed under it, until the reset."""
    desk = open_desk(configuration())
    for day, act in enumerate(("", "halt", "", "reset", ""), start=1):
        if act == "halt":
            desk.halt()
        elif act == "reset":
            reset = admin_pb2.ResetHaltRequest(operator="ann", reason="reviewed", high_water_mark=KEEP)
            desk.ask("ResetHalt", reset, admin_pb2.ResetHaltResponse)
        desk.bar(day, A="100")
        complete(desk)
    found = portfolio(desk)
    assert (1, 2, 5) == (found.halts, found.halted_bars, found.performance.bars)
    assert desk.book.last_bar.time == found.bar_time
