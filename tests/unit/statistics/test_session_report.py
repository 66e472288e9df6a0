"""The report of a session: the same figures as by the functions alone; sessions aligned, findings at their limits."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.unit.statistics.samples import normal
from tidegate.instruments import Instrument
from tidegate.numbers import ONE, plain
from tidegate.portfolio.session_end import Held, SessionEnd, State
from tidegate.report_rules import ReportRules
from tidegate.statistics.dependence import beta, sharpe_ratio
from tidegate.statistics.equal_risk import size_adjustments
from tidegate.statistics.holdings import Holding
from tidegate.statistics.position_risk import position_risks
from tidegate.statistics.report import Standing, risk_report
from tidegate.statistics.session_report import session_report
from tidegate.v1 import risk_pb2

A, B, C = (normal(120, seed=seed) for seed in (1, 2, 3))


def instrument(symbol: str, sector: str = "", currency: str = "USD") -> Instrument:
    """Describe an instrument of which a unit is worth its price."""
    return Instrument(symbol, ONE, ONE, ONE, currency, sector, "")


def held(strategy_id: str, of: Instrument, value: int) -> Held:
    """Let a strategy hold so much, at a price of 1."""
    return Held(strategy_id, of, Decimal(value), ONE)


TECH = instrument("A", "tech")
HELD = (held("trend", TECH, 6_000), held("trend", instrument("B"), -2_000), held("value", TECH, 1_000))
RATE = Decimal("1.25")
EQUITY = Decimal(100_000)
WIDE = ReportRules(
    benchmark="C",
    position_risk=Decimal(1),
    position_correlation=Decimal(1),
    position_size=Decimal(1),
    sector_exposure=Decimal(1),
    leverage=Decimal(6),
    critical_drawdown=Decimal(1),
)


def stood(held: Sequence[Held], equity: Decimal, peak: Decimal, rate: Decimal | None = RATE) -> State:
    """Describe a book in dollars; a euro has a rate, or none, and the benchmark C is in dollars."""
    return State(
        day=19_000,
        time_ns=19_000 * 86_400_000_000_000 + 5,
        equity=equity,
        high_water_mark=peak,
        held=tuple(held),
        limits=(risk_pb2.LimitState(),),
        currency="USD",
        rates={} if rate is None else {"EUR": rate},
        rate_symbols={"EUR": "EURUSD"},
        instruments={name: instrument(name) for name in ("C", "EURUSD")} | {"E": instrument("E", currency="EUR")},
    )


def ended(
    held: Sequence[Held] = HELD,
    equity: Decimal = EQUITY,
    peak: Decimal = EQUITY,
    rate: Decimal | None = RATE,
    **returns: Sequence[float | None],
) -> SessionEnd:
    """Describe the end of a session."""
    rows = {"A": A, "B": B, "C": C} | returns
    return SessionEnd(
        end_sequence=9,
        state=stood(held, equity, peak, rate),
        max_drawdown=Decimal("-0.05"),
        returns={symbol: tuple(None if one is None else float(one) for one in row) for symbol, row in rows.items()},
        portfolio_returns=tuple(A.tolist()),
        strategy_returns={"trend": tuple(A.tolist()), "value": tuple(B[-70:].tolist()), "new": (0.1,)},
    )


def holdings() -> list[Holding]:
    """Return what is held as the statistics take it."""
    return [Holding(one.strategy_id, one.instrument.symbol, one.instrument.sector, one.quantity) for one in HELD]


def codes(made: risk_pb2.RiskReport) -> list[str]:
    """Name what was found, with its scope."""
    return [f"{found.reason_code} {found.scope.name}".strip() for found in made.findings]


def test_the_report_has_the_figures_of_the_functions_that_it_is_made_by() -> None:
    """Pins every field against its own calculation."""
    made = session_report(ended(), WIDE)
    standing = Standing(ended().state.time_ns, EQUITY, EQUITY, Decimal("-0.05"))
    whole = risk_report(standing, holdings(), {"A": A, "B": B}, benchmark=C)
    for name in ("equity", "gross_exposure", "net_exposure", "leverage", "var_95", "var_99", "es_95", "es_99", "beta"):
        assert plain(getattr(whole, name)) == getattr(made, name), name
    assert ("A", "0.07", "-0.05", 120) == (
        made.largest_symbol,
        made.largest_exposure,
        made.max_drawdown,
        made.sessions,
    )
    assert float(made.beta) == pytest.approx(beta((7_000 * A - 2_000 * B) / 100_000, C), abs=1e-8)
    assert float(made.sharpe_ratio) == pytest.approx(sharpe_ratio(A, 0.02))
    risks = position_risks(holdings(), {"A": A, "B": B}, EQUITY)
    factors = size_adjustments(holdings(), {"A": A, "B": B})
    assert factors is not None
    assert [(one.symbol, plain(factors[one.symbol])) for one in risks] == [
        (one.symbol, one.size_factor) for one in made.position_risks
    ]
    assert [str(one.value_at_risk) for one in risks] == [one.value_at_risk for one in made.position_risks]
    assert (["A", "B"], 1) == (list(made.correlations.names), len(made.correlations.upper))
    assert ["tech", ""] == [part.name for part in made.sectors]
    assert (9, 1, []) == (made.end_sequence, len(made.limits), codes(made))
    lived = float(np.corrcoef(A[-70:], B[-70:])[0, 1])
    assert float(made.strategy_correlations.upper[0]) == pytest.approx(lived)
    assert ["trend", "value"] == list(made.strategy_correlations.names)


def test_a_session_that_ends_with_nothing_held_has_its_report() -> None:
    """Pins that there is nothing for the benchmark to explain then, and that the rest of the report stands."""
    made = session_report(ended(held=()), WIDE)
    assert ("", 0, "0", "100000", []) == (made.beta, made.sessions, made.gross_exposure, made.equity, codes(made))
    assert ["trend", "value"] == list(made.strategy_correlations.names)


def test_only_sessions_in_which_all_that_is_held_has_a_return_are_taken() -> None:
    """Pins a gap, a shorter history and a benchmark's own gaps: dropped for all, nothing filled in."""
    gap: list[float | None] = [None if place == 50 else one for place, one in enumerate(B.tolist())]
    made = session_report(ended(B=gap, A=A[-100:].tolist()), WIDE)
    both = [place for place in range(20, 120) if place != 50]
    whole = risk_report(
        Standing(0, EQUITY, EQUITY, Decimal(0)), holdings(), {"A": A[both], "B": B[both]}, benchmark=C[both]
    )
    assert (99, plain(whole.var_95 or Decimal(0)), plain(whole.beta or Decimal(0))) == (
        made.sessions,
        made.var_95,
        made.beta,
    )


