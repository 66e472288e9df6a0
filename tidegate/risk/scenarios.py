"""Scenarios: what each past session's returns would make of the book as it is, working orders at their worst."""

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tidegate.instruments import BY_EXCHANGE
from tidegate.numbers import ZERO
from tidegate.risk.scenario_returns import ScenarioReturns
from tidegate.risk.session_history import SESSIONS_MAX, SessionHistory

if TYPE_CHECKING:
    from tidegate.risk.book import Book

Vector = NDArray[np.float64]

_SESSIONS_PER_YEAR = 252
CENTS = 100.0


class _Moves(NamedTuple):
    """What a unit makes in each session of the window, falls and rises apart."""

    falls: Vector
    rises: Vector


class Scenarios:
    """
    The profit or loss of each scenario in cents: of every position the worst that working orders make of it, summed.

    An upper bound of the loss: a fall is met with all that may still be bought, a rise with all that may still be
    sold. So an order adds its own quantity times the falls or rises, in O(scenarios). What is in a foreign currency
    moves with its rate of the same session: a position gains or loses at the rate that came of it, and all that a
    ledger has in the currency, cash and value, moves with the rate. What has changed is noted, and worked in when
    somebody asks. Every part is whole cents, which float64 adds exactly: sums do not depend on their order.
    """

    def __init__(self, book: "Book", history: SessionHistory) -> None:
        """Stand on a book and on its history; the first question works everything out."""
        self._book: Book = book
        self._returns: ScenarioReturns = ScenarioReturns(book, history)
        self._history: SessionHistory = history
        self._sessions = -1
        self._moves: dict[str, _Moves] = {}
        # By strategy and symbol; and by strategy and currency, what its ledger has in it.
        self._parts: dict[tuple[str, str], Vector] = {}
        self._balances: dict[tuple[str, str], Vector] = {}
        self._sum: Vector = np.zeros(SESSIONS_MAX)
        # Of foreign currencies, each in its own: a new rate needs no look at the positions.
        self._foreign: dict[str, Vector] = {}
        self._changed: set[tuple[str, str]] = set()
        # Symbols that have too few observations, with how many parts and balances stand on each.
        self._lacking: dict[str, int] = {}

    def touch(self, strategy_id: str, symbol: str) -> None:
        """Note that a position, its working orders or its mark have changed, and with it the currency's balance."""
        self._changed.add((strategy_id, symbol))

    def short_of_history(self) -> str:
        """Name the first instrument or rate that matters and has too few observations; empty when there is none."""
        self._refresh()
        # By name: a decision made again must not depend on what was held first.
        return min(self._lacking, default="")

    def lacking_for(self, symbol: str) -> str:
        """Name which has too few observations, an instrument or its currency's rate; empty when neither."""
        return next((one for one in self._stands_on(symbol) if self._returns.are_too_few(one)), "")

    def profits(self) -> Vector:
        """Return the profit or loss of each scenario, the newest session last."""
        self._refresh()
        total = self._sum
        for currency, cents in self._foreign.items():
            total = total + np.rint(cents * float(self._book.rate(currency)))
        return total[-self._length :]

    def profits_with(self, symbol: str, added: Decimal, sign: int) -> Vector:
        """
        Return them with an order that may still fill so much more; sign: +1 for a buy, -1 for a sell.

        It is filled at the mark: what it takes of a currency it has as value, and gains or loses its own return alone.
        """
        profits = self.profits()
        moves = self._moves_of(symbol)
        side = moves.falls if sign > 0 else moves.rises
        unit, currency = self._unit(symbol), self._currency(symbol)
        if currency != self._book.currency:
            unit *= self._book.rate(currency)
        return profits + _cents(float(sign * added * unit) * side[-self._length :])

    @property
    def _length(self) -> int:
        return max(min(self._history.sessions - 1, SESSIONS_MAX), 1)

    def _refresh(self) -> None:
        if self._sessions != self._history.sessions:
            self._sessions = self._history.sessions
            for kept in (self._moves, self._parts, self._balances, self._lacking, self._foreign):
                kept.clear()
            self._changed.clear()
            self._sum = np.zeros(SESSIONS_MAX)
            for strategy_id, strategy in self._book.strategies.items():
                self._changed.update((strategy_id, symbol) for symbol in strategy.ledger.positions)
                for currency in strategy.ledger.foreign:
                    self._weigh(strategy_id, currency)
        for strategy_id, symbol in self._changed:
            self._work_out(strategy_id, symbol)
            instrument = self._book.instruments.get(symbol)
            if instrument is not None:
                for currency in (instrument.currency, instrument.buys):
                    self._weigh(strategy_id, currency)
        self._changed.clear()

    def _work_out(self, strategy_id: str, symbol: str) -> None:
        """Work a position out anew, as its working orders may leave it."""
        key, currency = (strategy_id, symbol), self._currency(symbol)
        before = self._parts.pop(key, None)
        if before is not None:
            self._add(currency, -before)
            self._count_lacking(self._stands_on(symbol), -1)
        position = self._book.strategies[strategy_id].ledger.positions.get(symbol)
        if position is None:
            return
        # What was exchanged is cash, and moves with its balance: of fx only what works is still to come.
        held = ZERO if position.settlement == BY_EXCHANGE else position.quantity
        moves, unit = self._moves_of(symbol), self._unit(symbol)
        highest, lowest = held + position.working_buys, held - position.working_sells
        part = _cents(float(highest * unit) * moves.falls + float(lowest * unit) * moves.rises)
        self._parts[key] = part
        self._add(currency, part)
        self._count_lacking(self._stands_on(symbol), 1)

    def _weigh(self, strategy_id: str, currency: str) -> None:
        """Work out anew what a currency's rate would make of all that a ledger has in it."""
        account = self._book.strategies[strategy_id].ledger.foreign.get(currency)
        if account is None:
            return
        key, rate = (strategy_id, currency), self._book.currencies.symbols[currency]
        before = self._balances.pop(key, None)
        if before is not None:
            self._add(currency, -before)
            self._count_lacking((rate,), -1)
        balance = account.cash + account.market_value
        if balance:
            part = self._balances[key] = _cents(float(balance) * self._returns.of(rate))
            self._add(currency, part)
            self._count_lacking((rate,), 1)

    def _count_lacking(self, symbols: tuple[str, ...], step: int) -> None:
        for symbol in symbols:
            if self._returns.are_too_few(symbol):
                self._lacking[symbol] = self._lacking.get(symbol, 0) + step
                if not self._lacking[symbol]:
                    del self._lacking[symbol]

    def _stands_on(self, symbol: str) -> tuple[str, ...]:
        """Name whose returns an instrument's scenarios are made of: its own, and its currency's rate."""
        rate = self._book.currencies.symbols.get(self._currency(symbol))
        return (symbol,) if rate is None else (symbol, rate)

    def _unit(self, symbol: str) -> Decimal:
        """Return what a unit is worth at the mark, in the instrument's currency."""
        instrument = self._book.instruments.get(symbol)
        mark = self._book.marks[symbol]
        return mark if instrument is None else mark * instrument.multiplier

    def _currency(self, symbol: str) -> str:
        instrument = self._book.instruments.get(symbol)
        return self._book.currency if instrument is None else instrument.currency

    def _add(self, currency: str, part: Vector) -> None:
        if currency == self._book.currency:
            self._sum += part
        else:
            self._foreign[currency] = self._foreign.get(currency, 0.0) + part

    def _moves_of(self, symbol: str) -> _Moves:
        moves = self._moves.get(symbol)
        if moves is None:
            returns, rate = self._returns.of(symbol), self._book.currencies.symbols.get(self._currency(symbol))
            if rate is not None:
                returns = returns * (1.0 + self._returns.of(rate))
            moves = self._moves[symbol] = _Moves(np.minimum(returns, 0.0), np.maximum(returns, 0.0))
        return moves


def _cents(amounts: Vector) -> Vector:
    return np.rint(amounts * CENTS)


def value_at_risk(profits: Vector, confidence: float) -> float:
    """Return max(0, -quantile(profits, 1 - confidence)), by linear interpolation between the two nearest scenarios."""
    place = (len(profits) - 1) * (1.0 - confidence)
    lower = int(place)
    upper = min(lower + 1, len(profits) - 1)
    nearest = np.partition(profits, (lower, upper))
    quantile = nearest[lower] + (nearest[upper] - nearest[lower]) * (place - lower)
    return max(0.0, -float(quantile))


def expected_shortfall(profits: Vector, confidence: float) -> float:
    """Return the mean loss of the scenarios that lose at least the value at risk (Acerbi and Tasche, 2002)."""
    bound = value_at_risk(profits, confidence)
    worst = profits[profits <= -bound]
    return max(bound, -float(worst.mean())) if len(worst) else bound


def volatility(profits: Vector) -> float:
    """Return the standard deviation of the profits, over a year of 252 sessions."""
    return float(profits.std(ddof=1)) * float(np.sqrt(_SESSIONS_PER_YEAR)) if len(profits) > 1 else 0.0
