"""Foreign currencies: what a ledger has in each, and what each is worth."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tidegate.instruments import Instrument
from tidegate.numbers import ZERO
from tidegate.v1 import journal_pb2


@dataclass(slots=True)
class Account:
    """
    One foreign currency in one ledger: every figure in that currency, exact.

    rate: what a unit is worth in the portfolio's currency; 0 while nobody knows, and then no order adds risk.
    exchanged: what fx fills brought in, less what they took.
    reserved_cash: what working buys, and sales of the currency itself, may take.
    """

    currency: str
    rate: Decimal
    cash: Decimal = ZERO
    realised_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    exchanged: Decimal = ZERO
    reserved_cash: Decimal = ZERO
    reserved_loss: Decimal = ZERO
    market_value: Decimal = ZERO
    gross_exposure: Decimal = ZERO


class Currencies:
    """
    The rates: each foreign currency's is the mark of an fx instrument quoted in the portfolio's currency.

    rates: by currency; one that never had a price is not in it, and never counts as 1.
    needed: by symbol, the rate symbols without whose prices its orders are refused; only where there are any.
    """

    def __init__(self) -> None:
        """Begin with the portfolio's own currency only."""
        self.rates: dict[str, Decimal] = {}
        self.needed: dict[str, tuple[str, ...]] = {}
        self.symbols: dict[str, str] = {}
        self._by_symbol: dict[str, str] = {}

    def configure(
        self, rates: Iterable[journal_pb2.CurrencyRate], instruments: Mapping[str, Instrument]
    ) -> "Currencies":
        """Take which instrument's price is which currency's rate."""
        self.symbols = {rate.currency: rate.symbol for rate in rates}
        self._by_symbol = {symbol: currency for currency, symbol in self.symbols.items()}
        for instrument in instruments.values():
            self.place(instrument)
        return self

    def place(self, instrument: Instrument) -> None:
        """Take which rates a new or changed instrument needs."""
        wanted = (self.symbols.get(currency) for currency in (instrument.currency, instrument.buys))
        # An fx instrument's own mark is looked at anyway.
        needed = tuple(rate for rate in wanted if rate is not None and rate != instrument.symbol)
        self.needed.pop(instrument.symbol, None)
        if needed:
            self.needed[instrument.symbol] = needed

    def take(self, symbol: str, price: Decimal) -> tuple[str, Decimal]:
        """Take a price if it is a rate; return whose, or nothing, and by how much it moved."""
        currency = self._by_symbol.get(symbol, "")
        if not currency:
            return "", ZERO
        step = price - self.rates.get(currency, ZERO)
        self.rates[currency] = price
        return currency, step
