"""Drawdown: how far below its high-water mark the portfolio may be."""

from dataclasses import dataclass, replace
from decimal import Decimal

from tidegate.numbers import ONE, ZERO
from tidegate.reasons import Reason
from tidegate.risk.proposal import Proposal
from tidegate.risk.violation import Violation, money, percent
from tidegate.v1 import common_pb2

_REJECT = common_pb2.ACTION_REJECT


@dataclass(frozen=True, slots=True)
class Drawdown:
    """
    Warn, then refuse added risk, then halt, as equity falls below its high-water mark.

    Strict: equity exactly at a threshold passes. At equity <= 0 every threshold is crossed.
    """

    warn: Decimal | None
    reject: Decimal | None
    halt: Decimal | None

    def check(self, proposal: Proposal) -> Violation | None:
        """Return what the state of the portfolio forbids, or what the order would make of it at its limit; or None."""
        found = self.assess(proposal.equity, proposal.book.high_water_mark)
        if found is None or found.action != common_pb2.ACTION_HALT:
            return found
        standing = self.assess(proposal.book.equity, proposal.book.high_water_mark)
        # Only what has happened halts; what an order could do refuses the order.
        return standing if standing is not None and standing.action == found.action else replace(found, action=_REJECT)

    def assess(self, equity: Decimal, high_water_mark: Decimal) -> Violation | None:
        """Hold the equity against its high-water mark; the most severe threshold crossed is named."""
        thresholds = (
            (self.halt, common_pb2.ACTION_HALT),
            (self.reject, common_pb2.ACTION_REJECT),
            (self.warn, common_pb2.ACTION_WARN),
        )
        for share, action in thresholds:
            if share is not None and (equity <= ZERO or equity < (ONE - share) * high_water_mark):
                floor = (ONE - share) * high_water_mark
                text = (
                    f"equity {money(equity)} is more than {percent(share)} below its high-water mark "
                    f"{money(high_water_mark)}"
                )
                return Violation(Reason.DRAWDOWN, action, text, limit=floor, actual=equity)
        return None
