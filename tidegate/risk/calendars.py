"""When an exchange is open, by the sessions that the journal has of it."""

from bisect import bisect_right

from tidegate.errors import BookError
from tidegate.times import NS_PER_S
from tidegate.v1 import order_rules_pb2


class Calendar:
    """One calendar's sessions; outside of them, and after the last one that is known, it is closed."""

    def __init__(self, message: order_rules_pb2.TradingCalendar) -> None:
        """
        Read the sessions from the journal.

        Raises:
            BookError: they do not follow each other.
        """
        edges = [edge for session in zip(message.opens_s, message.closes_s, strict=False) for edge in session]
        if len(message.opens_s) != len(message.closes_s) or edges != sorted(edges):
            text = f"the sessions of calendar {message.name} do not follow each other"
            raise BookError(text)
        self.message = message
        self._opens_s = list(message.opens_s)
        self._closes_s = list(message.closes_s)

    def is_open(self, now_ns: int) -> bool:
        """Tell whether a session is on: from its opening on, and no longer at its close."""
        second = now_ns // NS_PER_S
        number = bisect_right(self._opens_s, second)
        return number > 0 and second < self._closes_s[number - 1]
