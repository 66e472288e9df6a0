"""The risk report: every figure of a portfolio at one moment, as one value."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tidegate.numbers import ZERO
from tidegate.statistics.decomposition import Decomposition, decompose, marginal
from tidegate.statistics.dependence import average_correlation, beta, correlations, volatility
from tidegate.statistics.holdings import (
    Holding,
    Returns,
    by_sector,
    by_strategy,
    by_symbol,
    checked,
    exposures,
    net_values,
    profits,
    share,
    summed,
    whole,
    without_history,
)
from tidegate.statistics.value_at_risk import Method, tail_risk
from tidegate.statistics.vectors import Vector, leave

Correlations = dict[tuple[str, str], Decimal | None]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the portfolio stands, from the book: exact, and nothing to estimate."""

    time_ns: int
    equity: Decimal
    high_water_mark: Decimal
    max_drawdown: Decimal


@dataclass(frozen=True, slots=True)
class Part:
    """
    What one position, strategy or sector is, and what it brings into the risk of the whole.

    The marginal value at risk is what one more unit of value adds, for a position; for a strategy or a sector, one more
    unit of exposure in the mix that it holds.
    """

    name: str
    value: Decimal | None
    exposure: Decimal | None
    share: Decimal | None
    component_var: Decimal | None
    component_es: Decimal | None
    marginal_var: Decimal | None


@dataclass(frozen=True, slots=True)
class RiskReport:
    """
    Every figure of a portfolio at one moment. None is undefined, never 0.

    What is booked is exact: equity, exposures and what follows from them. What is estimated was float64 and is written
    with eight digits: the values at risk and shortfalls in the base currency, for one session.
    """

    time_ns: int
    equity: Decimal
    gross_exposure: Decimal | None
    net_exposure: Decimal | None
    leverage: Decimal | None
    largest_exposure: Decimal | None
    largest_symbol: str | None
    high_water_mark: Decimal
    drawdown: Decimal | None
    max_drawdown: Decimal
    volatility: Decimal | None
    var_95: Decimal | None
    var_99: Decimal | None
    es_95: Decimal | None
    es_99: Decimal | None
    beta: Decimal | None
    average_strategy_correlation: Decimal | None
    sessions: int
    without_history: tuple[str, ...]
    positions: tuple[Part, ...]
    strategies: tuple[Part, ...]
    sectors: tuple[Part, ...]
    correlations: Correlations
    strategy_correlations: Correlations


def risk_report(  # noqa: PLR0913 -- each is a fact that the report is made from
    standing: Standing,
    holdings: Sequence[Holding],
    returns: Returns,
    *,
    benchmark: Vector | None = None,
    strategy_returns: Mapping[str, Vector] | None = None,
    confidence: float = 0.95,
    method: Method = Method.HISTORICAL,
) -> RiskReport:
    """
    Make the report.

    Args:
        standing: equity, high-water mark and the worst drawdown until now, from the book.
        holdings: what each strategy holds of each instrument; positions are summed over the strategies.
        returns: session returns of each instrument as floats, oldest first, the same sessions for all. One that is held
            and has none is named, and leaves every figure of the whole undefined; so does one without a value.
        benchmark: its returns of the same sessions, for beta.
        strategy_returns: what each strategy made, session by session, for the correlation between strategies.
        confidence: for the components.
        method: for every value at risk and shortfall.

    Raises:
        StatisticsError: a return is no finite number, or two series do not have the same sessions.
    """
    returns, lived = checked(returns), checked(strategy_returns or {})
    sessions = len(next(iter(returns.values()), ()))
    missing, equity = without_history(holdings, returns), standing.equity
    total = None if missing else whole(profits(holdings, returns, by_symbol), sessions)
    session_returns = None if total is None or equity <= ZERO else total / float(equity)
    at_95, at_99 = (None if total is None else tail_risk(total, level, method) for level in (0.95, 0.99))

    def parts(part: Callable[[Holding], str]) -> tuple[Part, ...]:
        split = decompose(profits(holdings, returns, part), confidence, method) if holdings and not missing else None
        return _parts(holdings, part, equity, split)

    sizes = exposures(holdings, by_symbol)
    held = {symbol: returns[symbol] for symbol in sizes if symbol in returns}
    gross = summed(sizes.values())
    largest = None if gross is None else max(sizes, key=lambda symbol: sizes[symbol] or ZERO, default=None)
    fallen = share(equity - standing.high_water_mark, standing.high_water_mark)
    return RiskReport(
        time_ns=standing.time_ns,
        equity=equity,
        gross_exposure=gross,
        net_exposure=summed(holding.value for holding in holdings),
        leverage=share(gross, equity),
        largest_exposure=None if largest is None else share(sizes[largest], equity),
        largest_symbol=largest,
        high_water_mark=standing.high_water_mark,
        drawdown=fallen,
        max_drawdown=standing.max_drawdown if fallen is None else min(fallen, standing.max_drawdown),
        volatility=None if session_returns is None else _left(volatility(session_returns)),
        var_95=None if at_95 is None else leave(at_95.value_at_risk),
        var_99=None if at_99 is None else leave(at_99.value_at_risk),
        es_95=None if at_95 is None else leave(at_95.expected_shortfall),
        es_99=None if at_99 is None else leave(at_99.expected_shortfall),
        beta=None if session_returns is None or benchmark is None else _left(beta(session_returns, benchmark)),
        average_strategy_correlation=_left(average_correlation(lived)),
        sessions=sessions,
        without_history=missing,
        positions=parts(by_symbol),
        strategies=parts(by_strategy),
        sectors=parts(by_sector),
        correlations={pair: _left(found) for pair, found in correlations(held).items()},
        strategy_correlations={pair: _left(found) for pair, found in correlations(lived).items()},
    )


def _parts(
    holdings: Sequence[Holding], part: Callable[[Holding], str], equity: Decimal, split: Decomposition | None
) -> tuple[Part, ...]:
    values, sizes = net_values(holdings, part), exposures(holdings, part)
    units = values if part is by_symbol else sizes
    return tuple(
        Part(
            name=name,
            value=values[name],
            exposure=sizes[name],
            share=share(sizes[name], equity),
            component_var=None if split is None else leave(split.components[name].value_at_risk),
            component_es=None if split is None else leave(split.components[name].expected_shortfall),
            marginal_var=None
            if split is None or (unit := units[name]) is None
            else _left(marginal(split.components[name].value_at_risk, float(unit))),
        )
        for name in values
    )


def _left(estimate: float | None) -> Decimal | None:
    return None if estimate is None else leave(estimate)
