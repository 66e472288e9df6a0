"""What the report of a session finds over its limits, with a reason code and a sentence each."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from operator import attrgetter

from tidegate.numbers import ZERO, plain
from tidegate.portfolio.session_end import Held, SessionEnd
from tidegate.reasons import Reason
from tidegate.report_rules import ReportRules
from tidegate.risk.scopes import PORTFOLIO, Scope, instrument_scope
from tidegate.risk.violation import Violation, percent
from tidegate.statistics.holdings import Holding
from tidegate.statistics.position_risk import Excess, PositionRisk, PositionRiskLimits, excesses
from tidegate.times import to_datetime
from tidegate.v1 import common_pb2

# Figure: the code, and what it is in a sentence.
_WORDS = {
    "position_risk": (Reason.POSITION_RISK, "value at risk of {}"),
    "position_size": (Reason.CONCENTRATION, "exposure to {}"),
    "sector_exposure": (Reason.CONCENTRATION, "exposure to sector {}"),
    "leverage": (Reason.LEVERAGE, "gross exposure"),
    "correlation": (Reason.POSITION_CORRELATION, "correlation of {} with the other positions"),
}


def findings(
    end: SessionEnd,
    holdings: Sequence[Holding],
    risks: Sequence[PositionRisk],
    rules: ReportRules,
    without_rate: Sequence[Held],
) -> Iterator[common_pb2.Violation]:
    """Name everything over its limit or undefined, in the report's own order: positions, sectors, the whole."""
    limits = PositionRiskLimits(
        position_risk=rules.position_risk,
        correlation=rules.position_correlation,
        position_size=rules.position_size,
        sector_exposure=rules.sector_exposure,
        leverage=rules.leverage,
    )
    state, day = end.state, to_datetime(end.session_ns).date().isoformat()
    for excess in excesses(holdings, risks, state.equity, limits):
        if excess.figure != "sector_exposure" or excess.name:  # an instrument without a sector is in none
            lacking = _lacking(excess, without_rate) if state.equity > ZERO else ""
            yield _violation(excess, day, lacking).to_wire()
    lost, peak = state.high_water_mark - state.equity, state.high_water_mark
    if lost > rules.critical_drawdown * peak:
        fallen = lost / peak if peak > ZERO else lost
        text = (
            f"session {day}: equity is {fallen:.2%} below its high-water mark, over {percent(rules.critical_drawdown)}"
        )
        yield _found(Reason.DRAWDOWN_CRITICAL, text, PORTFOLIO, rules.critical_drawdown, fallen).to_wire()


def _lacking(excess: Excess, without_rate: Sequence[Held]) -> str:
    """Say what leaves a figure undefined."""
    part = attrgetter("sector" if excess.figure == "sector_exposure" else "symbol")
    concerned = [one.instrument for one in without_rate]
    if excess.figure != "leverage":
        concerned = [instrument for instrument in concerned if part(instrument) == excess.name]
    currencies = sorted({instrument.currency for instrument in concerned})
    return " and ".join(f"{currency} has no rate" for currency in currencies) or "too few sessions of returns"


def _violation(excess: Excess, day: str, lacking: str) -> Violation:
    reason, words = _WORDS[excess.figure]
    what, scope = words.format(excess.name), _scope(excess)
    if excess.actual is None:
        text = f"session {day}: {what} has no equity to be measured by"
        if lacking:
            reason, text = Reason.RISK_UNDEFINED, f"session {day}: {what} is undefined: {lacking}"
        return _found(reason, text, scope, excess.limit, None)
    is_share = excess.figure not in ("correlation", "leverage")
    actual = f"{excess.actual:.2%} of equity" if is_share else f"{excess.actual:.4f}"
    bound = percent(excess.limit) if is_share else plain(excess.limit)
    unit = " times equity" if excess.figure == "leverage" else ""
    return _found(reason, f"session {day}: {what} is {actual}{unit}, over {bound}", scope, excess.limit, excess.actual)


def _found(reason: Reason, text: str, scope: Scope, limit: Decimal, actual: Decimal | None) -> Violation:
    return Violation(reason, common_pb2.ACTION_WARN, text, scope, limit=limit, actual=actual)


def _scope(excess: Excess) -> Scope:
    if excess.figure == "leverage":
        return PORTFOLIO
    if excess.figure == "sector_exposure":
        return Scope(common_pb2.SCOPE_KIND_SECTOR, excess.name)
    return instrument_scope(excess.name)
