"""The risk report: every figure against its own calculation, and what is undefined."""

from dataclasses import FrozenInstanceError, fields
from decimal import Decimal
from math import sqrt

import numpy as np
import pytest

from tests.unit.statistics.samples import normal
from tidegate.errors import StatisticsError
from tidegate.statistics.holdings import Holding, summed
from tidegate.statistics.report import RiskReport, Standing, risk_report
from tidegate.statistics.value_at_risk import Method
from tidegate.statistics.vectors import Vector, leave

A, B, MARKET = (normal(300, seed=seed) for seed in (1, 2, 3))
RETURNS = {"KO": A, "XOM": B}
STANDING = Standing(17, Decimal(1_000), Decimal(1_250), Decimal("-0.3"))
HOLDINGS = [
    Holding("trend", "KO", "Consumer", Decimal("600.5")),
    Holding("trend", "XOM", "Energy", Decimal(-400)),
    Holding("value", "KO", "Consumer", Decimal(200)),
]
PROFITS = 800.5 * A - 400.0 * B
# What is estimated of the whole.
ESTIMATES = ("volatility", "var_95", "var_99", "es_95", "es_99", "beta")


def report(
    standing: Standing = STANDING,
    holdings: list[Holding] = HOLDINGS,
    returns: dict[str, Vector] = RETURNS,
    benchmark: Vector | None = MARKET,
) -> RiskReport:
    """Make the report of a small portfolio, one thing changed."""
    lived = {"trend": A, "value": B, "other": A + B}
    return risk_report(standing, holdings, returns, benchmark=benchmark, strategy_returns=lived)


def test_what_is_booked_is_exact() -> None:
    """Pins exposures, leverage, the largest position and the drawdown, to the last digit."""
    made = report()
    assert (17, Decimal(1_000), Decimal("1200.5"), Decimal("400.5")) == (
        made.time_ns,
        made.equity,
        made.gross_exposure,
        made.net_exposure,
    )
    assert (Decimal("1.2005"), "KO", Decimal("0.8005")) == (made.leverage, made.largest_symbol, made.largest_exposure)
    assert (Decimal(1_250), Decimal("-0.2"), Decimal("-0.3")) == (
        made.high_water_mark,
        made.drawdown,
        made.max_drawdown,
    )


def test_a_drawdown_worse_than_any_before_is_the_worst() -> None:
    """Pins that the report does not lag behind itself."""
    made = report(Standing(17, Decimal(500), Decimal(1_000), Decimal("-0.3")))
    assert (Decimal("-0.5"), Decimal("-0.5")) == (made.drawdown, made.max_drawdown)


def test_what_is_estimated_is_of_what_is_held_now() -> None:
    """Pins the figures of the whole, each made by numpy alone."""
    made = report()
    worst = np.sort(PROFITS)
    for confidence, var, es in ((0.95, made.var_95, made.es_95), (0.99, made.var_99, made.es_99)):
        quantile = np.quantile(PROFITS, 1.0 - confidence)
        assert (leave(-quantile), leave(-worst[worst <= quantile].mean())) == (var, es)
    returns = PROFITS / 1_000.0
    assert leave(returns.std(ddof=1) * sqrt(252)) == made.volatility
    assert leave(np.polyfit(MARKET, returns, 1)[0]) == made.beta
    assert 300 == made.sessions


def test_parts_add_up_to_the_whole() -> None:
    """Pins the sums over positions, strategies and sectors, and the order of each table."""
    made = report()
    tables = made.positions, made.strategies, made.sectors
    assert [["KO", "XOM"], ["trend", "value"], ["Consumer", "Energy"]] == [[row.name for row in one] for one in tables]
    assert made.var_95 is not None
    for rows in tables:
        assert made.net_exposure == summed(row.value for row in rows)
        assert made.gross_exposure == summed(row.exposure for row in rows)
        assert abs(made.var_95 - sum(row.component_var or 0 for row in rows)) < Decimal("1e-7")
        assert made.es_95 == pytest.approx(sum(row.component_es or 0 for row in rows), abs=Decimal("1e-7"))


def test_a_marginal_is_per_value_of_a_position_and_per_exposure_of_a_strategy() -> None:
    """Pins what one more unit means, for a short and for a strategy of longs and shorts."""
    made = report()
    short, trend = made.positions[1], made.strategies[0]
    for row, units in ((short, -400.0), (trend, 1000.5)):
        assert row.component_var is not None
        assert pytest.approx(float(row.component_var) / units, abs=1e-7) == float(row.marginal_var or 0)


