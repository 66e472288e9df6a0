"""Value at risk, expected shortfall and volatility: what past sessions would make of the book with the order."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from tidegate.reasons import Reason
from tidegate.risk.checks.check import StandingCheck
from tidegate.risk.checks.scoped_limit import Measured
from tidegate.risk.limit import EXPECTED_SHORTFALL, VALUE_AT_RISK, VOLATILITY, Figure, Limit
from tidegate.risk.proposal import Proposal
from tidegate.risk.scenarios import CENTS, Vector, expected_shortfall, value_at_risk, volatility
from tidegate.risk.session_history import OBSERVATIONS_MIN
from tidegate.risk.violation import Violation, money, percent
from tidegate.v1 import common_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book


@dataclass(frozen=True, slots=True)
class ScenarioLimit(StandingCheck):
    """
    Hold a figure over all scenarios against a share of the portfolio's equity.

    Strict: exactly at a threshold passes. With too few sessions of an instrument that is held or ordered the figure is
    undefined, never zero, and the limit does what ``on_undefined`` says.
    """

    limit: Limit

    @property
    def reason(self) -> Reason:
        """The reason code of its violations."""
        return _WORDS[self.limit.figure][0]

    def check(self, proposal: Proposal) -> Violation | None:
        """Return what the order would violate, or None."""
        if lacking := self.lacking(proposal):
            return self._undefined(lacking)
        found = self._assess(self.measure_order(proposal))
        return None if found is None else found.of_an_order()

    def lacking(self, proposal: Proposal) -> str:
        """Name an instrument whose sessions are too few for the figure; empty when it is defined."""
        scenarios = proposal.book.scenarios_needed()
        return scenarios.lacking_for(proposal.instrument.symbol) or scenarios.short_of_history()

    def measure_order(self, proposal: Proposal) -> Measured:
        """Return what the order would make of the figure, where it is defined."""
        scenarios, symbol = proposal.book.scenarios_needed(), proposal.instrument.symbol
        profits = scenarios.profits_with(symbol, proposal.added_quantity, proposal.sign)
        return Measured(self._figure(profits), proposal.equity)

    def assess(self, book: "Book") -> Violation | None:
        """Return what the book violates now, or None; an undefined figure is refused before the trade, not alerted."""
        measured = self.measure(book)
        return None if measured is None else self._assess(measured)

    def measure(self, book: "Book") -> Measured | None:
        """Return the figure and the equity as they are now; None while it is undefined."""
        scenarios = book.scenarios_needed()
        if scenarios.short_of_history():
            return None
        return Measured(self._figure(scenarios.profits()), book.equity)

    def _figure(self, profits: Vector) -> Decimal:
        amount = _MEASURES[self.limit.figure](profits, float(self.limit.confidence)) / CENTS
        return Decimal(f"{amount:.2f}")

    def _assess(self, measured: Measured) -> Violation | None:
        limit, actual, equity = self.limit, measured.actual, measured.base
        if limit.limit is not None and actual > limit.limit * equity:
            return self._violation(limit.action, limit.limit, measured)
        if limit.warn is not None and actual > limit.warn * equity:
            return self._violation(common_pb2.ACTION_WARN, limit.warn, measured)
        return None

    def _violation(self, action: common_pb2.Action.ValueType, threshold: Decimal, measured: Measured) -> Violation:
        reason, words = _WORDS[self.limit.figure]
        bound = threshold * measured.base
        at = f" at {percent(self.limit.confidence)}" if self.limit.figure != VOLATILITY else ""
        text = f"{words}{at} {money(measured.actual)} is over {percent(threshold)} of equity, {money(bound)}"
        return Violation(reason, action, text, self.limit.scope, limit=bound, actual=measured.actual)

    def _undefined(self, symbol: str) -> Violation:
        words = _WORDS[self.limit.figure][1]
        text = f"{words} is undefined: {symbol} has fewer than {OBSERVATIONS_MIN} sessions of returns"
        return Violation(
            Reason.RISK_UNDEFINED, self.limit.on_undefined, text, self.limit.scope, limit=Decimal(OBSERVATIONS_MIN)
        )


def _volatility(profits: Vector, _confidence: float) -> float:
    return volatility(profits)


_MEASURES: dict[Figure, Callable[[Vector, float], float]] = {
    VALUE_AT_RISK: value_at_risk,
    EXPECTED_SHORTFALL: expected_shortfall,
    VOLATILITY: _volatility,
}
_WORDS: dict[Figure, tuple[Reason, str]] = {
    VALUE_AT_RISK: (Reason.VALUE_AT_RISK, "value at risk of a session"),
    EXPECTED_SHORTFALL: (Reason.EXPECTED_SHORTFALL, "expected shortfall of a session"),
    VOLATILITY: (Reason.VOLATILITY, "volatility of a year"),
}
