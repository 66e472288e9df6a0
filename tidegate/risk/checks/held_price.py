"""Held price: no added risk in an instrument whose newest price waits for its confirmation."""

from tidegate.numbers import plain
from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import instrument_scope
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2


class HeldPrice(Check):
    """
    Refuse an order in an instrument of which nobody knows yet whether its price has moved.

    A reducing order passes with a limit price of its own, or as an emergency exit: a doubtful price must not lock a
    position in.
    """

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None."""
        if not proposal.book.held_prices:
            return None
        symbol = proposal.instrument.symbol
        held = proposal.book.held_prices.get(symbol)
        if held is None or proposal.needs_no_mark:
            return None
        mark = proposal.book.marks[symbol]
        text = f"the price of {symbol}, {plain(held[-1].price)}, is not confirmed; its mark is {plain(mark)}"
        return Violation(Reason.PRICE_UNCONFIRMED, common_pb2.ACTION_REJECT, text, instrument_scope(symbol))
