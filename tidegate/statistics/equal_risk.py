"""Equal risk contribution: the sizes at which every position brings the same risk in."""

from collections.abc import Sequence
from decimal import Decimal
from math import sqrt

import numpy as np

from tidegate.numbers import ZERO
from tidegate.statistics.dependence import correlation
from tidegate.statistics.holdings import Holding, Returns, by_symbol, checked, net_values, without_history
from tidegate.statistics.vectors import OBSERVATIONS_MIN, Vector, leave

_ITERATIONS_MAX = 1_000
_PRECISION = 1e-10


def size_adjustments(holdings: Sequence[Holding], returns: Returns) -> dict[str, Decimal] | None:
    """
    Return by which factor to change each position, so that all bring in the same volatility; a position stays its side.

    The sum of the positions' sizes stays what it is. None, which is undefined, below 60 observations, with an
    instrument that has no history or does not move, and for positions that hedge each other wholly.

    Raises:
        StatisticsError: a return is no finite number, or the instruments do not have the same sessions.
    """
    returns = checked(returns)
    values = {symbol: value for symbol, value in net_values(holdings, by_symbol).items() if value}
    if not values or without_history(holdings, returns):
        return None
    rows = [(1.0 if value > ZERO else -1.0) * returns[symbol] for symbol, value in values.items()]
    if len(rows[0]) < OBSERVATIONS_MIN or any(correlation(row, row) is None for row in rows):
        return None
    weights = equal_risk_weights(np.atleast_2d(np.cov(rows)))
    if weights is None:
        return None
    sizes = np.array([abs(float(value)) for value in values.values()])
    factors = weights * sizes.sum() / sizes
    return {symbol: leave(factor) for symbol, factor in zip(values, factors.tolist(), strict=True)}


def equal_risk_weights(covariances: Vector) -> Vector | None:
    """
    Return the weights above zero, of sum 1, whose contributions to the variance are equal; None when there are none.

    Cyclical coordinate descent (Griveau-Billion, Richard and Roncalli 2013) on the correlations: each weight in turn
    solves w[i] * (correlations @ w)[i] = 1 while the others stand.
    """
    deviations = np.sqrt(np.diag(covariances))
    correlations = covariances / np.outer(deviations, deviations)
    count = len(deviations)
    weights: Vector = np.ones(count)
    for _ in range(_ITERATIONS_MAX):
        before = weights.copy()
        for i in range(count):
            others = float(correlations[i] @ weights) - weights[i]
            weights[i] = (sqrt(others * others + 4.0) - others) / 2.0
        if np.abs(weights - before).max() <= _PRECISION * weights.max():
            weights = weights / deviations
            return weights / float(weights.sum())
    return None
