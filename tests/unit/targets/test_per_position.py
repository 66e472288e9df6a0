"""The models that look at one position after the other: drawdown, profit, trailing stop."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.targets.contexts import context, judged, position
from tidegate.targets.maximum_drawdown_per_security import MaximumDrawdownPerSecurity
from tidegate.targets.maximum_unrealised_profit import MaximumUnrealisedProfitPerSecurity
from tidegate.targets.model import RiskModel
from tidegate.targets.null import NullRiskModel
from tidegate.targets.trailing_stop import TrailingStop

DRAWDOWN = MaximumDrawdownPerSecurity("0.05")
PROFIT = MaximumUnrealisedProfitPerSecurity("0.05")


def test_the_null_model_changes_nothing() -> None:
    """Whatever is held and wanted."""
    assert {} == judged(NullRiskModel(), context("-5", A=position("100", "100", "1")), A="1000", B="-1000")


@pytest.mark.parametrize(
    ("quantity", "mark", "expected"),
    [
        ("10", "95.01", {}),
        ("10", "95", {}),
        ("10", "94.99", {"A": "OUT"}),
        ("-10", "104.99", {}),
        ("-10", "105", {}),
        ("-10", "105.01", {"A": "OUT"}),
        ("10", "1000", {}),
        ("-10", "1", {}),
    ],
)
def test_a_position_goes_when_it_has_lost_more_than_the_limit(
    quantity: str, mark: str, expected: dict[str, str]
) -> None:
    """Long and short, above the limit, at it and below it; a profit is no loss."""
    assert expected == judged(DRAWDOWN, context(A=position(quantity, "100", mark)))


@pytest.mark.parametrize(
    ("quantity", "mark", "expected"),
    [
        ("10", "104.99", {}),
        ("10", "105", {}),
        ("10", "105.01", {"A": "OUT"}),
        ("-10", "95.01", {}),
        ("-10", "95", {}),
        ("-10", "94.99", {"A": "OUT"}),
        ("10", "1", {}),
        ("-10", "1000", {}),
    ],
)
def test_a_position_goes_when_it_has_gained_more_than_the_limit(
    quantity: str, mark: str, expected: dict[str, str]
) -> None:
    """Long and short, below the limit, at it and above it; a loss is no profit."""
    assert expected == judged(PROFIT, context(A=position(quantity, "100", mark)))


def test_a_position_goes_whatever_the_strategy_wants_of_it() -> None:
    """The liquidation takes the place of the target; the other target is not returned."""
    assert {"A": "OUT"} == judged(DRAWDOWN, context(A=position("10", "100", "80")), A="50", B="5")


@pytest.mark.parametrize("model", [DRAWDOWN, PROFIT, TrailingStop("0.05")])
def test_what_only_works_or_is_only_wanted_has_neither_lost_nor_gained(model: RiskModel) -> None:
    """A position begins with its first fill."""
    assert {} == judged(model, context(A=position("0", "0", "100", buys="10")), A="10")


@pytest.mark.parametrize("kind", [MaximumDrawdownPerSecurity, TrailingStop])
def test_an_instrument_that_is_ignored_stays(kind: type[MaximumDrawdownPerSecurity | TrailingStop]) -> None:
    """Such as the puts of a hedge."""
    seen = context(A=position("10", "100", "50"), P=position("10", "100", "50"))
    assert {"A": "OUT"} == judged(kind("0.05", ignore=["P"]), seen)


@pytest.mark.parametrize("parameter", ["0", "-0.1", "1.01", "NaN"])
def test_a_limit_that_is_no_share_is_refused(parameter: str) -> None:
    """A limit that can never be crossed, or always is, is a mistake."""
    with pytest.raises(ValueError, match="limit is"):
        MaximumDrawdownPerSecurity(parameter)


def test_a_profit_may_be_limited_above_the_cost_and_a_float_is_refused() -> None:
    """What doubles is possible; 0.05 in binary is not 0.05."""
    assert {} == judged(MaximumUnrealisedProfitPerSecurity("1.5"), context(A=position("1", "100", "250")))
    binary: Any = 0.05
    with pytest.raises(TypeError, match=r"limit is the float 0\.05"):
        MaximumUnrealisedProfitPerSecurity(binary)


def trailed(quantity: str, *marks: str) -> list[dict[str, str]]:
    """Hold a position bought at 100 through some bars; return what the model does on each."""
    model = TrailingStop("0.10")
    return [judged(model, context(A=position(quantity, "100", mark))) for mark in marks]


@pytest.mark.parametrize(
    ("quantity", "marks", "last"),
    [
        ("10", ["110", "99.01"], {}),
        ("10", ["110", "99"], {}),
        ("10", ["110", "98.99"], {"A": "OUT"}),
        ("10", ["90"], {}),
        ("10", ["89.99"], {"A": "OUT"}),
        ("-10", ["90", "98.99"], {}),
        ("-10", ["90", "99"], {}),
        ("-10", ["90", "99.01"], {"A": "OUT"}),
        ("-10", ["110"], {}),
        ("-10", ["110.01"], {"A": "OUT"}),
    ],
)
def test_a_stop_trails_the_best_price(quantity: str, marks: list[str], last: dict[str, str]) -> None:
    """From what was paid and from the best price since, long and short, at the limit and a tick on either side."""
    days = trailed(quantity, *marks)
    assert [*[{}] * (len(marks) - 1), last] == days


def test_a_stop_goes_on_from_bar_to_bar_until_the_position_is_gone() -> None:
    """What is still held on the next bar is still to go."""
    assert [{}, {"A": "OUT"}, {"A": "OUT"}] == trailed("10", "120", "100", "101")


def test_a_position_that_is_turned_round_or_opened_again_trails_anew() -> None:
    """The best price of the position before it says nothing about this one."""
    model = TrailingStop("0.10")
    assert {} == judged(model, context(A=position("10", "100", "150")))
    assert {} == judged(model, context(A=position("-10", "130", "125")))
    assert {} == judged(model, context())
    assert {} == judged(model, context(A=position("10", "100", "95")))


def test_adding_to_a_position_does_not_move_the_stop() -> None:
    """The distance is one of prices, so buying more neither raises the best nor hides a fall."""
    model = TrailingStop("0.10")
    assert {} == judged(model, context(A=position("10", "100", "120")))
    larger = position("100", "109", "107.99")
    assert Decimal(100) == larger.quantity
    assert {"A": "OUT"} == judged(model, context(A=larger))