@pytest.mark.parametrize("benchmark", [A[-59:], [None] * 60 + [0.0] * 60, [0.01] * 60 + [None] * 60])
def test_a_benchmark_with_too_little_in_common_gives_no_beta_and_takes_nothing_from_the_rest(
    benchmark: Sequence[float | None],
) -> None:
    """Pins 59 sessions, one that does not move, and one that has nothing but the sessions of before."""
    made = session_report(ended(C=benchmark, A=A[-61:].tolist()), WIDE)
    assert "" == made.beta
    assert made.var_95
    assert made.sessions in (60, 61)


def test_without_60_sessions_of_what_is_held_the_whole_is_undefined_and_named() -> None:
    """Pins the instrument, the empty figures, and that its undefined risk is a finding."""
    made = session_report(ended(B=B[-59:].tolist()), replace(WIDE, benchmark=""))
    assert (["B"], "", "", "") == (list(made.without_history), made.var_95, made.beta, made.volatility)
    assert ["RISK_UNDEFINED B"] == codes(made)
    assert "" == made.findings[0].actual
    assert "" == made.position_risks[0].size_factor


def with_limit(figure: str, bound: Decimal) -> ReportRules:
    """Write the wide rules with one of them set."""
    changes: dict[str, Any] = {figure: bound}
    return replace(WIDE, **changes)


