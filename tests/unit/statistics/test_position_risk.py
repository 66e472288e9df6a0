"""Position risk: each position by itself, and the portfolio check at its boundaries."""

from decimal import Decimal

import numpy as np
import pytest

from tests.unit.statistics.samples import normal
from tidegate.errors import StatisticsError
from tidegate.statistics.dependence import correlation
from tidegate.statistics.holdings import Holding
from tidegate.statistics.position_risk import Excess, PositionRiskLimits, check_positions, position_risks
from tidegate.statistics.value_at_risk import tail_risk
from tidegate.statistics.vectors import leave

A, B, C = (normal(100, seed=seed) for seed in (1, 2, 3))
RETURNS = {"A": A, "B": B, "C": C}
# Nine sessions in a hundred lose 1%: the quantile at 5% is exactly that.
STEPS = np.concatenate([np.full(9, -0.01), np.zeros(91)])
OPEN = PositionRiskLimits(*[Decimal(1_000)] * 5)


def holding(symbol: str, value: str, sector: str = "", strategy_id: str = "one") -> Holding:
    """Hold an instrument, in a sector of its own unless told otherwise."""
    return Holding(strategy_id, symbol, sector or f"sector of {symbol}", Decimal(value))


def found(*excesses: Excess) -> set[tuple[str, str]]:
    """Name what is over its limit."""
    return {(excess.figure, excess.name) for excess in excesses}


def test_a_position_is_measured_by_itself_and_against_the_rest() -> None:
    """Pins every figure of a long and a short, summed over strategies, against its own calculation."""
    held = [holding("A", "600"), holding("B", "-300"), holding("A", "200", strategy_id="two"), holding("C", "50")]
    risks = {risk.symbol: risk for risk in position_risks(held, RETURNS, Decimal(1_000))}
    assert ["A", "B", "C"] == list(risks)
    own, rest = -300.0 * B, 800.0 * A + 50.0 * C
    figures = tail_risk(own, 0.95)
    moves = correlation(own, rest)
    assert figures is not None
    assert moves is not None
    assert leave(figures.value_at_risk) == risks["B"].value_at_risk
    assert leave(figures.expected_shortfall) == risks["B"].expected_shortfall
    assert leave(moves) == risks["B"].correlation
    assert Decimal("0.3") == risks["B"].concentration
    assert Decimal("0.8") == risks["A"].concentration


def test_strategies_on_opposite_sides_concentrate_and_risk_nothing() -> None:
    """Pins that size is gross and risk is net."""
    sides = [holding("A", "0.1"), holding("A", "0.2", strategy_id="two"), holding("A", "-0.3", strategy_id="three")]
    held = [*sides, holding("B", "100")]
    risk = position_risks(held, RETURNS, Decimal(1_000))[0]
    assert (Decimal(0), Decimal(0)) == (risk.value_at_risk, risk.expected_shortfall)
    assert (None, Decimal("0.0006")) == (risk.correlation, risk.concentration)


def test_a_position_alone_moves_with_nothing() -> None:
    """Pins that it is not compared with itself: the correlation would be 1, and always over the limit."""
    (risk,) = position_risks([holding("A", "10")], RETURNS, Decimal(1_000))
    assert risk.correlation is None
    assert () == check_positions([holding("A", "10")], RETURNS, Decimal(1_000))


def test_what_has_no_history_is_undefined_and_so_is_every_correlation_with_it() -> None:
    """Pins that a missing history is never a risk of zero."""
    held = [holding("A", "10"), holding("NEW", "10"), holding("B", "10")]
    a, new, _ = position_risks(held, RETURNS, Decimal(1_000))
    assert (None, None, None, Decimal("0.01")) == (
        new.value_at_risk,
        new.expected_shortfall,
        new.correlation,
        new.concentration,
    )
    assert a.value_at_risk is not None
    assert a.correlation is None
    (excess,) = check_positions(held, RETURNS, Decimal(1_000))
    assert Excess("position_risk", "NEW", None, Decimal("0.02")) == excess


def test_59_sessions_are_no_history() -> None:
    """Pins that a short history does not pass the check."""
    short = {"A": A[:59]}
    assert {("position_risk", "A")} == found(*check_positions([holding("A", "1")], short, Decimal(1_000)))
    assert () == check_positions([holding("A", "1")], {"A": A[:60]}, Decimal(1_000))


def test_the_defaults_are_those_of_chapter_8() -> None:
    """Pins the figures of the page."""
    limits = PositionRiskLimits()
    assert ("0.02", "0.70", "0.20", "0.30", "2.0") == (
        str(limits.position_risk),
        str(limits.correlation),
        str(limits.position_size),
        str(limits.sector_exposure),
        str(limits.leverage),
    )


