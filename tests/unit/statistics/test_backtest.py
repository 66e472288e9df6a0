"""The tests of value at risk: published regions and examples, scipy's likelihood ratios, and the ends."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, power_divergence

from tests.unit.statistics.samples import normal
from tidegate.errors import StatisticsError
from tidegate.statistics.backtest import (
    LikelihoodRatio,
    Verdict,
    assess,
    christoffersen_conditional,
    christoffersen_independence,
    forecasts,
    kupiec,
)
from tidegate.statistics.value_at_risk import Method, tail_risk

UNDEFINED = LikelihoodRatio(None, None)


@pytest.mark.parametrize(
    ("rate", "sessions", "above", "below"),
    [
        (0.01, 255, 0, 7),
        (0.01, 510, 1, 11),
        (0.01, 1000, 4, 17),
        (0.025, 255, 2, 12),
        (0.025, 510, 6, 21),
        (0.025, 1000, 15, 36),
        (0.05, 255, 6, 21),
        (0.05, 510, 16, 36),
        (0.05, 1000, 37, 65),
        (0.075, 255, 11, 28),
        (0.075, 510, 27, 51),
        (0.075, 1000, 59, 92),
        (0.10, 255, 16, 36),
        (0.10, 510, 38, 65),
        (0.10, 1000, 81, 120),
    ],
)
def test_kupiec_passes_what_his_table_passes(rate: float, sessions: int, above: int, below: int) -> None:
    """
    Pins the published regions of exceptions that do not reject at 5% (Kupiec 1995, as in Jorion), at both ends.

    For 1% of 255 the table prints "N < 7"; without any exception the ratio is 5.13, which is above 3.84.
    """
    passed = [count for count in range(sessions) if kupiec(sessions, count, rate).verdict() is Verdict.PASSED]
    assert list(range(above + 1, below)) == passed


def test_the_worked_example_of_mathworks_comes_out() -> None:
    """Pins all three ratios and p-values on the page of varbacktest.cc: 1,043 sessions, 57 exceptions, 4 in a row."""
    hits = np.array([0] * 933 + [1, 0] * 52 + [1] * 5 + [0], dtype=np.bool_)
    assert (1043, 57) == (len(hits), hits.sum())
    ratios = kupiec(1043, 57, 0.05), christoffersen_independence(hits), christoffersen_conditional(hits, 0.05)
    assert [pytest.approx(one, abs=5e-6) for one in (0.46147, 0.25866, 0.72013)] == [one.statistic for one in ratios]
    assert [pytest.approx(one, abs=5e-6) for one in (0.49694, 0.61104, 0.69763)] == [one.p_value for one in ratios]
    assert [Verdict.PASSED] * 3 == [one.verdict() for one in ratios]


@given(st.integers(1, 3_000), st.data(), st.floats(0.005, 0.5))
def test_kupiecs_ratio_is_the_g_test_of_the_counts(sessions: int, data: st.DataObject, rate: float) -> None:
    """Pins statistic and p-value against scipy, zero and all exceptions included."""
    exceptions = data.draw(st.integers(0, sessions))
    expected = power_divergence(
        [exceptions, sessions - exceptions], [rate * sessions, (1.0 - rate) * sessions], lambda_="log-likelihood"
    )
    found = kupiec(sessions, exceptions, rate)
    assert pytest.approx(expected.statistic, rel=1e-7, abs=1e-7) == found.statistic
    assert pytest.approx(expected.pvalue, rel=1e-6, abs=1e-3 * (expected.statistic < 1e-5)) == found.p_value


@given(st.lists(st.booleans(), min_size=3, max_size=400))
def test_christoffersens_ratio_is_the_g_test_of_the_transitions(pattern: list[bool]) -> None:
    """Pins statistic and p-value against scipy wherever scipy's table has no empty row or column."""
    hits = np.array(pattern)
    table = [[int(((hits[:-1] == i) & (hits[1:] == j)).sum()) for j in (False, True)] for i in (False, True)]
    assume(all(map(sum, table)) and all(map(sum, zip(*table, strict=True))))
    expected = chi2_contingency(table, correction=False, lambda_="log-likelihood")
    found = christoffersen_independence(hits)
    assert pytest.approx(expected.statistic, rel=1e-7, abs=1e-7) == found.statistic
    assert pytest.approx(expected.pvalue, rel=1e-6, abs=1e-3 * (expected.statistic < 1e-5)) == found.p_value


