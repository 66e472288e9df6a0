"""The report of a session, from what the portfolio was at its end."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from tidegate.instruments import Instrument
from tidegate.numbers import ZERO, plain
from tidegate.portfolio.session_end import Held, SessionEnd
from tidegate.report_rules import ReportRules
from tidegate.statistics.currencies import Rates, holding, returns_in_base
from tidegate.statistics.dependence import sharpe_ratio
from tidegate.statistics.equal_risk import size_adjustments
from tidegate.statistics.findings import findings
from tidegate.statistics.holdings import Holding
from tidegate.statistics.position_risk import PositionRisk, position_risks
from tidegate.statistics.report import Correlations, Part, RiskReport, Standing, risk_report
from tidegate.statistics.value_at_risk import Method
from tidegate.statistics.vectors import OBSERVATIONS_MIN, Vector, leave
from tidegate.times import to_stamp
from tidegate.v1 import risk_pb2

# Of a matrix, which grows with the square.
_NAMES_MAX = 100


def session_report(end: SessionEnd, rules: ReportRules) -> risk_pb2.RiskReport:
    """Make the report of a session."""
    state = end.state
    rates = Rates(state.currency, state.rates, state.rate_symbols)
    holdings = [_holding(held, rates) for held in state.held]
    returns, benchmark = _aligned(end, rates, rules.benchmark)
    confidence, method = float(rules.confidence), Method(rules.method)
    standing = Standing(state.time_ns, state.equity, state.high_water_mark, end.max_drawdown)
    report = risk_report(
        standing,
        holdings,
        returns,
        benchmark=benchmark,
        strategy_returns=_ended_together(end.strategy_returns),
        confidence=confidence,
        method=method,
    )
    risks = position_risks(holdings, returns, state.equity, confidence, method)
    factors = size_adjustments(holdings, returns) or {}
    message = _message(report)
    message.end_sequence = end.end_sequence
    message.session.CopyFrom(to_stamp(end.session_ns))
    message.benchmark, message.method, message.confidence = rules.benchmark, rules.method, plain(rules.confidence)
    message.risk_free_rate = plain(rules.risk_free_rate)
    sharpe = sharpe_ratio(end.portfolio_returns, float(rules.risk_free_rate))
    message.sharpe_ratio = "" if sharpe is None else plain(leave(sharpe))
    message.sessions = len(next(iter(returns.values()), ()))
    message.limits.extend(state.limits)
    message.position_risks.extend(_position_risk(risk, factors) for risk in risks)
    without_rate = [held for held in state.held if not rates.has(held.instrument.currency)]
    message.findings.extend(findings(end, holdings, risks, rules, without_rate))
    return message


def _holding(held: Held, rates: Rates) -> Holding:
    """Value what is held in the portfolio's currency; without a rate it has no value, which is not 0."""
    instrument = held.instrument
    if not rates.has(instrument.currency):
        return Holding(held.strategy_id, instrument.symbol, instrument.sector, None)
    return holding(held.strategy_id, instrument, held.quantity, held.price, rates)


def _aligned(end: SessionEnd, rates: Rates, benchmark: str) -> tuple[dict[str, Vector], Vector | None]:
    """
    Keep the sessions in which everything that is held has a return, in the portfolio's currency: no gap is filled in.

    What has too few sessions, itself or together with its rate, is left out, and so named by the report; a benchmark
    that leaves too few gives no beta, and neither does one where nothing is held.
    """
    instruments = {**end.state.instruments, **{held.instrument.symbol: held.instrument for held in end.state.held}}
    symbols = sorted({held.instrument.symbol for held in end.state.held})
    made_of = {one: _made_of(instruments[one], rates) for one in (*symbols, benchmark) if one in instruments}
    rows = {name: _row(end.returns.get(name, ())) for names in made_of.values() for name in names}
    longest = max(map(len, rows.values()), default=0)
    rows = {name: np.concatenate((np.full(longest - len(row), np.nan), row)) for name, row in rows.items()}

    def sessions(names: Collection[str]) -> NDArray[np.bool_]:
        return _whole([rows[name] for name in names], longest)

    def in_base(names: Collection[str]) -> dict[str, Vector]:
        whole = sessions(names)
        return returns_in_base({name: rows[name][whole] for name in names}, instruments, rates)

    made_of = {one: names for one, names in made_of.items() if sessions(names).sum() >= OBSERVATIONS_MIN}
    kept = {name for symbol in symbols for name in made_of.get(symbol, ())}
    compared = kept | made_of.get(benchmark, set())
    has_benchmark = bool(kept) and benchmark in made_of and sessions(compared).sum() >= OBSERVATIONS_MIN
    found = in_base(compared if has_benchmark else kept)
    returns = {symbol: found[symbol] for symbol in symbols if symbol in made_of}
    return returns, found[benchmark] if has_benchmark else None


