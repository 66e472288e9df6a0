"""Price age: no decision on an old price."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import instrument_scope
from tidegate.risk.violation import Violation
from tidegate.times import NS_PER_S
from tidegate.v1 import common_pb2


@dataclass(frozen=True, slots=True)
class PriceAge(Check):
    """
    Refuse an order whose instrument's mark is older than the limit.

    A reducing order passes with a limit price of its own, or as an emergency exit: a dead feed must not lock a
    position in.
    """

    limit_ns: int

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None; exactly at the limit passes."""
        if proposal.mark_age_ns <= self.limit_ns or proposal.needs_no_mark:
            return None
        symbol = proposal.instrument.symbol
        limit, actual = Decimal(self.limit_ns) / NS_PER_S, Decimal(proposal.mark_age_ns) / NS_PER_S
        text = f"the price of {symbol} is {actual:.3f} s old, over the limit of {limit:.0f} s"
        return Violation(
            Reason.PRICE_STALE, common_pb2.ACTION_REJECT, text, instrument_scope(symbol), limit=limit, actual=actual
        )
