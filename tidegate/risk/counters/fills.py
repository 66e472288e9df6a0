"""When each strategy was filled last, in each instrument and on each side."""

from collections import deque
from typing import TYPE_CHECKING

from tidegate.times import to_ns
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book

_TRADE = orders_pb2.EXECUTION_TYPE_TRADE
# Strategy, instrument, side.
Place = tuple[str, str, common_pb2.Side.ValueType]


class Fills:
    """Keeps the stamps of the newest fills: as many as it takes to be too many."""

    def __init__(self, most: int) -> None:
        """Keep so many of each strategy, instrument and side."""
        self._most = most
        self._stamps_ns: dict[Place, deque[int]] = {}

    def take(self, event: journal_pb2.Event, _book: "Book") -> None:
        """Note a fill; or forget those of who was released, so that they do not count twice."""
        if event.HasField("throttle_released"):
            released = event.throttle_released
            for place in [p for p in self._stamps_ns if _is_under(p, released.strategy_id, released.symbol)]:
                del self._stamps_ns[place]
            return
        booked = event.execution_booked
        if booked.execution.execution_type == _TRADE and booked.strategy_id:
            place = (booked.strategy_id, booked.symbol, booked.side)
            stamps = self._stamps_ns.get(place)
            if stamps is None:
                stamps = self._stamps_ns[place] = deque(maxlen=self._most)
            stamps.append(to_ns(event.time))

    def span_ns(self, place: Place) -> int | None:
        """Return within which time the newest fills came; None when there are not so many."""
        stamps = self._stamps_ns.get(place)
        return None if stamps is None or len(stamps) < self._most else stamps[-1] - stamps[0]


def _is_under(place: Place, strategy_id: str, symbol: str) -> bool:
    return place[0] == strategy_id and symbol in ("", place[1])