def _made_of(instrument: Instrument, rates: Rates) -> set[str]:
    """Name whose returns those of an instrument in the portfolio's currency are made of."""
    if instrument.currency == rates.base:
        return {instrument.symbol}
    return {instrument.symbol, rates.symbols.get(instrument.currency, "")}


def _row(returns: Sequence[float | None]) -> Vector:
    return np.array([np.nan if one is None else one for one in returns], dtype=np.float64)


def _whole(rows: list[Vector], sessions: int) -> NDArray[np.bool_]:
    """Tell of each session whether every row has it."""
    whole: NDArray[np.bool_] = np.ones(sessions, dtype=np.bool_)
    for row in rows:
        whole &= np.isfinite(row)
    return whole


def _ended_together(series: Mapping[str, Sequence[float]]) -> dict[str, Vector]:
    """Keep the strategies with enough sessions, over the sessions of all of them."""
    enough = {name: one for name, one in series.items() if len(one) >= OBSERVATIONS_MIN}
    shortest = min(map(len, enough.values()), default=0)
    return {name: np.array(one[-shortest:], dtype=np.float64) for name, one in enough.items()}


def _message(report: RiskReport) -> risk_pb2.RiskReport:
    """Write the report as it goes over the wire; what has the same name on both sides needs no line here."""
    message = risk_pb2.RiskReport(
        time=to_stamp(report.time_ns),
        largest_symbol=report.largest_symbol or "",
        without_history=report.without_history,
        positions=map(_part, report.positions),
        strategies=map(_part, report.strategies),
        sectors=map(_part, report.sectors),
    )
    for name in _FIGURES:
        setattr(message, name, _text(getattr(report, name)))
    largest = sorted(report.positions, key=lambda part: part.exposure or ZERO, reverse=True)[:_NAMES_MAX]
    message.correlations.CopyFrom(_matrix(report.correlations, {part.name for part in largest}))
    lived = {name for pair in report.strategy_correlations for name in pair}
    message.strategy_correlations.CopyFrom(_matrix(report.strategy_correlations, lived))
    return message


_FIGURES = (
    "equity",
    "gross_exposure",
    "net_exposure",
    "leverage",
    "largest_exposure",
    "high_water_mark",
    "drawdown",
    "max_drawdown",
    "volatility",
    "var_95",
    "var_99",
    "es_95",
    "es_99",
    "beta",
    "average_strategy_correlation",
)


def _part(part: Part) -> risk_pb2.RiskPart:
    return risk_pb2.RiskPart(
        name=part.name,
        value=_text(part.value),
        exposure=_text(part.exposure),
        share=_text(part.share),
        component_var=_text(part.component_var),
        component_es=_text(part.component_es),
        marginal_var=_text(part.marginal_var),
    )


def _position_risk(risk: PositionRisk, factors: Mapping[str, Decimal]) -> risk_pb2.PositionRisk:
    return risk_pb2.PositionRisk(
        symbol=risk.symbol,
        value_at_risk=_text(risk.value_at_risk),
        expected_shortfall=_text(risk.expected_shortfall),
        correlation=_text(risk.correlation),
        concentration=_text(risk.concentration),
        size_factor=_text(factors.get(risk.symbol)),
    )


def _matrix(found: Correlations, names: set[str]) -> risk_pb2.CorrelationMatrix:
    """Write the pairs among some names, row by row, in the order of the pairs."""
    ordered = [name for name in dict.fromkeys(name for pair in found for name in pair) if name in names]
    both = {**found, **{(other, one): value for (one, other), value in found.items()}}
    upper = [_text(both[one, other]) for i, one in enumerate(ordered) for other in ordered[i + 1 :]]
    return risk_pb2.CorrelationMatrix(names=ordered, upper=upper)


def _text(figure: Decimal | None) -> str:
    return "" if figure is None else plain(figure)
