"""Which orders were accepted lately, and when."""

from decimal import Decimal
from typing import TYPE_CHECKING

from tidegate.times import to_ns
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book

# Orders remembered in each of two generations; at more than that within the window the oldest are forgotten early.
REMEMBERED_MAX = 50_000

# What makes two orders the same: strategy, instrument, side, quantity, limit, stop; figures in their one spelling.
Sameness = tuple[str, str, common_pb2.Side.ValueType, Decimal, Decimal, Decimal]


def sameness(order: orders_pb2.NewOrder) -> Sameness:
    """Take from an order what makes it the same as another one; no price is a price of 0."""
    quantity, limit, stop = Decimal(order.quantity), Decimal(order.limit_price or 0), Decimal(order.stop_price or 0)
    return order.strategy_id, order.symbol, order.side, quantity, limit, stop


class Duplicates:
    """Remembers accepted orders for as long as another one like it is a duplicate, in two generations."""

    def __init__(self, within_ns: int) -> None:
        """Remember for so long."""
        self._within_ns = within_ns
        self._began_ns = 0
        self._young: dict[Sameness, int] = {}
        self._old: dict[Sameness, int] = {}

    def take(self, event: journal_pb2.Event, _book: "Book") -> None:
        """Remember an order that was accepted; one that was refused is no one's double."""
        decided = event.order_decided
        if not decided.decision.order_id:
            return
        now_ns = to_ns(event.time)
        if now_ns - self._began_ns >= self._within_ns or len(self._young) >= REMEMBERED_MAX:
            self._old, self._young, self._began_ns = self._young, {}, now_ns
        self._young[sameness(decided.order)] = now_ns

    def last_ns(self, what: Sameness) -> int | None:
        """Return when such an order was accepted last, as far as that is remembered."""
        found = self._young.get(what)
        return self._old.get(what) if found is None else found
