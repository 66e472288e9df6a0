"""Position risk: what one position may lose, how it moves with the rest, how much of the portfolio it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tidegate.statistics.dependence import correlation
from tidegate.statistics.holdings import (
    Holding,
    Returns,
    by_sector,
    by_symbol,
    checked,
    exposures,
    profits,
    share,
    summed,
    whole,
    without_history,
)
from tidegate.statistics.value_at_risk import Method, tail_risk
from tidegate.statistics.vectors import leave


@dataclass(frozen=True, slots=True)
class PositionRisk:
    """
    One instrument's position by itself.

    None is undefined: no history, no value, no equity, no other position, no movement.
    """

    symbol: str
    value_at_risk: Decimal | None
    expected_shortfall: Decimal | None
    correlation: Decimal | None
    concentration: Decimal | None


@dataclass(frozen=True, slots=True)
class PositionRiskLimits:
    """What the portfolio check allows, as shares of equity but for the correlation; exactly at a limit passes."""

    position_risk: Decimal = Decimal("0.02")
    correlation: Decimal = Decimal("0.70")
    position_size: Decimal = Decimal("0.20")
    sector_exposure: Decimal = Decimal("0.30")
    leverage: Decimal = Decimal("2.0")


@dataclass(frozen=True, slots=True)
class Excess:
    """A figure that is over its limit, or undefined: then nobody knows that it is not."""

    figure: str
    name: str
    actual: Decimal | None
    limit: Decimal


def position_risks(
    holdings: Sequence[Holding],
    returns: Returns,
    equity: Decimal,
    confidence: float = 0.95,
    method: Method = Method.HISTORICAL,
) -> tuple[PositionRisk, ...]:
    """
    Look at each instrument's position, all strategies together.

    The correlation is that of its profits with those of the portfolio's other positions: with the whole portfolio, a
    large position would mostly be compared with itself.

    Raises:
        StatisticsError: a return is no finite number, or the instruments do not have the same sessions.
    """
    returns = checked(returns)
    missing = without_history(holdings, returns)
    made = profits([one for one in holdings if one.symbol not in missing], returns, by_symbol)
    found = []
    for symbol, exposure in exposures(holdings, by_symbol).items():
        risk = moves = None
        if (own := made.get(symbol)) is not None:
            risk = tail_risk(own, confidence, method)
            others = whole({name: one for name, one in made.items() if name != symbol}, len(own))
            moves = None if missing else correlation(own, others)
        found.append(
            PositionRisk(
                symbol,
                value_at_risk=None if risk is None else leave(risk.value_at_risk),
                expected_shortfall=None if risk is None else leave(risk.expected_shortfall),
                correlation=None if moves is None else leave(moves),
                concentration=share(exposure, equity),
            )
        )
    return tuple(found)


def check_positions(
    holdings: Sequence[Holding],
    returns: Returns,
    equity: Decimal,
    limits: PositionRiskLimits | None = None,
    confidence: float = 0.95,
) -> tuple[Excess, ...]:
    """
    Return everything that is over its limit; nothing is the answer of a portfolio within its limits.

    A value at risk that is undefined is an excess. A correlation or a size that is undefined is none: what is missing
    is found by the value at risk already, and a position alone moves with nothing.

    Raises:
        StatisticsError: a return is no finite number, or the instruments do not have the same sessions.
    """
    limits = limits or PositionRiskLimits()
    return tuple(excesses(holdings, position_risks(holdings, returns, equity, confidence), equity, limits))


def excesses(
    holdings: Sequence[Holding], risks: Sequence[PositionRisk], equity: Decimal, limits: PositionRiskLimits
) -> Iterator[Excess]:
    """Hold positions whose risks are known against their limits, as ``check_positions`` does."""
    sizes, sectors = exposures(holdings, by_symbol), exposures(holdings, by_sector)
    amounts = [
        *(("position_risk", risk.symbol, risk.value_at_risk, limits.position_risk) for risk in risks),
        *(("position_size", name, size, limits.position_size) for name, size in sizes.items() if size is not None),
        *(("sector_exposure", name, size, limits.sector_exposure) for name, size in sectors.items()),
        ("leverage", "portfolio", summed(sizes.values()), limits.leverage),
    ]
    for figure, name, amount, limit in amounts:
        if amount is None or amount > limit * equity:  # a product, not a ratio: equity <= 0 must not pass
            yield Excess(figure, name, share(amount, equity), limit)
    for risk in risks:
        if risk.correlation is not None and risk.correlation > limits.correlation:
            yield Excess("correlation", risk.symbol, risk.correlation, limits.correlation)
