"""Halt state: only an emergency exit passes a halt, and only what reduces REDUCE_ONLY or a paused strategy."""

from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import strategy_scope
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2


class HaltState(Check):
    """Refuse what the portfolio's, the strategy's or the instrument's halt forbids; the most severe is named."""

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the halt that forbids the order, or None."""
        request, book = proposal.request, proposal.book
        if not book.halts and not book.pauses:
            return None
        halt = book.halt_over(request.strategy_id, request.symbol)
        is_exit = proposal.reducing and request.HasField("emergency")
        if halt is not None and halt.level == common_pb2.HALT_LEVEL_HALTED and not is_exit:
            text = f"trading of the {halt.scope} is halted by {halt.operator}: {halt.text}"
            return Violation(Reason.TRADING_HALTED, common_pb2.ACTION_HALT, text, halt.scope)
        if proposal.reducing:
            return None
        if halt is not None:
            text = f"the {halt.scope} is set to reduce only by {halt.operator}: {halt.text}"
            return Violation(Reason.REDUCE_ONLY, common_pb2.ACTION_REJECT, text, halt.scope)
        if (pause := book.pauses.get(request.strategy_id)) is not None:
            text = f"strategy {request.strategy_id} is paused: {pause.reason}"
            return Violation(
                Reason.STRATEGY_PAUSED, common_pb2.ACTION_REJECT, text, strategy_scope(request.strategy_id)
            )
        return None
