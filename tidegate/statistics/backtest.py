"""Was the value at risk right: forecasts that never see the future, and the tests of Kupiec and Christoffersen."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlog1py, xlogy
from scipy.stats import chi2

from tidegate.errors import StatisticsError
from tidegate.statistics.value_at_risk import Method, check_confidence, estimate
from tidegate.statistics.vectors import OBSERVATIONS_MIN, Vector, same_length, vector

SIGNIFICANCE = 0.05

Hits = NDArray[np.bool_]


class Verdict(StrEnum):
    """What a test says of a model at its level of significance."""

    PASSED = "passed"
    REJECTED = "rejected"
    UNDEFINED = "undefined"


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """A likelihood ratio, and how likely one as large is of a model that is right; None where nothing can be tested."""

    statistic: float | None
    p_value: float | None

    def verdict(self, significance: float = SIGNIFICANCE) -> Verdict:
        """Judge: a p-value below the level rejects, one at the level does not."""
        if self.p_value is None:
            return Verdict.UNDEFINED
        return Verdict.REJECTED if self.p_value < significance else Verdict.PASSED


@dataclass(frozen=True, slots=True)
class Backtest:
    """The sessions that were forecast, those that lost more than forecast, and what the tests make of them."""

    sessions: int
    expected: float
    exceptions: int
    coverage: LikelihoodRatio
    independence: LikelihoodRatio
    conditional: LikelihoodRatio


def forecasts(returns: Vector, window: int, confidence: float, method: Method) -> Iterator[float]:
    """
    Forecast the value at risk of each session from the window that ends before it, as a share of value.

    The first forecast is for session number `window`, counted from 0; there is one for each session after it.

    Raises:
        StatisticsError: the window is shorter than 60 sessions, or leaves no session to forecast.
    """
    returns = vector(returns)
    check_confidence(confidence)
    if window < OBSERVATIONS_MIN:
        message = f"a window of {window} sessions is too short: at least {OBSERVATIONS_MIN}"
        raise StatisticsError(message)
    if window >= len(returns):
        message = f"a window of {window} sessions leaves none of {len(returns)} to forecast"
        raise StatisticsError(message)
    for session in range(window, len(returns)):
        yield estimate(returns[session - window : session], confidence, method).value_at_risk


def assess(returns: Vector, forecast: Vector, confidence: float) -> Backtest:
    """
    Compare returns with what was forecast for the same sessions; a loss of exactly the forecast is no exception.

    Raises:
        StatisticsError: there is no session, or not one forecast for each.
    """
    returns, forecast = vector(returns), vector(forecast)
    same_length(returns, forecast)
    check_confidence(confidence)
    if not len(returns):
        message = "there is no session to compare"
        raise StatisticsError(message)
    hits: Hits = -returns > forecast
    rate, exceptions = 1.0 - confidence, int(hits.sum())
    return Backtest(
        sessions=len(hits),
        expected=rate * len(hits),
        exceptions=exceptions,
        coverage=kupiec(len(hits), exceptions, rate),
        independence=christoffersen_independence(hits),
        conditional=christoffersen_conditional(hits, rate),
    )


def kupiec(sessions: int, exceptions: int, rate: float) -> LikelihoodRatio:
    """Test whether exceptions come as often as promised (Kupiec 1995, proportion of failures); chi-square, 1 degree."""
    if not sessions:
        return LikelihoodRatio(None, None)
    return _ratio(_likelihood(exceptions, sessions, rate), _likelihood(exceptions, sessions, exceptions / sessions), 1)


def christoffersen_independence(hits: Hits) -> LikelihoodRatio:
    """
    Test whether an exception makes another one the next session more likely (Christoffersen 1998); 1 degree.

    Undefined when no session after an exception was seen, or none after a session without one.
    """
    before, after = hits[:-1], hits[1:]
    quiet, struck = int((~before).sum()), int(before.sum())
    if not quiet or not struck:
        return LikelihoodRatio(None, None)
    after_quiet, after_struck = int((~before & after).sum()), int((before & after).sum())
    both, sessions = after_quiet + after_struck, quiet + struck
    apart = _likelihood(after_quiet, quiet, after_quiet / quiet) + _likelihood(
        after_struck, struck, after_struck / struck
    )
    return _ratio(_likelihood(both, sessions, both / sessions), apart, 1)


def christoffersen_conditional(hits: Hits, rate: float) -> LikelihoodRatio:
    """Test both at once: the sum of the two ratios; chi-square, 2 degrees. Undefined when independence is."""
    coverage = kupiec(len(hits), int(hits.sum()), rate).statistic
    independence = christoffersen_independence(hits).statistic
    if coverage is None or independence is None:
        return LikelihoodRatio(None, None)
    return _judged(coverage + independence, 2)


def _likelihood(exceptions: int, sessions: int, rate: float) -> float:
    """Return the log-likelihood of so many exceptions; 0 log 0 is 0."""
    return float(xlogy(exceptions, rate) + xlog1py(sessions - exceptions, -rate))


def _ratio(restricted: float, free: float, degrees: int) -> LikelihoodRatio:
    return _judged(max(0.0, 2.0 * (free - restricted)), degrees)


def _judged(statistic: float, degrees: int) -> LikelihoodRatio:
    return LikelihoodRatio(statistic, float(chi2.sf(statistic, degrees)))
