"""What each strategy made, session by session, and how alike any two of them are."""

from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from tidegate.numbers import ZERO
from tidegate.risk.session_history import OBSERVATIONS_MIN, SESSIONS_MAX

if TYPE_CHECKING:
    from tidegate.risk.book import Book

Pair = tuple[str, str]
# A spread below this share of the largest value is rounding: the series does not move.
_CONSTANT = 1e-12


class Likeness(NamedTuple):
    """Two strategies, the correlation of their returns, None where undefined, and of how many sessions it is."""

    pair: Pair
    correlation: Decimal | None
    observations: int


class Highest(NamedTuple):
    """The pair whose correlation is the highest."""

    pair: Pair
    correlation: Decimal

    def other_than(self, strategy_id: str) -> str:
        """Name the other one of the two."""
        return self.pair[1] if self.pair[0] == strategy_id else self.pair[0]


class StrategyReturns:
    """
    Session returns by strategy, the newest last, what was moved in and out left out.

    A session ends as in SessionHistory: by the first mark of a later UTC day. Every series ends with the newest
    session and has no gap: a strategy without equity to measure by begins anew.
    """

    def __init__(self) -> None:
        """Begin before the first session."""
        self.returns: dict[str, deque[float]] = {}
        # The event that closed the newest session.
        self.closed_by = 0
        self._equities: dict[str, Decimal] = {}
        self._moved: dict[str, Decimal] = {}
        # Worked out when somebody asks, until the next session ends.
        self._found: dict[Pair, Likeness] | None = None
        self._lacking: dict[str, str] | None = None

    def move(self, strategy_id: str, amount: Decimal) -> None:
        """Take capital moved into a strategy, or out of it, for what it is: nothing that it made."""
        self._moved[strategy_id] = self._moved.get(strategy_id, ZERO) + amount

    def close(self, book: "Book") -> None:
        """End a session at the equities as they are, before the mark that ends it counts."""
        equities = {strategy_id: book.strategies[strategy_id].ledger.equity for strategy_id in book.terms}
        series: dict[str, deque[float]] = {}
        for strategy_id, equity in equities.items():
            before = self._equities.get(strategy_id, ZERO)
            one = self.returns.get(strategy_id)
            if one is None or before <= ZERO:
                one = deque(maxlen=SESSIONS_MAX)
            if before > ZERO:
                one.append(max(float((equity - self._moved.get(strategy_id, ZERO)) / before) - 1.0, -1.0))
            series[strategy_id] = one
        self.returns, self._equities = series, equities
        self._moved.clear()
        self._found = self._lacking = None
        self.closed_by = book.sequence + 1

    def observations(self, strategy_id: str) -> int:
        """Return how many sessions of a strategy there are."""
        return len(self.returns.get(strategy_id, ()))

    def likenesses(self) -> dict[Pair, Likeness]:
        """Return the correlation of each pair."""
        if self._found is None:
            from tidegate.risk.pair_correlations import pair_correlations  # noqa: PLC0415 -- numpy, only where asked for

            self._found = {
                pair: Likeness(pair, found, min(map(self.observations, pair)))
                for pair, found in pair_correlations(self.returns).items()
            }
        return self._found

    def highest(self, strategy_id: str = "") -> Highest | None:
        """Return the highest correlation, of a strategy's or of all; None where none is defined."""
        defined = [
            Highest(one.pair, one.correlation)
            for one in self.likenesses().values()
            if one.correlation is not None and (not strategy_id or strategy_id in one.pair)
        ]
        return max(defined, key=_correlation, default=None)

    def lack_of(self, strategy_id: str, book: "Book") -> str:
        """Say why a strategy leaves a correlation undefined; empty when none is, or by its partners only."""
        if strategy_id not in self.returns:
            return _too_few(strategy_id) if len(book.terms) > 1 else ""
        if self._lacking is None:
            faults = {name: self._fault(name) for name in self.returns}
            self._lacking = {}
            for one in self.likenesses().values():
                if one.correlation is None:
                    self._lacking.update(_blame(one.pair, faults))
        return self._lacking.get(strategy_id, "")

    def _fault(self, strategy_id: str) -> str:
        series = self.returns[strategy_id]
        if len(series) < OBSERVATIONS_MIN:
            return _too_few(strategy_id)
        is_constant = max(series) - min(series) <= _CONSTANT * max(map(abs, series))
        return f"{strategy_id} has made the same in every session" if is_constant else ""


def _blame(pair: Pair, faults: dict[str, str]) -> Iterator[tuple[str, str]]:
    mine = [(strategy_id, faults[strategy_id]) for strategy_id in pair if faults[strategy_id]]
    shared = f"in the sessions of both {pair[0]} or {pair[1]} has made the same in each"
    yield from mine or [(strategy_id, shared) for strategy_id in pair]


def _too_few(strategy_id: str) -> str:
    return f"{strategy_id} has fewer than {OBSERVATIONS_MIN} sessions of returns"


def _correlation(highest: Highest) -> Decimal:
    return highest.correlation
