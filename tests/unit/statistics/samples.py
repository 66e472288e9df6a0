"""Series to test statistics on: drawn by hypothesis, or by a seed."""

import numpy as np
from hypothesis import strategies as st

from tidegate.statistics.vectors import Vector

# Whole millionths, so that no square underflows.
ONE_RETURN = st.integers(-300_000, 300_000).map(lambda millionths: millionths / 1e6)


def vectors(sessions_min: int = 60, sessions_max: int = 150) -> st.SearchStrategy[Vector]:
    """Draw one series of returns."""
    return st.lists(ONE_RETURN, min_size=sessions_min, max_size=sessions_max).map(np.array)


def matrices(parts_max: int = 5, sessions: int = 80) -> st.SearchStrategy[Vector]:
    """Draw the profits of some parts, one row each."""
    row = st.lists(st.integers(-10_000, 10_000).map(float), min_size=sessions, max_size=sessions)
    return st.lists(row, min_size=1, max_size=parts_max).map(np.array)


def normal(count: int, deviation: float = 0.01, seed: int = 7) -> Vector:
    """Return normal returns, the same ones every time."""
    return np.random.default_rng(seed).normal(0.0, deviation, count)


def correlated(covariances: list[list[float]], count: int = 500, seed: int = 7) -> Vector:
    """Return one row of normal returns a line of the covariance matrix."""
    lines = np.array(covariances)
    return np.random.default_rng(seed).multivariate_normal(np.zeros(len(lines)), lines, count).T
