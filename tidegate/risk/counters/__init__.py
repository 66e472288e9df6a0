"""
What the checks on orders count: small sums that are folded from the journal's events, like the rest of the book.

Each is bounded in memory and costs the same at any size. One that no rule asks for takes no events.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tidegate.risk.counters.daily import Daily
from tidegate.risk.counters.duplicates import Duplicates
from tidegate.risk.counters.fills import Fills
from tidegate.risk.counters.messages import Messages
from tidegate.risk.counters.price_moves import PriceMoves
from tidegate.risk.counters.resting import Resting
from tidegate.risk.order_rules import OrderRules
from tidegate.v1 import journal_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book

_DECISIONS = ("order_decided", "replace_decided")

Take = Callable[[journal_pb2.Event, "Book"], None]


class Counters:
    """All counters; each takes the kinds of events that change it, after the book has."""

    def __init__(self, rules: OrderRules) -> None:
        """Begin at nothing, and take what the rules need."""
        self.price_moves = PriceMoves(rules.price_move_within_ns)
        self.duplicates = Duplicates(rules.duplicate_within_ns)
        self.messages = Messages()
        self.daily = Daily()
        self.fills = Fills(rules.throttle_fills)
        self.resting = Resting()
        self._takers: dict[str, list[Take]] = {}
        self.listen(rules)

    def listen(self, rules: OrderRules) -> None:
        """Let those take events that the rules need."""
        self._takers.clear()
        prices = ("bar_published", "prices_published")
        if rules.price_move is not None:
            self._listen(self.price_moves.take, *prices)
        if rules.duplicate_within_ns:
            self._listen(self.duplicates.take, "order_decided")
        if rules.counts_messages:
            self._listen(self.messages.take, *_DECISIONS, "cancel_requested")
        if any(rates.counts_days for rates in rules.all_rates):
            self._listen(self.daily.take, *_DECISIONS)
        if rules.throttle_fills:
            self._listen(self.fills.take, "execution_booked", "throttle_released")
        if rules.is_self_trade_refused:
            self._listen(self.resting.take, *_DECISIONS, "execution_booked")

    def take(self, event: journal_pb2.Event, kind: str, book: "Book") -> None:
        """Count an event that the book has taken."""
        for take in self._takers.get(kind, ()):
            take(event, book)

    def _listen(self, take: Take, *kinds: str) -> None:
        for kind in kinds:
            self._takers.setdefault(kind, []).append(take)
