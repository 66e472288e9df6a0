"""
Held prices: a price far from the mark is no mark yet; what it waits for, and how the waiting ends.

A print outside the band is held. It becomes the mark once so many further prints in a row agree that the price has
moved at least that far; a print inside the band ends the waiting, and what was held is discarded.
"""

from decimal import Decimal
from typing import NamedTuple

from tidegate.risk.price_bands import DAILY, Band
from tidegate.times import NS_PER_S, to_ns
from tidegate.v1 import market_data_pb2

# Two feeds of which one is wrong hold and discard by turns: a person is told once in this time.
ALERT_PERIOD_NS = 60 * NS_PER_S


class Print(NamedTuple):
    """One price of an instrument, and its own time."""

    price: Decimal
    time_ns: int


# Prints outside the band, one after the other, all on one side of the mark; the newest is the last.
Held = tuple[Print, ...]

NOTHING_HELD: Held = ()


class Prints(NamedTuple):
    """What one message says: a print an instrument, and where they come from."""

    by_symbol: dict[str, Print]
    feed: str
    interval: str


def prints_of_prices(message: market_data_pb2.PublishPricesRequest) -> Prints:
    """Read live prices; of several prices of one instrument the newest is the print, so none confirms another."""
    newest: dict[str, Print] = {}
    for entry in message.prices:
        time_ns, other = to_ns(entry.time), newest.get(entry.symbol)
        if other is None or time_ns >= other.time_ns:
            newest[entry.symbol] = Print(Decimal(entry.price), time_ns)
    return Prints(newest, message.feed, "")


def prints_of_bar(message: market_data_pb2.PublishBarsRequest) -> Prints:
    """Read a bar's closes; without an interval it is a daily one."""
    time_ns = to_ns(message.time)
    closes = {entry.symbol: Print(Decimal(entry.close), time_ns) for entry in message.bars}
    return Prints(closes, "", message.interval or DAILY)


def judge(mark: Print, held: Held, new: Print, band: Band) -> tuple[Print, Held]:
    """
    Return the mark and what is held after a print that is not older than the mark.

    The band is that of the new print: with two feeds each print is judged by its own. A further print counts when it is
    newer than those before it and on the same side of the mark; one on the other side begins anew. Of the print that is
    held and its confirmations the one nearest to the mark is the new mark: no single one of them decides how far.
    """
    if not band.holds(mark.price, new.price):
        return _follow(new, tuple(one for one in held if one.time_ns > new.time_ns), band)
    if held:
        if new.time_ns <= held[-1].time_ns:
            return mark, held  # the same print once more
        if _is_above(mark, held[-1]) is not _is_above(mark, new):
            held = NOTHING_HELD
    held = (*held, new)
    if len(held) <= band.confirmations:
        return mark, held
    agreed = held[-band.confirmations - 1 :]
    distances = [abs(one.price - mark.price) for one in agreed]
    nearest = distances.index(min(distances))
    return _follow(agreed[nearest], agreed[nearest + 1 :], band)


def _follow(mark: Print, newer: Held, band: Band) -> tuple[Print, Held]:
    """Hold prints that are newer than a new mark against it: the newest becomes the mark, or goes on waiting."""
    if not newer:
        return mark, NOTHING_HELD
    newest = newer[-1]
    if not band.excludes(mark.price, newest.price):
        return newest, NOTHING_HELD
    first = len(newer) - 1
    while first > 0 and _still_waits(mark, newer[first - 1], newest, band):
        first -= 1
    return mark, newer[first:]


def _still_waits(mark: Print, one: Print, newest: Print, band: Band) -> bool:
    return band.excludes(mark.price, one.price) and _is_above(mark, one) is _is_above(mark, newest)


def _is_above(mark: Print, one: Print) -> bool:
    return one.price > mark.price
