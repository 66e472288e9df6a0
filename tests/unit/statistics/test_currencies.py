"""Statistics of what is in a foreign currency: at the rate of now, over joint sessions of price and rate."""

from decimal import Decimal

import numpy as np
import pytest

from tidegate.errors import StatisticsError
from tidegate.instruments import Instrument
from tidegate.statistics.currencies import Rates, holding, returns_in_base
from tidegate.statistics.holdings import Holding, by_sector, by_symbol, exposures, net_values, profits, without_history

ONE = Decimal(1)


def instrument(symbol: str, currency: str, multiplier: str = "1") -> Instrument:
    """Describe an instrument of the sector tech."""
    return Instrument(symbol, Decimal("0.01"), ONE, Decimal(multiplier), currency, "tech", "equity")


INSTRUMENTS = {
    one.symbol: one for one in (instrument("A", "USD"), instrument("DAX", "EUR", "5"), instrument("EURUSD", "USD"))
}
RATES = Rates("USD", {"EUR": Decimal("1.25")}, {"EUR": "EURUSD"})


def test_a_holding_is_worth_its_price_at_the_rate_of_now() -> None:
    """Pins multiplier and rate, exact, and that the portfolio's own currency needs none."""
    short = holding("one", INSTRUMENTS["DAX"], Decimal(-3), Decimal("100.10"), RATES)
    assert ("one", "DAX", "tech", Decimal("-1876.875")) == (short.strategy_id, short.symbol, short.sector, short.value)
    assert Decimal(200) == holding("one", INSTRUMENTS["A"], Decimal(2), Decimal(100), Rates("USD", {}, {})).value


@pytest.mark.parametrize("now", [{}, {"CHF": ONE}, {"EUR": Decimal(0)}])
def test_a_missing_rate_refuses_and_never_counts_as_one(now: dict[str, Decimal]) -> None:
    """Pins no rate, another one's, and zero, which stands for none."""
    with pytest.raises(StatisticsError, match="EUR has no rate"):
        holding("one", INSTRUMENTS["DAX"], ONE, ONE, Rates("USD", now, {"EUR": "EURUSD"}))


def test_returns_are_those_of_price_and_rate_of_the_same_session() -> None:
    """Pins the product, and what such sessions make of what is held now."""
    returns = {"A": np.array([0.01, 0.02]), "DAX": np.array([0.10, -0.10]), "EURUSD": np.array([0.05, 0.05])}
    found = returns_in_base(returns, INSTRUMENTS, RATES)
    assert [0.155, -0.055] == pytest.approx(list(found["DAX"]))
    assert [[0.01, 0.02], [0.05, 0.05]] == [list(found[symbol]) for symbol in ("A", "EURUSD")]
    held = [holding("one", INSTRUMENTS["DAX"], Decimal(2), Decimal(100), RATES)]
    assert [1250 * 0.155, -1250 * 0.055] == pytest.approx(list(profits(held, found, by_symbol)["DAX"]))


def test_without_returns_of_its_rate_an_instrument_has_none() -> None:
    """Pins that its own returns alone are half of the risk: undefined, and named."""
    found = returns_in_base({"A": np.array([0.01]), "DAX": np.array([0.02])}, INSTRUMENTS, RATES)
    assert {"A"} == set(found)
    assert ("DAX",) == without_history([holding("one", INSTRUMENTS["DAX"], ONE, ONE, RATES)], found)


def test_what_has_no_value_is_undefined_in_every_sum_and_no_profit_is_made_of_it() -> None:
    """Pins a part with it, the part beside it, and that returns alone do not make it known."""
    held = [Holding("one", "A", "tech", Decimal(-5)), Holding("two", "DAX", "tech", None)]
    assert {"A": Decimal(5), "DAX": None} == exposures(held, by_symbol)
    assert {"tech": None} == exposures(held, by_sector) == net_values(held, by_sector)
    returns = {"A": np.array([0.01]), "DAX": np.array([0.02])}
    assert ("DAX",) == without_history(held, returns)
    with pytest.raises(StatisticsError, match="DAX has no value"):
        profits(held, returns, by_symbol)
