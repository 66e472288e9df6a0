"""What is in a foreign currency, in the portfolio's: held at the rates of now, the past at those of then."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from tidegate.errors import StatisticsError
from tidegate.instruments import Instrument
from tidegate.numbers import ONE
from tidegate.statistics.holdings import Holding, Returns, checked
from tidegate.statistics.vectors import Vector


@dataclass(frozen=True, slots=True)
class Rates:
    """
    The portfolio's currency, and what a unit of each other one is worth in it; a rate never counts as 1.

    symbols: by currency, the instrument whose price is its rate.
    """

    base: str
    now: Mapping[str, Decimal]
    symbols: Mapping[str, str]

    def has(self, currency: str) -> bool:
        """Tell whether a currency has a rate."""
        return currency == self.base or bool(self.now.get(currency))

    def of(self, currency: str) -> Decimal:
        """
        Return a currency's rate.

        Raises:
            StatisticsError: it has none.
        """
        if not self.has(currency):
            message = f"{currency} has no rate: what is held in it has no value in {self.base}"
            raise StatisticsError(message)
        return ONE if currency == self.base else self.now[currency]


def holding(strategy_id: str, instrument: Instrument, quantity: Decimal, price: Decimal, rates: Rates) -> Holding:
    """
    Value what a strategy holds of an instrument in the portfolio's currency.

    Raises:
        StatisticsError: the instrument's currency has no rate.
    """
    value = quantity * price * instrument.multiplier * rates.of(instrument.currency)
    return Holding(strategy_id, instrument.symbol, instrument.sector, value)


def returns_in_base(returns: Returns, instruments: Mapping[str, Instrument], rates: Rates) -> dict[str, Vector]:
    """
    Turn session returns in each instrument's currency into those in the portfolio's: (1 + price's) (1 + rate's) - 1.

    An instrument whose rate has no returns has none itself: it is left out, and every figure of it is undefined.

    Raises:
        StatisticsError: a return is no finite number, or the instruments do not have the same sessions.
    """
    found: dict[str, Vector] = {}
    taken = checked(returns)
    for symbol, own in taken.items():
        currency = instruments[symbol].currency
        rate = rates.symbols.get(currency, "")
        if currency == rates.base:
            found[symbol] = own
        elif rate in taken:
            found[symbol] = (1.0 + own) * (1.0 + taken[rate]) - 1.0
    return found
