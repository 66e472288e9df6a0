"""Which prices are believed, by the rule as a person would say it; in fractions, print by print."""

from fractions import Fraction
from typing import NamedTuple

from tidegate.v1 import journal_pb2

NO_BAND = journal_pb2.PriceBand(band="0")


class Seen(NamedTuple):
    """A print: its time in seconds first, so that the newest is the largest."""

    seconds: int
    price: Fraction


def band_of(
    configured: journal_pb2.PortfolioConfigured, symbol: str, feed: str, interval: str
) -> journal_pb2.PriceBand:
    """Find the last entry that fits; bars of an interval that no entry has are judged like prices."""
    entries = configured.price_bands
    if interval not in {entry.interval for entry in entries}:
        feed = interval = ""
    fitting = [e for e in entries if e.symbol in ("", symbol) and e.feed in ("", feed) and e.interval == interval]
    return fitting[-1] if fitting else NO_BAND


def is_far(mark: Seen, one: Seen, band: journal_pb2.PriceBand) -> bool:
    """Tell whether a print is outside the band round a mark."""
    share = Fraction(band.band)
    return not (1 - share) * mark.price <= one.price <= (1 + share) * mark.price


def believe(mark: Seen, waiting: list[Seen], new: Seen, band: journal_pb2.PriceBand) -> tuple[Seen, list[Seen]]:
    """Say what the mark is after a print, and which prints wait."""
    if not band.confirmations or not is_far(mark, new, band):
        return after(new, [one for one in waiting if one.seconds > new.seconds], band)
    if waiting and new.seconds <= waiting[-1].seconds:
        return mark, waiting
    rises = new.price > mark.price
    if any((one.price > mark.price) is not rises for one in waiting):
        waiting = []
    waiting = [*waiting, new]
    needed = band.confirmations + 1
    if len(waiting) < needed:
        return mark, waiting
    prices = [one.price for one in waiting[-needed:]]
    nearest = min(prices) if rises else max(prices)
    mark = next(one for one in waiting[-needed:] if one.price == nearest)
    return after(mark, [one for one in waiting if one.seconds > mark.seconds], band)


def after(mark: Seen, newer: list[Seen], band: journal_pb2.PriceBand) -> tuple[Seen, list[Seen]]:
    """Look at prints that are newer than the mark: the last one is believed, or all that are like it wait."""
    if not newer:
        return mark, []
    if not is_far(mark, newer[-1], band):
        return newer[-1], []
    rises = newer[-1].price > mark.price
    like_it: list[Seen] = []
    for one in reversed(newer):
        if not is_far(mark, one, band) or (one.price > mark.price) is not rises:
            break
        like_it.insert(0, one)
    return mark, like_it
