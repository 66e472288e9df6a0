"""
Black and Scholes (1973): what a European option is worth, and its delta.

Floating point, for the normal distribution has no decimals; whoever makes a quantity of it rounds first. Of one unit of
the underlying, which pays no dividend; volatility and rate are yearly and continuously compounded.
"""

import math
from typing import Literal

Right = Literal["call", "put"]


def price(  # noqa: PLR0913 -- the formula's own figures
    right: Right, *, spot: float, strike: float, years: float, volatility: float, rate: float
) -> float:
    """
    Return what the option is worth.

    At expiry, and at no volatility, it is worth what it would then be exercised for, discounted.

    Raises:
        ValueError: spot or strike is not above zero, years or volatility is below zero, or a figure is not finite.
    """
    sign = _sign(right)
    discounted = _discounted(spot, strike, years, volatility, rate)
    deviation = volatility * math.sqrt(years)
    if deviation == 0.0:
        return max(sign * (spot - discounted), 0.0)
    d1 = _d1(spot, discounted, deviation)
    worth = sign * (spot * _below(sign * d1) - discounted * _below(sign * (d1 - deviation)))
    return max(worth, 0.0)  # far out of the money the difference of two tiny numbers may fall below


def delta(  # noqa: PLR0913 -- the formula's own figures
    right: Right, *, spot: float, strike: float, years: float, volatility: float, rate: float
) -> float:
    """
    Return how far the price moves with the underlying: 0 to 1 for a call, -1 to 0 for a put.

    At expiry, and at no volatility, it is all or nothing; exactly at the money it is half.

    Raises:
        ValueError: as ``price`` does.
    """
    sign = _sign(right)
    discounted = _discounted(spot, strike, years, volatility, rate)
    deviation = volatility * math.sqrt(years)
    if deviation == 0.0:
        inside = sign * (spot - discounted)
        return sign * (0.5 if inside == 0.0 else float(inside > 0.0))
    return sign * _below(sign * _d1(spot, discounted, deviation))


def _sign(right: Right) -> int:
    if right not in {"call", "put"}:
        message = f"an option is a call or a put, not {right!r}"
        raise ValueError(message)
    return 1 if right == "call" else -1


def _discounted(spot: float, strike: float, years: float, volatility: float, rate: float) -> float:
    """Return the strike's worth today, once all figures are ones to reckon with."""
    figures = (spot, strike, years, volatility, rate)
    if not all(map(math.isfinite, figures)) or min(spot, strike) <= 0.0 or min(years, volatility) < 0.0:
        message = f"no option is worth anything with spot, strike, years, volatility and rate {figures}"
        raise ValueError(message)
    return strike * math.exp(-rate * years)


def _d1(spot: float, discounted: float, deviation: float) -> float:
    return math.log(spot / discounted) / deviation + deviation / 2.0


def _below(deviations: float) -> float:
    """Return the share of a normal distribution below so many deviations; exact far out in the tail too."""
    return 0.5 * math.erfc(-deviations / math.sqrt(2.0))
