"""Value at risk and expected shortfall: by hand, by the textbook, and what must hold for every series."""

from math import inf, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, zscore

from tests.unit.statistics.samples import normal, vectors
from tidegate.errors import StatisticsError
from tidegate.risk import scenarios
from tidegate.statistics.value_at_risk import Method, TailRisk, tail_risk, volatility_scale
from tidegate.statistics.vectors import Vector

EVERY_METHOD = pytest.mark.parametrize("method", list(Method))
methods = st.sampled_from(list(Method))
levels = st.floats(0.5, 0.995)

# -50 to 49: the quantile at 5% lies at place 4.95, 95 hundredths of the way from -46 to -45.
HUNDRED = np.arange(-50.0, 50.0)


def risk_of(profits: Vector, confidence: float, method: Method) -> TailRisk:
    """Estimate what is defined."""
    found = tail_risk(profits, confidence, method)
    assert found is not None
    return found


def test_the_historical_quantile_is_interpolated_and_the_shortfall_is_the_mean_beyond_it() -> None:
    """Pins both against figures made by hand."""
    assert [pytest.approx(45.05), 48.0] == list(risk_of(HUNDRED, 0.95, Method.HISTORICAL))


def test_where_the_value_at_risk_is_zero_the_shortfall_is_the_mean_of_what_loses() -> None:
    """Pins the definition at its edge: three sessions of a hundred lose 10, the others gain."""
    profits = np.concatenate([np.full(3, -10.0), np.ones(97)])
    assert (0.0, 10.0) == tail_risk(profits, 0.95)


@given(vectors(sessions_max=252), st.sampled_from([0.95, 0.975, 0.99]))
def test_the_report_and_the_limits_speak_of_the_same_figures(profits: Vector, confidence: float) -> None:
    """Pins that historical simulation here and in the engine's limits is the same function."""
    figures = risk_of(profits, confidence, Method.HISTORICAL)
    assert pytest.approx(scenarios.value_at_risk(profits, confidence), abs=1e-12) == figures.value_at_risk
    assert pytest.approx(scenarios.expected_shortfall(profits, confidence), abs=1e-9) == figures.expected_shortfall


def test_a_fifth_percentile_of_minus_2_5_percent_is_25_000_of_a_million() -> None:
    """Pins the example on RustyBT's page."""
    returns = np.concatenate([np.full(6, -0.025), np.zeros(94)])
    assert 25_000.0 == risk_of(returns * 1_000_000.0, 0.95, Method.HISTORICAL).value_at_risk


@pytest.mark.parametrize(
    ("confidence", "value_at_risk", "shortfall"),
    [(0.95, 1.6449, 2.0627), (0.99, 2.3263, 2.6652), (0.975, 1.96, 2.3378)],
)
def test_the_parametric_figures_are_those_of_the_normal_table(
    confidence: float, value_at_risk: float, shortfall: float
) -> None:
    """Pins the published multiples of the standard deviation."""
    standard = zscore(normal(250), ddof=1)
    figures = risk_of(standard, confidence, Method.PARAMETRIC)
    assert [pytest.approx(one, abs=5e-5) for one in (value_at_risk, shortfall)] == list(figures)


def test_the_parametric_shortfall_is_the_mean_of_the_normal_tail() -> None:
    """Pins the closed form against an integral by scipy."""
    profits = normal(250, deviation=3.0) + 0.1
    fitted = norm(profits.mean(), profits.std(ddof=1))
    by_integral = -fitted.expect(ub=fitted.ppf(0.05), conditional=True)
    assert pytest.approx(by_integral, rel=1e-6) == risk_of(profits, 0.95, Method.PARAMETRIC).expected_shortfall


def test_a_mean_gain_is_taken_off_the_parametric_loss() -> None:
    """Pins the sign of the mean."""
    profits = normal(100)
    before, after = (risk_of(one, 0.95, Method.PARAMETRIC) for one in (profits, profits + 0.001))
    assert pytest.approx(0.001) == before.value_at_risk - after.value_at_risk
    assert pytest.approx(0.001) == before.expected_shortfall - after.expected_shortfall


def test_the_volatility_scale_follows_riskmetrics() -> None:
    """Pins the recursion, written out: each session is scaled by tomorrow's volatility over its own."""
    profits = normal(80)
    variance = float(np.mean(profits**2))
    variances = []
    for profit in profits:
        variances.append(variance)
        variance = 0.94 * variance + 0.06 * profit**2
    assert pytest.approx([sqrt(variance / one) for one in variances]) == volatility_scale(profits).tolist()


def test_filtering_changes_nothing_where_volatility_is_constant() -> None:
    """Pins that the filter is about changes only."""
    profits = np.tile([1.0, -1.0], 50)
    assert tail_risk(profits, 0.95) == tail_risk(profits, 0.95, Method.FILTERED)


