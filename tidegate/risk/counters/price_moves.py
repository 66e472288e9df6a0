"""How low and how high each mark was lately."""

from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from tidegate.times import to_ns
from tidegate.v1 import journal_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book

# The time that is looked back on is cut into so many parts; one part more may still be remembered.
_PARTS = 8


class Range(NamedTuple):
    """The lowest and the highest mark of one part."""

    part: int
    low: Decimal
    high: Decimal


class PriceMoves:
    """
    Keeps each instrument's lowest and highest mark, at most nine pairs of them.

    A price counts when it arrives, by the command's stamp, together with the one that it replaces: a gap is a move.
    What is older than the time asked for is forgotten an eighth of it late at most.
    """

    def __init__(self, within_ns: int) -> None:
        """Look back so far."""
        self._part_ns = max(within_ns // _PARTS, 1)
        self._ranges: dict[str, deque[Range]] = {}
        self._last: dict[str, Decimal] = {}

    def take(self, event: journal_pb2.Event, book: "Book") -> None:
        """Note the marks that a bar, or prices between bars, have set."""
        is_bar = event.WhichOneof("body") == "bar_published"
        entries = event.bar_published.bars if is_bar else event.prices_published.prices
        part = to_ns(event.time) // self._part_ns
        for entry in entries:
            mark = book.marks.get(entry.symbol)
            if mark is not None:
                self._note(entry.symbol, mark, part)

    def _note(self, symbol: str, mark: Decimal, part: int) -> None:
        before = self._last.get(symbol, mark)
        low, high = min(before, mark), max(before, mark)
        self._last[symbol] = mark
        ranges = self._ranges.setdefault(symbol, deque())
        while ranges and ranges[0].part < part - _PARTS:
            ranges.popleft()
        if ranges and ranges[-1].part == part:
            newest = ranges.pop()
            low, high = min(low, newest.low), max(high, newest.high)
        ranges.append(Range(part, low, high))

    def low_and_high(self, symbol: str, now_ns: int) -> tuple[Decimal, Decimal] | None:
        """Return the lowest and the highest mark of the time looked back on; None when no price came in it."""
        first = now_ns // self._part_ns - _PARTS
        recent = [one for one in self._ranges.get(symbol, ()) if one.part >= first]
        if not recent:
            return None
        return min(one.low for one in recent), max(one.high for one in recent)