def exactly(figure: str) -> Decimal:
    """Return what the sample has of a figure."""
    risks = position_risks(holdings(), {"A": A, "B": B}, EQUITY)
    found = {
        "position_risk": (risks[0].value_at_risk or Decimal(0)) / EQUITY,
        "position_correlation": max(risk.correlation or Decimal(0) for risk in risks),
        "position_size": Decimal("0.07"),
        "sector_exposure": Decimal("0.07"),
        "leverage": Decimal("0.09"),
        "critical_drawdown": Decimal("0.2"),
    }
    return found[figure]


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        ("position_risk", ["POSITION_RISK A"]),
        ("position_size", ["CONCENTRATION A"]),
        ("sector_exposure", ["CONCENTRATION tech"]),
        ("leverage", ["LEVERAGE"]),
        ("critical_drawdown", ["DRAWDOWN_CRITICAL"]),
    ],
)
def test_a_finding_begins_above_its_limit_and_not_at_it(figure: str, expected: list[str]) -> None:
    """Pins each limit at the figure and just below it, with what it says."""
    at = exactly(figure)
    end = ended(peak=Decimal(125_000)) if figure == "critical_drawdown" else ended()
    assert [] == codes(session_report(end, with_limit(figure, at)))
    found = session_report(end, with_limit(figure, at - Decimal("0.00000001")))
    assert expected == codes(found)
    assert found.findings[0].text.startswith("session 2022-01-08: ")


def test_a_position_that_moves_with_the_others_is_found() -> None:
    """Pins the correlation with the other positions, both ways, exactly at the limit and below it."""
    alike = A + B / 4
    end = ended(held=(HELD[0], replace(HELD[1], quantity=Decimal(2_000))), B=alike.tolist())
    (_, risk) = position_risks(
        [Holding("t", "A", "", Decimal(1)), Holding("t", "B", "", Decimal(1))], {"A": A, "B": alike}, EQUITY
    )
    assert risk.correlation is not None
    assert [] == codes(session_report(end, replace(WIDE, position_correlation=risk.correlation)))
    below = replace(WIDE, position_correlation=risk.correlation - Decimal("0.00000001"))
    assert ["POSITION_CORRELATION A", "POSITION_CORRELATION B"] == codes(session_report(end, below))


def test_a_portfolio_without_equity_is_over_every_limit_of_a_share() -> None:
    """Pins equity of 0: nothing is divided by it, and nobody is told that all is well."""
    made = session_report(ended(equity=Decimal(0)), WIDE)
    assert {"POSITION_RISK A", "CONCENTRATION A", "CONCENTRATION tech", "LEVERAGE"} <= set(codes(made))
    assert all("no equity to be measured by" in one.text for one in made.findings)
    assert ("", "") == (made.leverage, made.volatility)


def test_a_matrix_has_the_largest_positions_only() -> None:
    """Pins the bound of 100, row by row."""
    most = [held("trend", instrument(f"S{number:03}"), 1_000 + number) for number in range(102)]
    rows = {one.instrument.symbol: normal(60, seed=number).tolist() for number, one in enumerate(most)}
    made = session_report(ended(held=most, **rows), WIDE)
    assert [one.instrument.symbol for one in most[2:]] == list(made.correlations.names)
    assert 100 * 99 // 2 == len(made.correlations.upper)
    last = float(np.corrcoef(rows["S100"], rows["S101"])[0, 1])
    assert float(made.correlations.upper[-1]) == pytest.approx(last)


def test_an_empty_portfolio_has_a_report() -> None:
    """Pins the first morning: nothing held, nothing known."""
    end = SessionEnd(9, stood((), EQUITY, EQUITY), Decimal(0), {}, (), {})
    made = session_report(end, ReportRules())
    assert ("100000", "0", "0", "", []) == (
        made.equity,
        made.gross_exposure,
        made.leverage,
        made.sharpe_ratio,
        codes(made),
    )


