"""How much was accepted within the day: of each strategy, and of all."""

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from tidegate.numbers import ZERO
from tidegate.times import NS_PER_S, to_ns
from tidegate.v1 import journal_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book

ALL = ""
_DAY_NS = 86_400 * NS_PER_S


class Amount(NamedTuple):
    """A quantity, and its value at the worst prices."""

    quantity: Decimal = ZERO
    notional: Decimal = ZERO

    def growth_from(self, old: "Amount") -> "Amount":
        """Return by how much this is more than another amount: each figure at least 0."""
        return Amount(max(self.quantity - old.quantity, ZERO), max(self.notional - old.notional, ZERO))


_NOTHING = Amount()


class Daily:
    """
    Adds up what was accepted on one UTC day, by the commands' stamps.

    An order counts from when it was accepted, whatever becomes of it; a replacement adds what it
    is more than the order.
    """

    def __init__(self) -> None:
        """Begin before every day."""
        self._day = -1
        self._amounts: dict[str, Amount] = {}

    def take(self, event: journal_pb2.Event, book: "Book") -> None:
        """Add an accepted order, or what a replacement of one is more."""
        is_new = event.HasField("order_decided")
        decision = event.order_decided.decision if is_new else event.replace_decided.decision
        order = book.orders.get(decision.order_id)
        if order is None:
            return
        strategy_id, instrument = order.request.strategy_id, book.instruments[order.request.symbol]
        multiplier = instrument.multiplier
        if instrument.currency != book.currency:
            multiplier *= book.rate(instrument.currency)
        added = Amount(order.quantity, order.quantity * order.valuation_price * multiplier)
        new = order.replacement
        if not is_new and new is not None:
            added = Amount(new.quantity, new.quantity * new.valuation_price * multiplier).growth_from(added)
        day = to_ns(event.time) // _DAY_NS
        if day != self._day:
            self._day = day
            self._amounts.clear()
        for name in (ALL, strategy_id):
            so_far = self._amounts.get(name, _NOTHING)
            self._amounts[name] = Amount(so_far.quantity + added.quantity, so_far.notional + added.notional)

    def amount(self, strategy_id: str, now_ns: int) -> Amount:
        """Return what a strategy, or all, had accepted on the day of a stamp."""
        return self._amounts.get(strategy_id, _NOTHING) if now_ns // _DAY_NS == self._day else _NOTHING
