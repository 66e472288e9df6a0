"""Pearson's correlation of each pair of series that end together."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from itertools import combinations

import numpy as np

from tidegate.numbers import round_ratio
from tidegate.risk.session_history import OBSERVATIONS_MIN

# As in tidegate/statistics, which the engine does not import: a spread below this share is rounding.
_CONSTANT = 1e-12


def pair_correlations(series: Mapping[str, Collection[float]]) -> dict[tuple[str, str], Decimal | None]:
    """Correlate each pair over the sessions of both; None below 60 of them, or when one of the two does not move."""
    found: dict[tuple[str, str], Decimal | None] = dict.fromkeys(combinations(series, 2))
    rows = {name: np.fromiter(one, dtype=np.float64) for name, one in series.items() if len(one) >= OBSERVATIONS_MIN}
    # One matrix for each length that there is: strategies that began together share it.
    for length in sorted({len(row) for row in rows.values()}):
        tails = {name: row[-length:] for name, row in rows.items() if len(row) >= length}
        moving = {name: row for name, row in tails.items() if np.ptp(row) > _CONSTANT * np.abs(row).max()}
        if len(moving) < 2:  # noqa: PLR2004 -- a pair
            continue
        matrix = np.corrcoef([*moving.values()]).tolist()
        for (i, one), (j, other) in combinations(enumerate(moving), 2):
            if min(len(rows[one]), len(rows[other])) == length:
                found[one, other] = round_ratio(Decimal(repr(matrix[i][j])))
    return found
