"""The limits of a portfolio file: profiles, further limits of any scope, what is refused and what is only warned of."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.test_portfolio_file import GOOD, problems, read
from tidegate.portfolio_file import PortfolioFile
from tidegate.v1 import common_pb2, risk_pb2

LIMITS = """\
limits:
  max_leverage: 1.5
  max_concentration: null
"""


def limits(text: str) -> str:
    """Write the good file with other limits."""
    assert LIMITS in GOOD
    return GOOD.replace(LIMITS, f"limits:\n{text}")


def stated(portfolio: PortfolioFile) -> tuple[str, ...]:
    """Return what goes into the journal for leverage, concentration and drawdown."""
    wire = portfolio.to_wire().limits
    return wire.max_leverage, wire.max_concentration, wire.max_drawdown, wire.halt_drawdown


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("standard", ("2", "0.2", "0.15", "0.2")),
        ("conservative", ("1.5", "0.1", "0.12", "0.2")),
        ("aggressive", ("4", "0.25", "0.2", "0.2")),
    ],
)
def test_a_profile_states_the_limits_that_the_file_does_not(
    tmp_path: Path, profile: str, expected: tuple[str, ...]
) -> None:
    """Pins RustyBT's figures, and that a key of the file goes first."""
    assert expected == stated(read(tmp_path, limits(f"  profile: {profile}\n")))
    named = read(tmp_path, limits(f"  profile: {profile}\n  max_leverage: 3\n  max_drawdown: null\n"))
    assert ("3", expected[1], "", "0.2") == stated(named)


def test_a_further_limit_has_one_scope_two_thresholds_and_an_action(tmp_path: Path) -> None:
    """Pins each scope as it goes into the journal."""
    text = """\
  further:
    - {figure: daily_loss, limit: 0.03, action: halt}
    - {figure: drawdown, strategy: momentum, warn: 0.05, limit: 0.1}
    - {figure: order_quantity, instrument: ES, limit: 10}
    - {figure: concentration, sector: technology, limit: 0.30, warn: 0.25, action: reduce}
    - {figure: gross_exposure, asset_class: future, limit: 1_000_000, action: warn}
"""
    found = read(tmp_path, limits(text)).to_wire().further_limits
    scopes = [(common_pb2.ScopeKind.Name(limit.scope.kind)[11:], limit.scope.name) for limit in found]
    assert scopes == [
        ("PORTFOLIO", ""),
        ("STRATEGY", "momentum"),
        ("INSTRUMENT", "ES"),
        ("SECTOR", "technology"),
        ("ASSET_CLASS", "future"),
    ]
    assert ("0.25", "0.3", common_pb2.ACTION_REDUCE) == (found[3].warn, found[3].limit, found[3].action)
    assert risk_pb2.LIMIT_FIGURE_DAILY_LOSS == found[0].figure


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("{figure: drawdown, limit: 0.1}", "the portfolio has a limit of drawdown with this action already"),
        ("{figure: gross_exposure, strategy: nobody, limit: 1}", "there is no strategy nobody"),
        ("{figure: gross_exposure, sector: energy, limit: 1}", "there is no sector energy"),
        ("{figure: gross_exposure, sector: technology, strategy: desk, limit: 1}", "a limit has one scope"),
        ("{figure: drawdown, sector: technology, limit: 0.1}", "drawdown has no meaning for a sector technology"),
        ("{figure: gross_exposure, sector: technology, limit: 1, action: halt}", "cannot be halted"),
        ("{figure: daily_loss}", "a limit needs warn, limit or both"),
        ("{figure: daily_loss, limit: 1.01}", "daily_loss takes at most 1"),
        ("{figure: leverage, strategy: desk, limit: 6.01}", "leverage takes at most 6"),
        ("{figure: daily_loss, warn: 0.2, limit: 0.1}", "warn is above limit"),
        ("{figure: luck, limit: 1}", "figure"),
    ],
)
def test_a_further_limit_that_makes_no_sense_is_refused_with_its_line(tmp_path: Path, entry: str, text: str) -> None:
    """Pins one line a problem, at the limit's own place."""
    (line,) = problems(tmp_path, limits(f"  further:\n    - {entry}\n"))
    assert line.startswith("7:")
    assert text in line


@pytest.mark.parametrize(("leverage", "is_good"), [("6", True), ("6.01", False)])
def test_leverage_above_six_is_refused_for_the_portfolio_and_for_a_strategy(
    tmp_path: Path, leverage: str, *, is_good: bool
) -> None:
    """Pins the bound, exactly at it and above."""
    for text in (limits(f"  max_leverage: {leverage}\n"), GOOD.replace("max_leverage: 2", f"max_leverage: {leverage}")):
        if is_good:
            read(tmp_path, text)
        else:
            assert "max_leverage" in problems(tmp_path, text)[0]


def test_what_is_unwise_is_warned_of_and_not_refused(tmp_path: Path) -> None:
    """Pins missing warnings, a reserve below 10% and a strategy above half; at exactly those nothing is said."""
    wise = read(tmp_path, GOOD.replace(LIMITS, "").replace("allocation: 0.4", "allocation: 0.5"))
    assert [] == list(wise.warnings())
    text = limits("  warn_leverage: null\n  further:\n    - {figure: daily_loss, limit: 0.05}\n")
    unwise = read(tmp_path, text.replace("allocation: 0.4", "allocation: 0.65"))
    assert [
        "limits: nothing warns before max_leverage 2; set warn_leverage below it",
        "limits.further[0]: nothing warns before the daily_loss limit 0.05",
        "strategies: the reserve is 5% of the capital; 10% or more is wise",
        "strategies: momentum has 65% of the capital, over half",
    ] == list(unwise.warnings())
    assert Decimal("0.65") == unwise.strategies[0].allocation


def test_a_limit_on_the_correlation_of_strategies_needs_no_threshold_and_warns_of_its_first_morning(
    tmp_path: Path,
) -> None:
    """Pins RustyBT's 0.80, and that nobody could begin to trade while what is undefined is refused."""
    entry = "{figure: strategy_correlation%s}"
    (limit,) = read(tmp_path, limits(f"  further:\n    - {entry % ''}\n")).to_wire().further_limits
    assert ("0.8", "") == (limit.limit, limit.warn)
    both = (", warn: 0.6, limit: 0.7", ", warn: 0.9, action: warn, on_undefined: warn")
    text = "  further:\n" + "".join(f"    - {entry % fields}\n" for fields in both)
    wise = read(tmp_path, limits(text).replace("allocation: 0.4", "allocation: 0.5"))
    assert [("0.7", "0.6"), ("", "0.9")] == [(one.limit, one.warn) for one in wise.to_wire().further_limits]
    (warning,) = wise.warnings()
    assert warning.startswith("limits.further[0]: no strategy can begin")
