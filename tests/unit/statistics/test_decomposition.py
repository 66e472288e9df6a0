"""Who brings the risk in: components add up to the whole, hedges count below zero."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.statistics.samples import correlated, matrices, normal
from tidegate.errors import StatisticsError
from tidegate.statistics.decomposition import Decomposition, decompose, marginal
from tidegate.statistics.value_at_risk import Method, tail_risk
from tidegate.statistics.vectors import Vector

EVERY_METHOD = pytest.mark.parametrize("method", list(Method))
methods = st.sampled_from(list(Method))


def split(rows: Vector, method: Method, confidence: float = 0.95) -> Decomposition:
    """Decompose what is defined; the parts are named by their row."""
    found = decompose({str(place): row for place, row in enumerate(rows)}, confidence, method)
    assert found is not None
    return found


def by_var(found: Decomposition) -> list[float]:
    """List the components of the value at risk."""
    return [part.value_at_risk for part in found.components.values()]


def by_shortfall(found: Decomposition) -> list[float]:
    """List the components of the expected shortfall."""
    return [part.expected_shortfall for part in found.components.values()]


@given(matrices(), st.floats(0.6, 0.99), methods)
def test_components_add_up_to_the_whole(rows: Vector, confidence: float, method: Method) -> None:
    """Pins the sum, for value at risk and for expected shortfall, and that the whole is that of all parts together."""
    found = split(rows, method, confidence)
    assert tail_risk(rows.sum(axis=0), confidence, method) == found.total
    dust = 1e-9 * (1.0 + float(np.abs(rows).sum()))
    assert pytest.approx(found.total.value_at_risk, abs=dust) == sum(by_var(found))
    assert pytest.approx(found.total.expected_shortfall, abs=dust) == sum(by_shortfall(found))


@given(matrices(parts_max=1), methods)
def test_a_part_alone_is_the_whole(rows: Vector, method: Method) -> None:
    """Pins the simplest case."""
    found = split(rows, method)
    assert pytest.approx(found.total, rel=1e-9) == found.components["0"]


@given(matrices(parts_max=3), methods)
def test_a_strategy_brings_in_what_its_positions_do(rows: Vector, method: Method) -> None:
    """Pins that parts may be joined: components are linear."""
    joined = split(np.vstack([rows, rows[0] * 0.5]), method)
    apart = split(np.vstack([rows[0] * 1.5, *rows[1:]]), method)
    dust = 1e-7 * (1.0 + float(np.abs(rows).max()))
    names = ("0", str(len(rows)))
    assert pytest.approx(apart.components["0"].expected_shortfall, abs=dust) == sum(
        joined.components[name].expected_shortfall for name in names
    )


@EVERY_METHOD
def test_a_hedge_brings_in_less_than_nothing(method: Method) -> None:
    """Pins the sign: the short side of the same returns takes risk out."""
    returns = normal(300)
    found = split(np.vstack([3.0 * returns, -returns]), method)
    long, short = by_var(found)
    assert pytest.approx(-3.0) == long / short
    assert pytest.approx(found.total.value_at_risk) == long + short
    assert short < 0.0 < long


def test_the_tail_of_a_known_history_is_split_by_hand() -> None:
    """Pins the mean over the tail: of 100 sessions the five worst lose 10 each, a 6 and b 4 of it."""
    a, b = np.zeros(100), np.zeros(100)
    a[:5], b[:5] = -6.0, -4.0
    found = decompose({"a": a, "b": b}, 0.96)
    assert found is not None
    assert (10.0, 10.0) == found.total
    assert {"a": (6.0, 6.0), "b": (4.0, 4.0)} == found.components


def test_a_shortfall_beyond_a_value_at_risk_of_zero_is_split_as_well() -> None:
    """Pins the edge: what three sessions of a hundred lose, and no component of a value at risk that is not there."""
    a, b = np.ones(100), np.zeros(100)
    a[:3], b[:3] = -6.0, -4.0
    found = decompose({"a": a, "b": b}, 0.95)
    assert found is not None
    assert (0.0, 10.0) == found.total
    assert {"a": (0.0, 6.0), "b": (0.0, 4.0)} == found.components


def test_the_covariance_split_is_that_of_the_textbook() -> None:
    """Pins it: z times each part's covariance with the whole, over the deviation of the whole."""
    rows = correlated([[0.0004, 0.0], [0.0, 0.0004]])
    rows -= rows.mean(axis=1, keepdims=True)
    covariance = np.cov(rows)
    whole = np.sqrt(covariance.sum())
    expected = 1.6448536269514722 * covariance.sum(axis=1) / whole
    assert pytest.approx(expected.tolist()) == by_var(split(rows, Method.PARAMETRIC))


def test_history_and_covariance_agree_where_returns_are_normal() -> None:
    """Pins that both splits estimate the same thing: shares within two points on 100,000 normal sessions."""
    rows = correlated([[4.0, 1.0, -0.5], [1.0, 2.0, 0.3], [-0.5, 0.3, 1.0]], count=100_000)
    history, covariance = (split(rows, method) for method in (Method.HISTORICAL, Method.PARAMETRIC))
    shares = [np.array(by_var(one)) / one.total.value_at_risk for one in (history, covariance)]
    assert pytest.approx(shares[1].tolist(), abs=0.02) == shares[0].tolist()


@EVERY_METHOD
def test_the_marginal_is_the_slope_of_the_whole(method: Method) -> None:
    """Pins Euler: the expected shortfall moves by its marginal when a position grows by a little."""
    returns, values = correlated([[4e-4, 1e-4], [1e-4, 1e-4]]), np.array([700.0, 300.0])
    found = split(returns * values[:, np.newaxis], method)
    slope = marginal(found.components["0"].expected_shortfall, 700.0)
    more = tail_risk(returns.T @ np.array([700.001, 300.0]), 0.95, method)
    assert more is not None
    measured = (more.expected_shortfall - found.total.expected_shortfall) / 0.001
    # Of the filter's scale, which moves with the whole as well, the split takes no notice.
    assert pytest.approx(measured, rel=0.05 if method is Method.FILTERED else 1e-4) == slope


def test_a_part_without_value_has_no_marginal() -> None:
    """Pins that nothing is divided by nothing."""
    assert marginal(0.0, 0.0) is None


@EVERY_METHOD
def test_a_whole_that_risks_nothing_splits_into_zeros(method: Method) -> None:
    """Pins that a clamped total leaves no components that do not add up to it."""
    rows = np.vstack([2.0 + normal(100), -1.0 + normal(100, seed=8)])
    found = split(rows, method)
    assert (0.0, 0.0) == found.total
    assert {"0": (0.0, 0.0), "1": (0.0, 0.0)} == found.components


@EVERY_METHOD
def test_a_whole_hedge_splits_into_zeros(method: Method) -> None:
    """Pins a portfolio that does not move at all."""
    returns = normal(100)
    assert {"0": (0.0, 0.0), "1": (0.0, 0.0)} == split(np.vstack([returns, -returns]), method).components


@pytest.mark.parametrize(("sessions", "defined"), [(59, False), (60, True)])
def test_fewer_than_60_sessions_are_undefined(sessions: int, *, defined: bool) -> None:
    """Pins the boundary."""
    assert defined is (decompose({"a": normal(sessions)}, 0.95) is not None)


def test_parts_of_other_sessions_or_none_are_refused() -> None:
    """Pins that a series is never cut or repeated in silence."""
    with pytest.raises(StatisticsError, match="60, 61"):
        decompose({"a": normal(60), "b": normal(61)}, 0.95)
    with pytest.raises(StatisticsError, match="nothing to split"):
        decompose({}, 0.95)
