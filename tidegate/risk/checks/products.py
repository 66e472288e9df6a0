"""Products: what an instrument's kind forbids."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.instruments import BY_VARIATION
from tidegate.numbers import ZERO
from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import instrument_scope, strategy_scope
from tidegate.risk.violation import Violation
from tidegate.times import NS_PER_S, compact
from tidegate.v1 import common_pb2


class MarginNeeded(Check):
    """Refuse a cash strategy's futures: their losses take cash that nothing has reserved."""

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None."""
        if proposal.terms.is_margin or proposal.instrument.settlement != BY_VARIATION:
            return None
        text = f"{proposal.instrument.symbol} is a future, and a strategy of kind cash may not trade it"
        scope = strategy_scope(proposal.request.strategy_id)
        return Violation(
            Reason.MARGIN_NEEDED, common_pb2.ACTION_REJECT, text, scope, limit=ZERO, actual=proposal.leaves_quantity
        )


@dataclass(frozen=True, slots=True)
class OptionAlive(Check):
    """
    Refuse orders in an option that has expired, reducing ones too, and on an old price of its underlying.

    As with prices, a reducing order with a limit price of its own passes an old underlying, and so does an
    emergency exit.
    """

    limit_ns: int

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None; at its expiry an option has expired."""
        option = proposal.instrument.option
        if option is None:
            return None
        symbol, now_ns = proposal.instrument.symbol, proposal.now_ns
        if now_ns >= option.expiry_ns:
            text = f"{symbol} has expired, at {compact(option.expiry_ns)}"
            return Violation(Reason.OPTION_EXPIRED, common_pb2.ACTION_REJECT, text, instrument_scope(symbol))
        age_ns = now_ns - proposal.book.mark_times_ns[option.underlying]
        if age_ns <= self.limit_ns or proposal.needs_no_mark:
            return None
        limit, actual = Decimal(self.limit_ns) / NS_PER_S, Decimal(age_ns) / NS_PER_S
        text = (
            f"the price of {option.underlying}, under {symbol}, is {actual:.3f} s old, over the limit of {limit:.0f} s"
        )
        scope = instrument_scope(option.underlying)
        return Violation(Reason.PRICE_STALE, common_pb2.ACTION_REJECT, text, scope, limit=limit, actual=actual)
