"""Market hours: no order while its exchange is closed."""

from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import instrument_scope
from tidegate.risk.violation import Violation
from tidegate.times import compact
from tidegate.v1 import common_pb2


class MarketHours(Check):
    """
    Refuse an order outside the sessions of its instrument's calendar, by the command's stamp.

    A calendar that the journal has no sessions of is closed.
    """

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None."""
        name = proposal.instrument.calendar
        if not name:
            return None
        calendar = proposal.book.calendars.get(name)
        if calendar is not None and calendar.is_open(proposal.now_ns):
            return None
        symbol = proposal.instrument.symbol
        text = f"{name}, where {symbol} is traded, is closed at {compact(proposal.now_ns)}"
        return Violation(Reason.MARKET_CLOSED, common_pb2.ACTION_REJECT, text, instrument_scope(symbol))