def test_filtering_raises_the_risk_after_a_calm_has_ended() -> None:
    """Pins the direction: today's volatility counts, not that of the calm."""
    storm = np.concatenate([normal(400), normal(40, deviation=0.04)])
    calm = storm[::-1]
    plain = risk_of(storm, 0.95, Method.HISTORICAL)
    assert plain == risk_of(calm, 0.95, Method.HISTORICAL)
    filtered_storm, filtered_calm = (risk_of(one, 0.95, Method.FILTERED) for one in (storm, calm))
    assert filtered_storm.value_at_risk > 2.0 * plain.value_at_risk
    assert filtered_calm.value_at_risk < plain.value_at_risk


@EVERY_METHOD
@pytest.mark.parametrize(("sessions", "defined"), [(0, False), (1, False), (59, False), (60, True), (61, True)])
def test_fewer_than_60_sessions_are_undefined_and_never_zero(method: Method, sessions: int, *, defined: bool) -> None:
    """Pins the boundary."""
    assert defined is (tail_risk(normal(60)[:1].repeat(sessions), 0.95, method) is not None)


@EVERY_METHOD
def test_a_series_of_zeros_risks_nothing(method: Method) -> None:
    """Pins that a volatility of zero divides nothing."""
    assert (0.0, 0.0) == tail_risk(np.zeros(60), 0.95, method)


@EVERY_METHOD
def test_a_series_that_only_gains_risks_nothing(method: Method) -> None:
    """Pins that a risk is never below zero."""
    assert (0.0, 0.0) == tail_risk(1.0 + normal(100), 0.95, method)


@EVERY_METHOD
def test_a_short_position_risks_what_the_other_tail_holds(method: Method) -> None:
    """Pins that the sign of a value turns the distribution round."""
    returns = np.where(normal(200) < -0.01, -0.05, normal(200))
    assert risk_of(-1_000.0 * returns, 0.95, method) != risk_of(1_000.0 * returns, 0.95, method)
    assert risk_of(-1_000.0 * returns, 0.95, method) == risk_of(1_000.0 * -returns, 0.95, method)


@EVERY_METHOD
@pytest.mark.parametrize("wrong", [nan, inf, -inf])
def test_a_profit_that_is_no_number_is_refused(method: Method, wrong: float) -> None:
    """Pins that a gap is never taken for a quiet session, not even in a series that is too short."""
    with pytest.raises(StatisticsError, match="no gap, no NaN"):
        tail_risk(np.append(normal(60), wrong), 0.95, method)
    with pytest.raises(StatisticsError, match="no gap, no NaN"):
        tail_risk(np.array([wrong]), 0.95, method)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, -0.95, nan])
def test_a_confidence_outside_0_and_1_is_refused(confidence: float) -> None:
    """Pins that 95 is not taken for 95%."""
    with pytest.raises(StatisticsError, match="between 0 and 1"):
        tail_risk(HUNDRED, confidence)


@given(vectors(), levels, methods)
def test_the_shortfall_is_never_below_the_value_at_risk(profits: Vector, confidence: float, method: Method) -> None:
    """Pins it for every series and confidence, up to rounding."""
    figures = risk_of(profits, confidence, method)
    assert figures.expected_shortfall >= figures.value_at_risk * (1.0 - 1e-12) >= 0.0


@given(vectors(), methods, st.floats(0.01, 1e6))
def test_twice_the_position_is_twice_the_risk(profits: Vector, method: Method, factor: float) -> None:
    """Pins positive homogeneity, without which no Euler allocation adds up."""
    one, other = risk_of(profits, 0.95, method), risk_of(factor * profits, 0.95, method)
    assert pytest.approx([factor * figure for figure in one], rel=1e-9, abs=1e-9 * factor) == list(other)


@given(vectors(), methods)
def test_more_confidence_is_more_risk(profits: Vector, method: Method) -> None:
    """Pins that both figures grow with the confidence."""
    low, high = risk_of(profits, 0.95, method), risk_of(profits, 0.99, method)
    assert high.value_at_risk >= low.value_at_risk * (1.0 - 1e-12)
    assert high.expected_shortfall >= low.expected_shortfall * (1.0 - 1e-12)


@given(vectors(), st.randoms(use_true_random=False))
def test_the_order_of_sessions_counts_for_the_filter_only(profits: Vector, random: object) -> None:
    """Pins that the two others look at the distribution alone."""
    shuffled = profits.tolist()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for method in (Method.HISTORICAL, Method.PARAMETRIC):
        assert pytest.approx(risk_of(profits, 0.95, method), abs=1e-12) == risk_of(np.array(shuffled), 0.95, method)
