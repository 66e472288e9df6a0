"""What every check on orders is."""

from typing import TYPE_CHECKING

from tidegate.risk.limit import Limit
from tidegate.risk.proposal import Proposal
from tidegate.risk.violation import Violation

if TYPE_CHECKING:
    from tidegate.reasons import Reason
    from tidegate.risk.book import Book
    from tidegate.risk.checks.scoped_limit import Measured


class Check:
    """One limit on orders. A class, no protocol: the compiled engine calls its methods directly."""

    def check(self, proposal: Proposal) -> Violation | None:
        """Return what the order would violate, or None."""
        raise NotImplementedError


class StandingCheck(Check):
    """One limit that the book itself may be over."""

    limit: Limit

    @property
    def reason(self) -> "Reason":
        """The reason code of its violations."""
        raise NotImplementedError

    def assess(self, book: "Book") -> Violation | None:
        """Return what the book violates now, or None."""
        raise NotImplementedError

    def measure(self, book: "Book") -> "Measured | None":
        """Return the figure and its base as they are now; None for a figure of orders, and for an undefined one."""
        raise NotImplementedError
