"""How many messages came within the second: from each strategy, from each caller, and from all."""

from typing import TYPE_CHECKING

from tidegate.times import NS_PER_S, to_ns
from tidegate.v1 import journal_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book

ALL = ""


class Messages:
    """
    Counts orders, replacements and cancels of the current second, by the commands' stamps.

    What counts is what the journal has: decisions, accepted or not, and the cancels that a sender asked for itself.
    caller: whose command is being decided; empty for the gate's own, and between commands.
    """

    def __init__(self) -> None:
        """Begin before every second."""
        self._second = -1
        self._counts: dict[str, int] = {}
        self._of_callers: dict[str, int] = {}
        self.caller = ""

    def take(self, event: journal_pb2.Event, book: "Book") -> None:
        """Count one message."""
        if event.HasField("cancel_requested"):
            if event.cancel_requested.reason_code:
                return  # the gate's own, or an operator's
            strategy_id = event.cancel_requested.strategy_id
        elif event.HasField("order_decided"):
            strategy_id = event.order_decided.order.strategy_id
        else:
            strategy_id = event.replace_decided.replace.strategy_id
        second = to_ns(event.time) // NS_PER_S
        if second != self._second:
            self._second = second
            self._counts.clear()
            self._of_callers.clear()
        self._counts[ALL] = self._counts.get(ALL, 0) + 1
        if event.caller:
            self._of_callers[event.caller] = self._of_callers.get(event.caller, 0) + 1
        if strategy_id in book.terms:
            self._counts[strategy_id] = self._counts.get(strategy_id, 0) + 1

    def count(self, strategy_id: str, now_ns: int) -> int:
        """Return how many messages a strategy, or all, have sent in the second of a stamp."""
        return self._counts.get(strategy_id, 0) if now_ns // NS_PER_S == self._second else 0

    def count_of_caller(self, now_ns: int) -> int:
        """Return how many messages the caller has sent in the second of a stamp."""
        return self._of_callers.get(self.caller, 0) if now_ns // NS_PER_S == self._second else 0
