"""Price collar: how far from the mark an order's price may be."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.orders import BUY
from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import instrument_scope
from tidegate.risk.violation import Violation, percent
from tidegate.v1 import common_pb2


@dataclass(frozen=True, slots=True)
class Collar(Check):
    """
    Refuse a limit that reaches too far over the mark, or with ``is_passive`` one that waits too far off as well.

    Exactly at the collar passes. A stop order's limit is held against its stop, for that is where it begins to work. A
    market order has no price; it is valued at the collar's end. A reducing order on a stale mark passes.
    """

    share: Decimal
    is_passive: bool
    price_age_limit_ns: int

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None."""
        price = proposal.limit_price
        if price is None or (proposal.reducing and proposal.mark_age_ns > self.price_age_limit_ns):
            return None
        symbol, stop = proposal.instrument.symbol, proposal.stop_price
        reference, name = (proposal.book.marks[symbol], "mark") if stop is None else (stop, "stop")
        width = self.share * reference
        off = price - reference
        is_aggressive = (off > 0) is (proposal.sign == BUY)
        if abs(off) <= width or not (is_aggressive or self.is_passive):
            return None
        word, limit = ("above", reference + width) if off > 0 else ("below", reference - width)
        text = f"limit {price} is more than {percent(self.share)} {word} the {name} {reference}"
        return Violation(
            Reason.PRICE_COLLAR, common_pb2.ACTION_REJECT, text, instrument_scope(symbol), limit=limit, actual=price
        )