def test_a_perfect_count_has_a_ratio_of_zero() -> None:
    """Pins the other end of the scale."""
    assert pytest.approx((0.0, 1.0), abs=1e-5) == (kupiec(1000, 50, 0.05).statistic, kupiec(1000, 50, 0.05).p_value)


def test_no_exception_and_only_exceptions_still_have_a_coverage() -> None:
    """Pins that 0 log 0 is 0: the ratio is what is left of the formula."""
    assert pytest.approx(-2.0 * 255 * np.log(0.99)) == kupiec(255, 0, 0.01).statistic
    assert pytest.approx(-2.0 * 100 * np.log(0.05)) == kupiec(100, 100, 0.05).statistic
    assert kupiec(0, 0, 0.05) == UNDEFINED


@pytest.mark.parametrize("pattern", [[0] * 100, [1] * 100, [0] * 99 + [1], [1] * 99 + [0], [1], []])
def test_independence_is_undefined_where_nothing_follows_an_exception_or_its_absence(pattern: list[int]) -> None:
    """Pins that a test which cannot fail says so, instead of passing; so does the test of both."""
    hits = np.array(pattern, dtype=np.bool_)
    assert UNDEFINED == christoffersen_independence(hits) == christoffersen_conditional(hits, 0.05)
    assert Verdict.UNDEFINED is christoffersen_independence(hits).verdict()


def test_exceptions_in_a_row_pass_kupiec_and_fail_christoffersen() -> None:
    """Pins what the second test is for."""
    hits = np.zeros(1000, dtype=np.bool_)
    hits[500:550] = True
    assert Verdict.PASSED is kupiec(1000, 50, 0.05).verdict()
    assert Verdict.REJECTED is christoffersen_independence(hits).verdict()
    assert Verdict.REJECTED is christoffersen_conditional(hits, 0.05).verdict()


@pytest.mark.parametrize(("p_value", "verdict"), [(0.0499, "rejected"), (0.05, "passed"), (None, "undefined")])
def test_a_p_value_at_the_level_does_not_reject(p_value: float | None, verdict: str) -> None:
    """Pins the comparison, and that the level can be chosen."""
    assert verdict == LikelihoodRatio(3.84, p_value).verdict()
    assert Verdict.PASSED is LikelihoodRatio(3.84, 0.02).verdict(0.01)


@pytest.mark.parametrize("method", list(Method))
@given(day=st.integers(0, 39), change=st.floats(-0.5, 0.5))
def test_a_forecast_never_sees_its_own_session_or_a_later_one(method: Method, day: int, change: float) -> None:
    """Pins that whatever happens on a day changes no forecast up to that day's own."""
    returns = normal(100)
    changed = returns.copy()
    changed[60 + day :] = change
    before, after = (list(forecasts(one, 60, 0.95, method)) for one in (returns, changed))
    assert before[: day + 1] == after[: day + 1]


@pytest.mark.parametrize("method", list(Method))
def test_a_forecast_is_the_value_at_risk_of_the_window_before_it(method: Method) -> None:
    """Pins where the window begins and ends: the newest sessions, and no others."""
    returns = normal(75)
    found = list(forecasts(returns, 70, 0.95, method))
    expected = [tail_risk(returns[day - 70 : day], 0.95, method) for day in range(70, 75)]
    assert [risk.value_at_risk for risk in expected if risk] == found
    assert 5 == len(found)


def test_a_loss_of_exactly_the_forecast_is_no_exception() -> None:
    """Pins the comparison, and what is counted."""
    result = assess(np.array([-0.02, -0.0200001, 0.5, -0.01]), np.full(4, 0.02), 0.95)
    assert [4, pytest.approx(0.2), 1] == [result.sessions, result.expected, result.exceptions]


def test_what_cannot_be_forecast_or_compared_is_refused() -> None:
    """Pins one clear line for each."""
    with pytest.raises(StatisticsError, match="59 sessions is too short: at least 60"):
        next(forecasts(normal(100), 59, 0.95, Method.HISTORICAL))
    with pytest.raises(StatisticsError, match="leaves none of 100"):
        next(forecasts(normal(100), 100, 0.95, Method.HISTORICAL))
    with pytest.raises(StatisticsError, match="3, 2"):
        assess(normal(3), normal(2), 0.95)
    with pytest.raises(StatisticsError, match="no session"):
        assess(normal(0), normal(0), 0.95)
