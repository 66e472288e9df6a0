"""Who brings the risk in: value at risk and expected shortfall by part, adding up to the whole (Euler allocation)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tidegate.errors import StatisticsError
from tidegate.statistics.value_at_risk import (
    Method,
    TailRisk,
    normal_tail,
    tail_risk,
    volatility_scale,
)
from tidegate.statistics.vectors import Vector, same_length, vector


@dataclass(frozen=True, slots=True)
class Decomposition:
    """The risk of the whole, and what each part brings into it: below zero for a part that hedges."""

    total: TailRisk
    components: dict[str, TailRisk]


def decompose(
    profits: Mapping[str, Vector], confidence: float, method: Method = Method.HISTORICAL
) -> Decomposition | None:
    """
    Split value at risk and expected shortfall between the parts of a portfolio: positions, or strategies.

    PARAMETRIC splits by covariance with the whole. The two others split the expected shortfall by the mean of the
    tail's scenarios, which is exact, and the value at risk in the same shares: the scenario at the quantile would be
    chance. A total that is zero splits into zeros. None, which is undefined, below 60 observations.

    Raises:
        StatisticsError: there is no part, or the parts do not have the same sessions.
    """
    if not profits:
        message = "there is nothing to split"
        raise StatisticsError(message)
    rows = [vector(one) for one in profits.values()]
    same_length(*rows)
    parts = np.vstack(rows)
    whole: Vector = parts.sum(axis=0)
    total = tail_risk(whole, confidence, method)
    if total is None:
        return None
    if method is Method.PARAMETRIC:
        at_quantile, beyond = normal_tail(confidence)
        deviation, means = whole.std(ddof=1), parts.mean(axis=1)
        covariances = (parts - means[:, np.newaxis]) @ (whole - whole.mean()) / (len(whole) - 1)
        slopes = covariances / deviation if deviation > 0.0 else np.zeros_like(means)
        at_risk, shortfall = at_quantile * slopes - means, beyond * slopes - means
    else:
        if method is Method.FILTERED:
            parts = parts * volatility_scale(whole)
            whole = parts.sum(axis=0)
        worst = parts[:, whole <= -total.value_at_risk]
        shortfall = -worst.mean(axis=1) if worst.size else np.zeros(len(parts))
        share = total.value_at_risk / total.expected_shortfall if total.expected_shortfall > 0.0 else 0.0
        at_risk = shortfall * share
    if total.value_at_risk == 0.0:
        at_risk = np.zeros_like(at_risk)
    if total.expected_shortfall == 0.0:
        shortfall = np.zeros_like(shortfall)
    figures = zip(profits, at_risk.tolist(), shortfall.tolist(), strict=True)
    return Decomposition(total, {name: TailRisk(*both) for name, *both in figures})


def marginal(component: float, value: float) -> float | None:
    """Return what one more unit of value would add to the risk; None for a part without value."""
    return component / value if value else None
