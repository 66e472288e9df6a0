"""Targets in foreign instruments: valued at the rate, and refused without one."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.unit.targets.contexts import INSTRUMENTS, context, instrument, judged, position
from tidegate.black_scholes import delta
from tidegate.instruments import Instrument
from tidegate.targets.collection import PortfolioTargetCollection
from tidegate.targets.maximum_sector_exposure import MaximumSectorExposure
from tidegate.targets.option_hedge import OptionHedge
from tidegate.targets.target import PortfolioTarget

FOREIGN = {symbol: replace(one, currency="EUR") for symbol, one in INSTRUMENTS.items()}
PUT: Instrument = replace(instrument("P", "", multiplier="10"), currency="EUR")


@pytest.mark.parametrize(("rate", "expected"), [("2", {}), ("2.01", {"A": "9"}), ("0.5", {})])
def test_a_sector_is_held_against_the_equity_at_the_rate(rate: str, expected: dict[str, str]) -> None:
    """Ten at 100 euros: exactly 2,000 dollars of 10,000, a cent of the rate more, and far less."""
    seen = context(instruments=FOREIGN, closes={"A": "100"}, rates={"EUR": rate})
    assert expected == judged(MaximumSectorExposure("0.20"), seen, A="10")


def test_puts_protect_at_the_rate_too() -> None:
    """The same number of puts as in the portfolio's own currency, for an equity that is worth twice as much."""
    terms = {"symbol": "P", "strike": "100", "expiry": "2022-07-03", "volatility": "0.3"}
    found = []
    for instruments, rates, equity in (
        (INSTRUMENTS | {"P": replace(PUT, currency="USD")}, {}, "10000"),
        (FOREIGN | {"P": PUT}, {"EUR": "2"}, "20000"),
    ):
        at = datetime(2022, 1, 3, tzinfo=UTC)
        seen = context(equity, instruments=instruments, closes={"A": "100", "P": "5"}, rates=rates, time=at)
        found.append(judged(OptionHedge({"A": terms}, threshold="0.20"), seen, A="50"))
    slope = delta("put", spot=100.0, strike=100.0, years=181 / 365, volatility=0.3, rate=0.02)
    assert found == [{"P": str(int(3_000 / (-slope * 1_000)) + 1)}] * 2


def test_the_largest_value_goes_first_in_the_portfolios_currency() -> None:
    """Ten at 100 euros are more than fifteen at 100 dollars."""
    mixed = INSTRUMENTS | {"A": FOREIGN["A"]}
    seen = context(instruments=mixed, closes={"A": "100", "B": "100"}, rates={"EUR": "2"})
    targets = PortfolioTargetCollection([PortfolioTarget("B", Decimal(15)), PortfolioTarget("A", Decimal(10))])
    assert ["A", "B"] == [target.symbol for target in targets.order_by_margin_impact(seen)]


def test_a_missing_rate_refuses_and_what_is_not_held_needs_none() -> None:
    """It never counts as 1: whoever asks for the value is told, and a target of nothing is worth nothing."""
    seen = context(instruments=FOREIGN, closes={"A": "100"}, B=position("1", "100", "100"))
    assert Decimal(0) == seen.value("A", Decimal(0))
    assert seen.value("C", Decimal(1)) is None
    with pytest.raises(ValueError, match="B cannot be valued: EUR has no rate yet"):
        judged(MaximumSectorExposure("0.20"), seen)
