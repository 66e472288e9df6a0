"""Equal risk contribution: against skfolio, by hand, and where there is none."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skfolio import RiskMeasure
from skfolio.datasets import load_sp500_dataset
from skfolio.optimization import RiskBudgeting

from tests.unit.statistics.samples import correlated, normal
from tidegate.errors import StatisticsError
from tidegate.statistics.equal_risk import equal_risk_weights, size_adjustments
from tidegate.statistics.holdings import Holding

A, B = normal(250, deviation=0.01), normal(250, deviation=0.02, seed=8)


def holding(symbol: str, value: str, strategy_id: str = "one") -> Holding:
    """Hold an instrument."""
    return Holding(strategy_id, symbol, "Technology", Decimal(value))


def test_the_weights_are_those_of_skfolio_on_real_prices() -> None:
    """Pins the iteration against a convex optimiser, on 20 real companies."""
    returns = load_sp500_dataset().pct_change().iloc[-1000:]
    fitted = RiskBudgeting(risk_measure=RiskMeasure.VARIANCE).fit(returns)
    weights = equal_risk_weights(np.cov(returns.to_numpy().T))
    assert weights is not None
    assert pytest.approx(fitted.weights_.tolist(), abs=2e-4) == weights.tolist()


@given(st.integers(1, 8), st.integers(0, 1_000_000))
def test_every_position_brings_in_the_same(count: int, seed: int) -> None:
    """Pins what the name promises, for any covariance that a sample can have."""
    rows = np.random.default_rng(seed).normal(size=(count, 100)) * np.linspace(0.001, 0.1, count)[:, np.newaxis]
    covariances = np.atleast_2d(np.cov(rows + rows[0]))
    weights = equal_risk_weights(covariances)
    assert weights is not None
    assert (weights > 0.0).all()
    assert pytest.approx(1.0) == weights.sum()
    brought = weights * (covariances @ weights)
    assert pytest.approx([1.0 / count] * count) == (brought / brought.sum()).tolist()


def test_two_positions_are_weighted_against_their_volatility_whatever_their_correlation() -> None:
    """Pins the textbook's case of two: inverse volatility."""
    for correlation in (-0.9, 0.0, 0.9):
        covariances = np.array([[1.0, 2.0 * correlation], [2.0 * correlation, 4.0]])
        weights = equal_risk_weights(covariances)
        assert weights is not None
        assert pytest.approx([2 / 3, 1 / 3]) == weights.tolist()


def test_the_adjusted_sizes_bring_in_the_same_and_leave_the_sum_and_the_sides() -> None:
    """Pins what the factors do to a portfolio with a short, held by two strategies."""
    rows = correlated([[4e-4, 1e-4, 0.0], [1e-4, 1e-4, 2e-5], [0.0, 2e-5, 9e-4]])
    held = [holding("X", "1000"), holding("X", "500", "two"), holding("Y", "-700"), holding("Z", "300")]
    factors = size_adjustments(held, dict(zip("XYZ", rows, strict=True)))
    assert factors is not None
    values = np.array([1500.0, -700.0, 300.0])
    adjusted = values * [float(factors[symbol]) for symbol in "XYZ"]
    assert (np.sign(values) == np.sign(adjusted)).all()
    assert pytest.approx(2500.0) == np.abs(adjusted).sum()
    brought = adjusted * (np.cov(rows) @ adjusted)
    assert pytest.approx([1.0] * 3, rel=1e-4) == (brought / brought.mean()).tolist()


def test_the_seeds_own_factors_do_not_make_contributions_equal() -> None:
    """Pins why the sizes are solved for: target share over present share, taken once, overshoots."""
    covariances = np.diag([4.0, 1.0])
    values = np.array([1.0, 1.0])
    contributions = values * (covariances @ values) / (values @ covariances @ values)
    once = values * (0.5 / contributions)
    brought = once * (covariances @ once)
    assert brought[0] < 0.3 * brought[1]


def test_equal_sizes_of_equal_risk_stay_as_they_are() -> None:
    """Pins the fixed point, and one position alone."""
    factors = size_adjustments([holding("A", "100"), holding("B", "100")], {"A": A, "B": A[::-1]})
    assert {"A": Decimal(1), "B": Decimal(1)} == factors
    assert {"A": Decimal(1)} == size_adjustments([holding("A", "-5")], {"A": A})


@pytest.mark.parametrize(
    ("held", "returns"),
    [
        pytest.param([], {"A": A}, id="nothing held"),
        pytest.param([holding("A", "1"), holding("B", "1")], {"A": A}, id="no history"),
        pytest.param([holding("A", "1")], {"A": A[:59]}, id="59 sessions"),
        pytest.param([holding("A", "1"), holding("B", "1")], {"A": A, "B": np.zeros(250)}, id="no movement"),
        pytest.param([holding("A", "1"), holding("B", "-1")], {"A": A, "B": A}, id="a whole hedge"),
        pytest.param([holding("A", "1"), holding("A", "-1", "two")], {"A": A}, id="no position"),
    ],
)
def test_where_there_are_no_such_sizes_they_are_undefined(held: list[Holding], returns: dict[str, np.ndarray]) -> None:
    """Pins that nothing is made up."""
    assert size_adjustments(held, returns) is None


def test_returns_with_a_gap_are_refused() -> None:
    """Pins that a gap is no quiet session."""
    with pytest.raises(StatisticsError, match="no gap"):
        size_adjustments([holding("A", "1")], {"A": np.append(A, np.nan)})