@pytest.mark.parametrize("side", ["", "-"])
@pytest.mark.parametrize(("value", "over"), [("1999.99", False), ("2000", False), ("2000.01", True)])
def test_a_position_risks_its_share_of_equity_and_not_a_cent_more(value: str, side: str, *, over: bool) -> None:
    """Pins the limit of 0.02 from both sides: a value at risk of 1% of 2,000 on an equity of 1,000."""
    limits = PositionRiskLimits(*[Decimal("0.02"), *[Decimal(1_000)] * 4])
    returns = {"A": -STEPS if side else STEPS}
    excesses = check_positions([holding("A", side + value)], returns, Decimal(1_000), limits)
    assert over is (found(*excesses) == {("position_risk", "A")})
    assert over is bool(excesses)


@pytest.mark.parametrize(
    ("limits", "held", "excess"),
    [
        pytest.param({"position_size": "0.2"}, [("A", "-{}", "x")], ("position_size", "A"), id="one position"),
        pytest.param(
            {"sector_exposure": "0.2"}, [("A", "100", "x"), ("B", "-{}", "x")], ("sector_exposure", "x"), id="sector"
        ),
        pytest.param({"leverage": "0.2"}, [("A", "100", "x"), ("B", "-{}", "y")], ("leverage", "portfolio"), id="all"),
    ],
)
@pytest.mark.parametrize(("cents", "over"), [(-1, False), (0, False), (1, True)])
def test_exposure_passes_at_the_limit_and_not_a_cent_above(
    limits: dict[str, str], held: list[tuple[str, str, str]], excess: tuple[str, str], cents: int, *, over: bool
) -> None:
    """Pins size, sector and leverage at 200 of 1,000, gross."""
    rest = Decimal(200) - sum(Decimal(value) for _, value, _ in held if "{" not in value) + Decimal(cents) / 100
    holdings = [holding(symbol, value.format(rest), sector) for symbol, value, sector in held]
    names = PositionRiskLimits.__dataclass_fields__
    only = PositionRiskLimits(**{name: Decimal(limits.get(name, 1_000)) for name in names})
    assert ({excess} if over else set()) == found(*check_positions(holdings, RETURNS, Decimal(1_000), only))


@pytest.mark.parametrize(("limit", "over"), [("0.70000001", False), ("0.70", False), ("0.69999999", True)])
def test_positions_that_move_together_are_found(limit: str, *, over: bool) -> None:
    """Pins the correlation at its limit: two series made to have 0.7 to eight digits."""
    one = (A - A.mean()) / A.std()
    rest = B - B.mean() - (B @ one) / len(B) * one
    other = 0.7 * one + np.sqrt(1.0 - 0.49) * rest / rest.std()
    limits = PositionRiskLimits(Decimal(1_000), Decimal(limit), *[Decimal(1_000)] * 3)
    held = [holding("X", "0.01"), holding("Y", "0.01")]
    excesses = check_positions(held, {"X": one, "Y": other}, Decimal(1_000), limits)
    assert ({("correlation", "X"), ("correlation", "Y")} if over else set()) == found(*excesses)


def test_a_short_of_what_moves_alike_hedges() -> None:
    """Pins that sides count: long one, short the other is a correlation below zero."""
    held = [holding("A", "1"), holding("B", "-1")]
    assert () == check_positions(held, {"A": A, "B": A + 0.1 * B}, Decimal(1_000))


@pytest.mark.parametrize("equity", ["0", "-5"])
def test_without_equity_every_position_is_over_and_no_position_is_not(equity: str) -> None:
    """Pins that limits are products: a share of nothing does not pass."""
    excesses = check_positions([holding("A", "1")], RETURNS, Decimal(equity), OPEN)
    assert {"position_risk", "position_size", "sector_exposure", "leverage"} == {one.figure for one in excesses}
    assert [None] * 4 == [one.actual for one in excesses]
    if equity == "0":
        assert () == check_positions([], RETURNS, Decimal(0))


def test_an_excess_says_by_how_much() -> None:
    """Pins the figures that an alert is written from."""
    (excess,) = check_positions(
        [holding("A", "250", "x")], RETURNS, Decimal(1_000), PositionRiskLimits(position_risk=Decimal(1))
    )
    assert Excess("position_size", "A", Decimal("0.25"), Decimal("0.20")) == excess


def test_returns_of_other_sessions_are_refused() -> None:
    """Pins that sessions are compared one by one."""
    with pytest.raises(StatisticsError, match="100, 99"):
        check_positions([holding("A", "1")], {"A": A, "B": B[1:]}, Decimal(1_000))