def test_the_sector_table_has_sizes_and_shares() -> None:
    """Pins one row of it."""
    consumer = report().sectors[0]
    assert (Decimal("800.5"), Decimal("0.8005")) == (consumer.exposure, consumer.share)


def test_correlations_are_of_what_is_held_and_of_what_strategies_made() -> None:
    """Pins both matrices and the average; an instrument that is not held is left out."""
    made = report(returns=RETURNS | {"GE": A})
    assert {("KO", "XOM"): leave(np.corrcoef(A, B)[0, 1])} == made.correlations
    pairs = [np.corrcoef(one, other)[0, 1] for one, other in ((A, B), (A, A + B), (B, A + B))]
    assert [leave(pair) for pair in pairs] == list(made.strategy_correlations.values())
    assert leave(np.mean(pairs)) == made.average_strategy_correlation


def test_an_instrument_without_history_leaves_the_whole_undefined_and_is_named() -> None:
    """Pins that it is not left out in silence: what is booked stays, what is estimated is None."""
    made = report(returns={"KO": A})
    assert ("XOM",) == made.without_history
    assert [None] * len(ESTIMATES) == [getattr(made, name) for name in ESTIMATES]
    assert {None} == {row.component_var for table in (made.positions, made.strategies, made.sectors) for row in table}
    assert Decimal("1200.5") == made.gross_exposure


@pytest.mark.parametrize(("sessions", "defined"), [(59, False), (60, True)])
def test_fewer_than_60_sessions_are_undefined(sessions: int, *, defined: bool) -> None:
    """Pins the boundary for every figure that is estimated."""
    made = report(returns={symbol: one[-sessions:] for symbol, one in RETURNS.items()}, benchmark=MARKET[-sessions:])
    assert [defined] * len(ESTIMATES) == [getattr(made, name) is not None for name in ESTIMATES]
    assert defined is (made.positions[0].marginal_var is not None)


def test_nothing_held_risks_nothing() -> None:
    """Pins an empty portfolio: zeros where zero is true, and no largest position."""
    made = report(holdings=[])
    assert [0, 0, 0, 0, 0, 0] == [getattr(made, name) for name in ESTIMATES]
    assert (None, None, ()) == (made.largest_symbol, made.largest_exposure, made.positions)
    assert Decimal(0) == made.leverage


@pytest.mark.parametrize("equity", [0, -10])
def test_without_equity_shares_are_undefined_and_amounts_are_not(equity: int) -> None:
    """Pins that nothing is divided by what is not there."""
    made = report(Standing(17, Decimal(equity), Decimal(1_250), Decimal(0)))
    assert [None] * 4 == [made.leverage, made.largest_exposure, made.volatility, made.beta]
    assert report().var_95 == made.var_95
    assert made.positions[0].share is None


def test_without_a_benchmark_there_is_no_beta() -> None:
    """Pins that it is undefined, not 0 and not 1."""
    assert report(benchmark=None).beta is None


def test_the_method_is_that_of_every_figure() -> None:
    """Pins that whole and parts are estimated alike."""
    made = risk_report(STANDING, HOLDINGS, RETURNS, method=Method.PARAMETRIC)
    assert leave(1.6448536269514722 * PROFITS.std(ddof=1) - PROFITS.mean()) == made.var_95
    assert made.var_95 == pytest.approx(sum(row.component_var or 0 for row in made.positions), abs=Decimal("1e-7"))


def test_series_that_do_not_match_are_refused() -> None:
    """Pins instruments, benchmark and strategies."""
    with pytest.raises(StatisticsError, match="300, 299"):
        report(returns={"KO": A, "XOM": B[1:]})
    with pytest.raises(StatisticsError, match="300, 299"):
        report(benchmark=MARKET[1:])
    with pytest.raises(StatisticsError, match="no gap"):
        report(returns={"KO": A, "XOM": np.append(B[1:], np.nan)})


def test_the_report_is_one_frozen_value_of_decimals() -> None:
    """Pins that no float leaves the statistics."""
    made = report()
    with pytest.raises(FrozenInstanceError):
        made.leverage = Decimal(0)  # type: ignore[misc]
    figures = [getattr(made, field.name) for field in fields(made)]
    for table in (made.positions, made.strategies, made.sectors):
        figures += [getattr(row, field.name) for row in table for field in fields(row)]
    assert not [figure for figure in figures if isinstance(figure, float)]
