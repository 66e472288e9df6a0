"""Reduce only: an order that says so, or that calls itself an emergency exit, never opens or flips a position."""

from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2


class ReduceOnly(Check):
    """Refuse an order that says ``reduce_only`` or ``emergency`` and would do more."""

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None."""
        if proposal.reducing:
            return None
        request = proposal.request
        if not (request.reduce_only or request.HasField("emergency")):
            return None
        word = "reduce_only order" if request.reduce_only else "emergency exit"
        article = "a" if request.reduce_only else "an"
        text = f"{article} {word} of {proposal.quantity} meets a position of {proposal.position_quantity}"
        return Violation(Reason.NOT_REDUCING, common_pb2.ACTION_REJECT, text)
