"""Self-trade: no order of ours meets another one of ours."""

from tidegate.numbers import plain
from tidegate.orders import BUY
from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.counters.resting import reach_of
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import instrument_scope
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2


class SelfTrade(Check):
    """
    Refuse a routed order that would cross a routed working order of any of our strategies; equal prices cross.

    A market order crosses everything on the other side. A reducing order passes with a warning: nothing blocks the way
    out. A stop order is not at the market before its stop, and neither crosses nor is crossed.
    """

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None."""
        request = proposal.request
        if not request.route or proposal.stop_price is not None:
            return None
        best = proposal.book.counters.resting.best(request.symbol, -proposal.sign)
        if best is None or reach_of(proposal.limit_price, proposal.sign) + best[0] < 0:
            return None
        reach, order_id = best
        price = f"at {plain(abs(reach))}" if reach.is_finite() else "at market"
        side = "sell" if proposal.sign == BUY else "buy"
        text = f"the order would cross our own {side} of {request.symbol} {price}, order {order_id}"
        action = common_pb2.ACTION_WARN if proposal.reducing else common_pb2.ACTION_REJECT
        return Violation(Reason.SELF_TRADE, action, text, instrument_scope(request.symbol))
