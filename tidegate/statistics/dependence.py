"""How returns move, and move together: volatility, beta, correlation."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import sqrt

import numpy as np

from tidegate.statistics.vectors import OBSERVATIONS_MIN, SESSIONS_PER_YEAR, Vector, same_length, vector

# A deviation below this share of the largest value is rounding: the series is constant.
_CONSTANT = 1e-12


def volatility(returns: Vector) -> float | None:
    """Return the standard deviation of session returns times sqrt(252); None below 60 observations."""
    returns = vector(returns)
    if len(returns) < OBSERVATIONS_MIN:
        return None
    return float(returns.std(ddof=1)) * sqrt(SESSIONS_PER_YEAR)


def sharpe_ratio(returns: Sequence[float] | Vector, risk_free_rate: float) -> float | None:
    """
    Return the mean above the risk-free rate over the standard deviation, of a year; None below 60 observations.

    The rate is that of a year, spread over 252 sessions. None as well for returns that do not move.
    """
    returns = vector(returns)
    if len(returns) < OBSERVATIONS_MIN or _is_constant(returns):
        return None
    excess = float(returns.mean()) - risk_free_rate / SESSIONS_PER_YEAR
    return excess / float(returns.std(ddof=1)) * sqrt(SESSIONS_PER_YEAR)


def beta(returns: Vector, benchmark: Vector) -> float | None:
    """Return covariance with the benchmark over its variance; None below 60 observations or for a constant one."""
    returns, benchmark = vector(returns), vector(benchmark)
    same_length(returns, benchmark)
    if len(returns) < OBSERVATIONS_MIN or _is_constant(benchmark):
        return None
    covariances = np.cov(returns, benchmark, ddof=1)
    return float(covariances[0, 1] / covariances[1, 1])


def correlation(one: Vector, other: Vector) -> float | None:
    """Return Pearson's correlation; None below 60 observations or when one of them is constant."""
    one, other = vector(one), vector(other)
    same_length(one, other)
    if len(one) < OBSERVATIONS_MIN or _is_constant(one) or _is_constant(other):
        return None
    return float(np.corrcoef(one, other)[0, 1])


def correlations(series: Mapping[str, Vector]) -> dict[tuple[str, str], float | None]:
    """Return the correlation matrix by pair of names, each pair once; the diagonal is 1."""
    rows = [vector(one) for one in series.values()]
    same_length(*rows)
    if not rows or len(rows[0]) < OBSERVATIONS_MIN:
        return dict.fromkeys(combinations(series, 2))
    moving = {name: row for name, row in zip(series, rows, strict=True) if not _is_constant(row)}
    found: dict[tuple[str, str], float | None] = dict.fromkeys(combinations(series, 2))
    if len(moving) > 1:
        upper = np.corrcoef([*moving.values()])[np.triu_indices(len(moving), k=1)]
        found.update(zip(combinations(moving, 2), upper.tolist(), strict=True))
    return found


def average_correlation(series: Mapping[str, Vector]) -> float | None:
    """Return the mean of all pairs' correlations; None when there is no pair or one of them is undefined."""
    pairs = correlations(series).values()
    defined = [pair for pair in pairs if pair is not None]
    return sum(defined) / len(defined) if defined and len(defined) == len(pairs) else None


def _is_constant(series: Vector) -> bool:
    return bool(np.ptp(series) <= _CONSTANT * np.abs(series).max())
