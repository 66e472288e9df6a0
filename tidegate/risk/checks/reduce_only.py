"""Reduce only: the sender's own wish that an order never opens or flips a position."""

from tidegate.reasons import Reason
from tidegate.risk.proposal import Proposal
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2


class ReduceOnly:
    """Refuse an order that says ``reduce_only`` and would do more."""

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None."""
        if not proposal.request.reduce_only or proposal.reducing:
            return None
        text = f"a reduce_only order of {proposal.quantity} meets a position of {proposal.position_quantity}"
        return Violation(Reason.NOT_REDUCING, common_pb2.ACTION_REJECT, text)
