"""Value at risk and expected shortfall of one series of profits, three ways."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter
from scipy.stats import norm

from tidegate.errors import StatisticsError
from tidegate.statistics.vectors import OBSERVATIONS_MIN, Vector, vector

# RiskMetrics (1996), for daily returns.
DECAY = 0.94


class Method(StrEnum):
    """How the distribution of the next session's profit is found."""

    HISTORICAL = "historical"
    FILTERED = "filtered"
    PARAMETRIC = "parametric"


class TailRisk(NamedTuple):
    """What may be lost in one session: both figures are losses, never below zero."""

    value_at_risk: float
    expected_shortfall: float


def tail_risk(profits: Vector, confidence: float, method: Method = Method.HISTORICAL) -> TailRisk | None:
    """
    Estimate value at risk and expected shortfall; None, which is undefined, below 60 observations.

    Args:
        profits: per session, oldest first: returns times a value, negative for a short; the figures come in its unit.
        confidence: above 0 and below 1, as in 0.95.
        method: HISTORICAL takes the past as it was. FILTERED scales it to today's volatility (Hull and White 1998).
            PARAMETRIC takes a normal distribution of the sample's mean and standard deviation.

    Raises:
        StatisticsError: a profit is no finite number, or the confidence is none.
    """
    profits = vector(profits)
    check_confidence(confidence)
    return estimate(profits, confidence, method) if len(profits) >= OBSERVATIONS_MIN else None


def estimate(profits: Vector, confidence: float, method: Method) -> TailRisk:
    """Estimate as tail_risk does, of profits that are known to be good and enough."""
    if method is Method.PARAMETRIC:
        mean, deviation = profits.mean(), profits.std(ddof=1)
        at_quantile, beyond = normal_tail(confidence)
        return TailRisk(max(0.0, float(at_quantile * deviation - mean)), max(0.0, float(beyond * deviation - mean)))
    if method is Method.FILTERED:
        profits = profits * volatility_scale(profits)
    at_risk = max(0.0, -float(np.quantile(profits, 1.0 - confidence)))
    worst = profits[profits <= -at_risk]
    return TailRisk(at_risk, max(0.0, -float(worst.mean())) if len(worst) else 0.0)


def check_confidence(confidence: float) -> None:
    """
    Make sure that a confidence is one.

    Raises:
        StatisticsError: it is not above 0 and below 1.
    """
    if not 0.0 < confidence < 1.0:
        message = f"a confidence lies between 0 and 1, as 0.95 does, not {confidence}"
        raise StatisticsError(message)


def normal_tail(confidence: float) -> tuple[float, float]:
    """Return value at risk and expected shortfall of the standard normal distribution."""
    at_quantile = float(norm.ppf(confidence))
    return at_quantile, float(norm.pdf(at_quantile)) / (1.0 - confidence)


def volatility_scale(profits: Vector, decay: float = DECAY) -> Vector:
    """
    Return for each session the volatility expected for the next one, over the volatility that was expected then.

    Variance follows RiskMetrics: v[t + 1] = decay * v[t] + (1 - decay) * profit[t] ** 2, begun at the mean square.
    """
    squares = np.square(profits)
    begin = squares.mean()
    if begin == 0.0:
        return np.ones_like(profits)
    after, _ = lfilter([1.0 - decay], [1.0, -decay], squares, zi=[decay * begin])
    before = np.concatenate(([begin], after[:-1]))
    scale: Vector = np.sqrt(after[-1] / before)
    return scale
