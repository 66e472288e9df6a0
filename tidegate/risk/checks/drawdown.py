"""Drawdown: how far below its high-water mark the portfolio may be."""

from dataclasses import replace
from decimal import Decimal

from tidegate.numbers import ONE, ZERO
from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.violation import Violation, money, percent
from tidegate.v1 import common_pb2

_REJECT = common_pb2.ACTION_REJECT


class Drawdown(Check):
    """
    Warn, then refuse added risk, then halt, as equity falls below its high-water mark.

    Strict: equity exactly at a threshold passes. At equity <= 0 every threshold is crossed.
    """

    def __init__(self, warn: Decimal | None, reject: Decimal | None, halt: Decimal | None) -> None:
        """Take the thresholds as shares of the high-water mark; None for none."""
        shares = ((halt, common_pb2.ACTION_HALT), (reject, _REJECT), (warn, common_pb2.ACTION_WARN))
        # The most severe first, each with what is left of the high-water mark at it.
        self._thresholds = [(share, ONE - share, action) for share, action in shares if share is not None]
        self._highest_left = max((left for _, left, _ in self._thresholds), default=ZERO)

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
        if equity > ZERO and equity >= self._highest_left * high_water_mark:
            return None
        for share, left, action in self._thresholds:
            floor = left * high_water_mark
            if equity < floor or equity <= ZERO:
                text = (
                    f"equity {money(equity)} is more than {percent(share)} below its high-water mark "
                    f"{money(high_water_mark)}"
                )
                return Violation(Reason.DRAWDOWN, action, text, limit=floor, actual=equity)
        return None
