"""The prices at which routed orders of ours may rest at a market, best first."""

from bisect import bisect_left, insort
from decimal import Decimal
from typing import TYPE_CHECKING

from tidegate.orders import Order
from tidegate.v1 import common_pb2, journal_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book

# What crosses everything: a market order's price, multiplied by its side's sign.
_ANY = Decimal("Infinity")
_STOPS = (common_pb2.ORDER_TYPE_STOP, common_pb2.ORDER_TYPE_STOP_LIMIT)

# An order's reach: its limit times its sign, so that the larger one is always the better one.
_Entry = tuple[Decimal, str]


def reach_of(price: Decimal | None, sign: int) -> Decimal:
    """Say how far an order reaches to the other side: its limit times its sign; without a limit it crosses anything."""
    return _ANY if price is None else price * sign


class Resting:
    """
    Keeps the routed working orders of each instrument and side in the order of their prices, pending cancels included.

    While a replacement is pending the better one of both prices counts. Finding a place costs O(log n) comparisons, the
    best is the last one. Stop orders are not at the market yet, and are not in here.
    """

    def __init__(self) -> None:
        """Begin without orders."""
        self._sides: dict[tuple[str, int], list[_Entry]] = {}
        self._reaches: dict[str, Decimal] = {}
        self._places: dict[str, tuple[str, int]] = {}

    def take(self, event: journal_pb2.Event, book: "Book") -> None:
        """Follow an order from its acceptance over its replacements to its end."""
        if event.HasField("order_decided"):
            order_id = event.order_decided.decision.order_id
        elif event.HasField("replace_decided"):
            order_id = event.replace_decided.decision.order_id
        else:
            order_id = event.execution_booked.execution.order_id
        order = book.orders.get(order_id)
        reach = None if order is None else _reach(order)
        if reach != self._reaches.get(order_id):
            self._remove(order_id)
            if order is not None and reach is not None:
                self._add(order, reach)

    def best(self, symbol: str, sign: int) -> _Entry | None:
        """Return the reach and the id of the best order on one side; None when there is none."""
        side = self._sides.get((symbol, sign))
        return side[-1] if side else None

    def _add(self, order: Order, reach: Decimal) -> None:
        place = (order.request.symbol, order.sign)
        insort(self._sides.setdefault(place, []), (reach, order.order_id))
        self._reaches[order.order_id], self._places[order.order_id] = reach, place

    def _remove(self, order_id: str) -> None:
        reach = self._reaches.pop(order_id, None)
        if reach is not None:
            side = self._sides[self._places.pop(order_id)]
            del side[bisect_left(side, (reach, order_id))]


def _reach(order: Order) -> Decimal | None:
    request, new = order.request, order.replacement
    if not request.route or request.order_type in _STOPS:
        return None
    reach = reach_of(Decimal(request.limit_price) if request.limit_price else None, order.sign)
    if new is not None and new.limit_price:
        reach = max(reach, reach_of(Decimal(new.limit_price), order.sign))
    return reach
