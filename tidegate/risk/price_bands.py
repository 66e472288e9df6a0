"""Price bands: how far from its mark an instrument's next price may be, by feed, interval and instrument."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from tidegate.numbers import ZERO, plain
from tidegate.v1 import journal_pb2

# What a bar is whose interval nobody states.
DAILY = "1d"


class Band(NamedTuple):
    """
    One entry: for which prices it counts, the share of the mark that a price may move, and the confirmations it needs.

    Empty names are every instrument and every feed, an empty interval is live prices. Without confirmations nothing is
    held.
    """

    symbol: str = ""
    feed: str = ""
    interval: str = ""
    share: Decimal = ZERO
    confirmations: int = 0

    @classmethod
    def from_wire(cls, message: journal_pb2.PriceBand) -> "Band":
        """Read an entry from the journal."""
        return cls(message.symbol, message.feed, message.interval, Decimal(message.band), message.confirmations)

    def to_wire(self) -> journal_pb2.PriceBand:
        """Write the entry for the journal."""
        return journal_pb2.PriceBand(
            symbol=self.symbol,
            feed=self.feed,
            interval=self.interval,
            band=plain(self.share),
            confirmations=self.confirmations,
        )

    def excludes(self, mark: Decimal, price: Decimal) -> bool:
        """Tell whether a price is further from the mark than the band, up or down; exactly at it is within."""
        return abs(price - mark) > self.share * mark

    def holds(self, mark: Decimal, price: Decimal) -> bool:
        """Tell whether a price would need confirmation."""
        return self.confirmations > 0 and self.excludes(mark, price)


_NO_BAND = Band()


class PriceBands:
    """All entries, in the order of the portfolio file: the last one that fits a price counts."""

    def __init__(self, entries: Iterable[Band] = ()) -> None:
        """Take the entries; without one that asks for confirmations no price is ever held."""
        self._entries = tuple(entries)
        self._feeds = frozenset(entry.feed for entry in self._entries)
        self._intervals = frozenset(entry.interval for entry in self._entries)
        # By symbol, feed and interval; bounded, for names that no entry has are left out of the key.
        self._found: dict[tuple[str, str, str], Band] = {}
        self.is_on = any(entry.confirmations for entry in self._entries)

    def over(self, symbol: str, feed: str, interval: str) -> Band:
        """Return the entry for a price; a bar whose interval no entry names is judged like a live price."""
        if not self.is_on:
            return _NO_BAND
        key = (symbol, feed if feed in self._feeds else "", interval if interval in self._intervals else "")
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._find(*key)
        return found

    def _find(self, symbol: str, feed: str, interval: str) -> Band:
        for entry in reversed(self._entries):
            if entry.interval == interval and entry.symbol in ("", symbol) and entry.feed in ("", feed):
                return entry
        return _NO_BAND
