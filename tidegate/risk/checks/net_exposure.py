"""Net exposure: how far a scope may lean to one side, what it is long less what it is short."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from tidegate.numbers import ONE
from tidegate.reasons import Reason
from tidegate.risk.checks.check import StandingCheck
from tidegate.risk.checks.scoped_limit import Measured
from tidegate.risk.limit import Limit
from tidegate.risk.proposal import Proposal
from tidegate.risk.violation import Violation, money
from tidegate.v1 import common_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book


@dataclass(frozen=True, slots=True)
class NetExposure(StandingCheck):
    """
    Cap a scope's net exposure, working orders at their worst, whichever way it goes.

    Strict: exactly at a threshold passes. So does an order that leans no further, for it may be the cure. One that only
    reduces a position may take a hedge away: it passes, with a warning.
    """

    limit: Limit

    @property
    def reason(self) -> Reason:
        """The reason code of its violations."""
        return Reason.NET_EXPOSURE

    def check(self, proposal: Proposal) -> Violation | None:
        """Return what the order would violate, or None."""
        measured = self.measure_order(proposal)
        found = self._assess(measured)
        if found is None or measured.actual <= self.measure(proposal.book).actual:
            return None
        return replace(found, action=common_pb2.ACTION_WARN) if proposal.reducing else found.of_an_order()

    def measure_order(self, proposal: Proposal) -> Measured:
        """Return what the order would make of the figure."""
        book, instrument = proposal.book, proposal.instrument
        nets = book.net_exposures_needed()
        added = proposal.sign * proposal.added_quantity * nets.unit(instrument.symbol) * book.rate(instrument.currency)
        return Measured(nets.of(self.limit.scope).plus(added).worst, ONE)

    def assess(self, book: "Book") -> Violation | None:
        """Return what the book violates now, or None."""
        return self._assess(self.measure(book))

    def measure(self, book: "Book") -> Measured:
        """Return the figure as it is now."""
        return Measured(book.net_exposures_needed().of(self.limit.scope).worst, ONE)

    def _assess(self, measured: Measured) -> Violation | None:
        limit, actual = self.limit, measured.actual
        if limit.limit is not None and actual > limit.limit:
            return self._violation(limit.action, limit.limit, actual)
        if limit.warn is not None and actual > limit.warn:
            return self._violation(common_pb2.ACTION_WARN, limit.warn, actual)
        return None

    def _violation(self, action: common_pb2.Action.ValueType, bound: Decimal, actual: Decimal) -> Violation:
        text = f"net exposure of the {self.limit.scope} {money(actual)} is over {money(bound)}"
        return Violation(self.reason, action, text, self.limit.scope, limit=bound, actual=actual)
