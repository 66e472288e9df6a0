"""Fills in the suspense ledger: of orders that the gate never saw, until somebody assigns them to a strategy."""

from tidegate.orders import is_fill
from tidegate.strategy_book import SUSPENSE
from tidegate.v1 import journal_pb2

# The newest ones are listed; an older one is assigned by its id all the same.
FILLS_MAX = 10_000


class Unassigned:
    """
    The fills that nobody has assigned, oldest first.

    left_out: how many older ones are not among them, so that memory stays flat.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.fills: dict[tuple[str, str], journal_pb2.Event] = {}
        self.left_out = 0

    def take(self, event: journal_pb2.Event) -> None:
        """Take an execution that changed the suspense ledger, or an assignment that did."""
        if event.HasField("suspense_assigned"):
            fill = event.suspense_assigned.fill
            self._drop(fill.account, fill.execution.execution_id)
            return
        booked = event.execution_booked
        if booked.strategy_id != SUSPENSE:
            return
        if booked.HasField("reversed"):
            self._drop(booked.account, booked.reversed.execution_id)
        if is_fill(booked.execution):
            self.fills[booked.account, booked.execution.execution_id] = event
            if len(self.fills) > FILLS_MAX:
                del self.fills[next(iter(self.fills))]
                self.left_out += 1

    def _drop(self, account: str, execution_id: str) -> None:
        if self.fills.pop((account, execution_id), None) is None:
            self.left_out -= 1
