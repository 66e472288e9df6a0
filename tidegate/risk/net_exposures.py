"""Net exposures: how far long and how far short working orders may leave each scope that has such a limit."""

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from tidegate.instruments import PUT
from tidegate.numbers import ZERO
from tidegate.risk.limit import NET_EXPOSURE
from tidegate.risk.scopes import PORTFOLIO, Scope, groups_of, instrument_scope, strategy_scope

if TYPE_CHECKING:
    from tidegate.risk.book import Book


class Span(NamedTuple):
    """The highest and the lowest signed exposure that working orders may make of what is held."""

    highest: Decimal
    lowest: Decimal

    @property
    def worst(self) -> Decimal:
        """The larger of both, whichever way it goes."""
        return max(self.highest, -self.lowest)

    def plus(self, amount: Decimal) -> "Span":
        """Return the span with an order that may still add an amount, or may not."""
        return Span(self.highest + max(amount, ZERO), self.lowest + min(amount, ZERO))


_NOTHING = Span(ZERO, ZERO)


class NetExposures:
    """
    Running sums by scope and currency, of the scopes that have a limit on net exposure and of no others.

    Positions of one scope offset each other, working orders do not: all that may still be bought counts in the highest,
    all that may still be sold in the lowest. What has changed is noted, and worked in when somebody asks.
    """

    def __init__(self, book: "Book") -> None:
        """Stand on a book; the first question works everything out."""
        self._book: Book = book
        self._limited: frozenset[Scope] = frozenset(
            limit.scope for limit in book.limits_in_force if limit.figure == NET_EXPOSURE
        )
        self._parts: dict[tuple[str, str], Span] = {}
        self._sums: dict[Scope, dict[str, Span]] = {scope: {} for scope in self._limited}
        self._changed: dict[tuple[str, str], None] = {
            (strategy_id, symbol): None
            for strategy_id, strategy in book.strategies.items()
            for symbol in strategy.ledger.positions
        }

    def touch(self, strategy_id: str, symbol: str) -> None:
        """Note that a position, its working orders or its mark have changed."""
        self._changed[strategy_id, symbol] = None

    def of(self, scope: Scope) -> Span:
        """Return a scope's span in the portfolio's currency, at the rates of now."""
        self._refresh()
        highest = lowest = ZERO
        for currency, span in self._sums.get(scope, {}).items():
            rate = self._book.rate(currency)
            highest, lowest = highest + span.highest * rate, lowest + span.lowest * rate
        return Span(highest, lowest)

    def unit(self, symbol: str) -> Decimal:
        """Return what a unit that is held is exposed to, in its own currency; a put's is against its underlying."""
        book = self._book
        instrument, mark = book.instruments.get(symbol), book.marks.get(symbol, ZERO)
        if instrument is None:
            return mark
        if instrument.option is None:
            return mark * instrument.multiplier
        held = book.options.units(instrument, instrument.option).held
        return -held if instrument.option.right == PUT else held

    def _refresh(self) -> None:
        for key in self._changed:
            self._work_out(*key)
        self._changed.clear()

    def _work_out(self, strategy_id: str, symbol: str) -> None:
        before, span = self._parts.pop((strategy_id, symbol), _NOTHING), _NOTHING
        position = self._book.strategies[strategy_id].ledger.positions.get(symbol)
        if position is not None:
            unit = self.unit(symbol)
            up = (position.quantity + position.working_buys) * unit
            down = (position.quantity - position.working_sells) * unit
            span = self._parts[strategy_id, symbol] = Span(max(up, down), min(up, down))
        instrument = self._book.instruments.get(symbol)
        currency = self._book.currency if instrument is None else instrument.currency
        scopes = [PORTFOLIO, strategy_scope(strategy_id), instrument_scope(symbol)]
        if instrument is not None:
            scopes += groups_of(instrument)
        for scope in self._limited.intersection(scopes):
            total = self._sums[scope].get(currency, _NOTHING)
            self._sums[scope][currency] = Span(
                total.highest + span.highest - before.highest, total.lowest + span.lowest - before.lowest
            )
