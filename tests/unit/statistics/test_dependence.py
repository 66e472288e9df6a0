"""Volatility, beta and correlation, against known values and scipy."""

from math import sqrt

import numpy as np
import pytest
from scipy.stats import linregress, pearsonr

from tests.unit.statistics.samples import normal
from tidegate.errors import StatisticsError
from tidegate.statistics.dependence import (
    average_correlation,
    beta,
    correlation,
    correlations,
    sharpe_ratio,
    volatility,
)

MARKET = normal(250)
STOCK = 1.5 * MARKET + normal(250, seed=8)
CONSTANT = np.full(250, 0.1)


def test_volatility_is_annualised_by_the_root_of_252() -> None:
    """Pins a series whose deviation is known: one percent up, one percent down."""
    returns = np.tile([0.01, -0.01], 126)
    assert pytest.approx(0.01 * sqrt(252 / 251) * sqrt(252)) == volatility(returns)
    assert 0.0 == volatility(np.zeros(60))


def test_beta_is_the_slope_of_the_regression() -> None:
    """Pins it against scipy, and against what it must be."""
    assert pytest.approx(linregress(MARKET, STOCK).slope) == beta(STOCK, MARKET)
    assert pytest.approx(-2.0) == beta(-2.0 * MARKET, MARKET)


def test_correlation_is_pearsons() -> None:
    """Pins it against scipy, and its ends."""
    assert pytest.approx(pearsonr(STOCK, MARKET).statistic) == correlation(STOCK, MARKET)
    assert pytest.approx(1.0) == correlation(MARKET, 3.0 * MARKET)
    assert pytest.approx(-1.0) == correlation(MARKET, -MARKET)


def test_what_is_constant_has_neither_beta_nor_correlation() -> None:
    """Pins that a deviation of zero is undefined, also one that is only rounding."""
    rounded = CONSTANT + 1e-14 * MARKET
    assert np.ptp(rounded) > 0.0
    assert beta(MARKET, rounded) is beta(MARKET, CONSTANT) is None
    assert beta(CONSTANT, MARKET) == pytest.approx(0.0)
    assert correlation(MARKET, CONSTANT) is None
    assert correlation(rounded, MARKET) is None


@pytest.mark.parametrize(("sessions", "defined"), [(0, False), (59, False), (60, True)])
def test_fewer_than_60_sessions_are_undefined(sessions: int, *, defined: bool) -> None:
    """Pins the boundary for every figure."""
    one, other = STOCK[:sessions], MARKET[:sessions]
    figures = (
        volatility(one),
        beta(one, other),
        correlation(one, other),
        correlations({"a": one, "b": other})["a", "b"],
    )
    assert [defined] * 4 == [figure is not None for figure in figures]


def test_the_matrix_has_each_pair_once_and_leaves_a_constant_undefined() -> None:
    """Pins that one series without movement spoils its own pairs only."""
    found = correlations({"a": STOCK, "still": CONSTANT, "b": MARKET})
    assert [("a", "still"), ("a", "b"), ("still", "b")] == list(found)
    assert (None, None) == (found["a", "still"], found["still", "b"])
    assert pytest.approx(correlation(STOCK, MARKET)) == found["a", "b"]
    assert {} == correlations({"a": STOCK}) == correlations({})


def test_the_average_is_over_all_pairs_or_undefined() -> None:
    """Pins that a pair that is undefined is not left out in silence."""
    assert pytest.approx(-1.0 / 3.0) == average_correlation({"a": STOCK, "b": -STOCK, "c": STOCK})
    assert average_correlation({"a": STOCK, "b": MARKET, "still": CONSTANT}) is None
    assert average_correlation({"a": STOCK}) is None


def test_series_of_other_sessions_are_refused() -> None:
    """Pins that sessions are compared one by one."""
    for compare in (beta, correlation, lambda one, other: correlations({"a": one, "b": other})):
        with pytest.raises(StatisticsError, match="250, 249"):
            compare(STOCK, MARKET[1:])


def test_the_sharpe_ratio_is_that_of_what_was_made_above_the_risk_free_rate() -> None:
    """Pins the formula, 59 sessions, and returns that do not move."""
    returns = normal(60)
    expected = (returns.mean() - 0.02 / 252) / returns.std(ddof=1) * np.sqrt(252)
    assert expected == pytest.approx(sharpe_ratio(returns, 0.02))
    assert sharpe_ratio(returns[1:], 0.02) is None
    assert sharpe_ratio([0.001] * 60, 0.02) is None
