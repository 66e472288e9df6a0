"""Vectors of numbers: where they come in they are checked, where they leave they are Decimal."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from tidegate.errors import StatisticsError
from tidegate.numbers import round_ratio

Vector = NDArray[np.float64]

OBSERVATIONS_MIN = 60
SESSIONS_PER_YEAR = 252


def vector(numbers: Sequence[float] | Vector) -> Vector:
    """
    Take one number an observation, oldest first.

    Raises:
        StatisticsError: it is not one row of finite numbers.
    """
    taken = np.asarray(numbers, dtype=np.float64)
    if taken.ndim != 1 or not np.isfinite(taken).all():
        message = "statistics take one finite number an observation: no gap, no NaN"
        raise StatisticsError(message)
    return taken


def same_length(*vectors: Vector) -> None:
    """
    Make sure that vectors speak of the same observations.

    Raises:
        StatisticsError: one is longer than another.
    """
    if len({len(one) for one in vectors}) > 1:
        message = f"observations must match one by one: {', '.join(str(len(one)) for one in vectors)} of them"
        raise StatisticsError(message)


def leave(number: float) -> Decimal:
    """Write an estimate as a Decimal, of eight digits behind the point."""
    return round_ratio(Decimal(repr(float(number))))