class TestForeignInstruments:
    """What is priced in another currency counts in the portfolio's, or leaves the figure undefined."""

    HELD = (held("trend", TECH, 6_000), held("value", instrument("E", "tech", "EUR"), 2_000))

    def test_they_are_worth_the_rate_of_the_end_and_move_with_it(self) -> None:
        """Pins the value, and every return as that of price and rate, in the sessions that both have."""
        gap: list[float | None] = [None if place == 70 else one for place, one in enumerate(C.tolist())]
        made = session_report(ended(self.HELD, E=B.tolist(), EURUSD=gap), replace(WIDE, benchmark=""))
        both = [place for place in range(120) if place != 70]
        joint = {"A": A[both], "E": ((1 + B) * (1 + C) - 1)[both]}
        dollars = [Holding("trend", "A", "tech", Decimal(6_000)), Holding("value", "E", "tech", Decimal(2_500))]
        whole = risk_report(Standing(0, EQUITY, EQUITY, Decimal(0)), dollars, joint)
        assert ("8500", 119, []) == (made.gross_exposure, made.sessions, list(made.without_history))
        for name in ("var_95", "var_99", "es_95", "es_99", "volatility"):
            assert plain(getattr(whole, name)) == getattr(made, name), name
        assert ["A", "E"] == list(made.correlations.names)
        (_, risk) = position_risks(dollars, joint, EQUITY)
        assert str(risk.value_at_risk) == made.position_risks[1].value_at_risk

    def test_a_foreign_benchmark_is_measured_in_the_portfolios_currency(self) -> None:
        """Pins beta against price and rate."""
        made = session_report(ended(E=B.tolist(), EURUSD=C.tolist()), replace(WIDE, benchmark="E"))
        in_dollars = (1 + B) * (1 + C) - 1
        assert float(made.beta) == pytest.approx(beta((7_000 * A - 2_000 * B) / 100_000, in_dollars), abs=1e-8)

    def test_without_a_rate_nothing_that_it_is_in_has_a_figure(self) -> None:
        """Pins that no figure of the whole, the part or the position is 0 or smaller than it is, and what is said."""
        made = session_report(ended(self.HELD, rate=None, E=B.tolist()), WIDE)
        for name in ("gross_exposure", "net_exposure", "leverage", "largest_symbol", "largest_exposure", "var_95"):
            assert "" == getattr(made, name), name
        assert {"A": ("6000", "0.06"), "E": ("", "")} == {one.name: (one.value, one.share) for one in made.positions}
        assert {"trend": "6000", "value": ""} == {one.name: one.exposure for one in made.strategies}
        assert {"tech": ""} == {one.name: one.exposure for one in made.sectors}
        assert [True, False] == [bool(one.value_at_risk) for one in made.position_risks]
        assert ["E"] == list(made.without_history)
        assert ["RISK_UNDEFINED E", "RISK_UNDEFINED tech", "RISK_UNDEFINED"] == codes(made)
        assert [
            "session 2022-01-08: value at risk of E is undefined: EUR has no rate",
            "session 2022-01-08: exposure to sector tech is undefined: EUR has no rate",
            "session 2022-01-08: gross exposure is undefined: EUR has no rate",
        ] == [found.text for found in made.findings]

    @pytest.mark.parametrize("rates", [C[-59:], [None] * 60 + [0.01] * 60])
    def test_without_60_sessions_of_price_and_rate_together_it_has_a_value_and_no_risk(
        self, rates: Sequence[float | None]
    ) -> None:
        """Pins a rate that is too young, and one that shares too few sessions with the price."""
        priced: list[float | None] = [*B[:80].tolist(), *([None] * 40)]
        made = session_report(ended(self.HELD, E=priced, EURUSD=rates), WIDE)
        assert ("8500", "", ["E"]) == (made.gross_exposure, made.var_95, list(made.without_history))
        assert ["RISK_UNDEFINED E"] == codes(made)
        assert made.findings[0].text.endswith("too few sessions of returns")
        assert 120 == made.sessions
