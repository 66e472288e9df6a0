"""What risk models look at: one strategy's positions, equity and prices at the end of a bar."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tidegate.instruments import Instrument
from tidegate.ledger import Position
from tidegate.numbers import ZERO


@dataclass(frozen=True, slots=True)
class RiskContext:
    """
    One bar as the models see it; nothing else reaches them, no clock and no file.

    capital: what was put in and not taken out again, so that a transfer is never taken for a loss.
    positions: by symbol, with quantity, cost, mark, unrealised profit and what works; of configured instruments only.
    prices: the newest of each instrument, in its currency. closes: the prices of this bar only.
    rates: what a unit of each currency is worth in the portfolio's, that one's own included.
    suppressed: instruments that a model has liquidated and that are not re-armed yet.
    """

    time: datetime
    equity: Decimal
    capital: Decimal
    instruments: Mapping[str, Instrument]
    positions: Mapping[str, Position]
    prices: Mapping[str, Decimal]
    closes: Mapping[str, Decimal]
    rates: Mapping[str, Decimal]
    suppressed: Collection[str] = ()

    def sector(self, symbol: str) -> str:
        """Return the sector that an instrument is configured in; empty when in none."""
        return self.instruments[symbol].sector

    def held(self, symbol: str) -> Decimal:
        """Return the quantity held; negative is short."""
        position = self.positions.get(symbol)
        return position.quantity if position is not None else ZERO

    def expected(self, symbol: str) -> Decimal:
        """Return the quantity held once all working orders are filled."""
        position = self.positions.get(symbol)
        return position.quantity + position.working_buys - position.working_sells if position is not None else ZERO

    def worst(self, symbol: str) -> Decimal:
        """Return the largest position, long or short, that working orders could make; without a target it counts."""
        position = self.positions.get(symbol)
        if position is None:
            return ZERO
        up, down = position.quantity + position.working_buys, position.quantity - position.working_sells
        return up if abs(up) >= abs(down) else down

    def price(self, symbol: str) -> Decimal | None:
        """Return the newest price, or a position's mark while there is none; None while there is neither."""
        position = self.positions.get(symbol)
        return self.prices.get(symbol, None if position is None else position.mark)

    def value(self, symbol: str, quantity: Decimal) -> Decimal | None:
        """Return what a quantity is worth in the portfolio's currency, signed like it; None while there is no price."""
        price = self.price(symbol)
        if price is None or not quantity:
            return None if price is None else ZERO
        return quantity * price * self.instruments[symbol].multiplier * self.rate(symbol)

    def rate(self, symbol: str) -> Decimal:
        """
        Return what a unit of an instrument's currency is worth in the portfolio's.

        Raises:
            ValueError: it has no rate yet; a rate never counts as 1.
        """
        currency = self.instruments[symbol].currency
        rate = self.rates.get(currency)
        if rate is None:
            message = f"{symbol} cannot be valued: {currency} has no rate yet"
            raise ValueError(message)
        return rate
