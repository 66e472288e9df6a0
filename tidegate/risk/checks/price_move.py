"""Price move: no added risk while a price runs away."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import instrument_scope
from tidegate.risk.violation import Violation, percent
from tidegate.times import NS_PER_S
from tidegate.v1 import common_pb2


@dataclass(frozen=True, slots=True)
class PriceMove(Check):
    """
    Refuse added risk in an instrument whose mark is too far from its lowest or highest one of some seconds.

    A move of exactly the limit passes. It ends by itself once the move is older than the seconds.
    """

    share: Decimal
    within_ns: int

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None."""
        symbol = proposal.instrument.symbol
        recent = proposal.book.counters.price_moves.low_and_high(symbol, proposal.now_ns)
        if recent is None:
            return None
        (low, high), mark = recent, proposal.book.marks[symbol]
        rise, fall = mark - low, high - mark
        if rise > self.share * low:
            word, base, actual = "risen", low, rise
        elif fall > self.share * high:
            word, base, actual = "fallen", high, fall
        else:
            return None
        seconds = self.within_ns // NS_PER_S
        text = f"{symbol} has {word} from {base} to {mark}, more than {percent(self.share)} within {seconds} s"
        scope = instrument_scope(symbol)
        return Violation(
            Reason.PRICE_MOVED, common_pb2.ACTION_REJECT, text, scope, limit=self.share * base, actual=actual
        )
