"""Deciding on prices and bars: what is taken as a mark, and how far a bar has come."""

from tidegate.errors import RefusedError
from tidegate.numbers import ZERO, plain
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.book import Book
from tidegate.risk.draft import Draft
from tidegate.risk.held_prices import ALERT_PERIOD_NS, Prints, prints_of_bar, prints_of_prices
from tidegate.times import NS_PER_S, compact, to_ns
from tidegate.v1 import journal_pb2, market_data_pb2

ENTRIES_MAX = 10_000
# How far a source's clock may run ahead of ours.
CLOCK_SKEW_MAX_NS = 5 * NS_PER_S


def publish_bars(draft: Draft, command: market_data_pb2.PublishBarsRequest) -> market_data_pb2.PublishBarsResponse:
    """Take one bar; all its prices apply together. The newest bar again is answered again."""
    time_ns = door.time_ns(command.time, "time")
    door.bounded(len(command.bars), ENTRIES_MAX, "bars")
    if command.interval:
        door.identifier(command.interval, "interval")
    if not command.bars:
        raise RefusedError(Reason.BAR_EMPTY, "a bar needs at least one instrument's prices", field="bars")
    seen: set[str] = set()
    for index, bar in enumerate(command.bars):
        field = f"bars[{index}]"
        _known(draft, bar.symbol, f"{field}.symbol")
        if bar.symbol in seen:
            text = f"{field}.symbol {bar.symbol} is in the bar twice"
            raise RefusedError(Reason.SYMBOL_REPEATED, text, field=f"{field}.symbol")
        seen.add(bar.symbol)
        _read_bar(bar, field)
    book = draft.book
    if book.last_bar_sequence:
        last_ns = to_ns(book.last_bar.time)
        if time_ns == last_ns and command == book.last_bar:
            return market_data_pb2.PublishBarsResponse(bar_sequence=book.last_bar_sequence)
        if time_ns <= last_ns:
            text = f"the bar of {compact(time_ns)} is not newer than the last one, of {compact(last_ns)}"
            draft.refuse(Reason.BAR_OUT_OF_ORDER, text, command="PublishBars", subject=compact(time_ns))
    _refuse_future(draft, time_ns, "PublishBars", "the bar")
    event = draft.record(bar_published=command)
    if draft.book.price_bands.is_on:
        _tell_of_held(draft, prints_of_bar(command))
    return market_data_pb2.PublishBarsResponse(bar_sequence=event.sequence)


def publish_prices(
    draft: Draft, command: market_data_pb2.PublishPricesRequest
) -> market_data_pb2.PublishPricesResponse:
    """Take marks between bars; all prices of one message apply together."""
    door.bounded(len(command.prices), ENTRIES_MAX, "prices")
    if command.feed:
        door.identifier(command.feed, "feed")
    for index, entry in enumerate(command.prices):
        field = f"prices[{index}]"
        _known(draft, entry.symbol, f"{field}.symbol")
        door.price(entry.price, f"{field}.price")
        time_ns = door.time_ns(entry.time, f"{field}.time")
        _refuse_future(draft, time_ns, "PublishPrices", f"the price of {entry.symbol}")
        if time_ns < draft.book.mark_times_ns.get(entry.symbol, 0):
            draft.now_ns = draft.book.time_ns  # a price that is not taken must not move a clock that prices carry
            text = f"the price of {entry.symbol} is older than its mark"
            draft.refuse(Reason.PRICE_OUT_OF_ORDER, text, command="PublishPrices", subject=entry.symbol)
    event = draft.record(prices_published=command)
    if draft.book.price_bands.is_on:
        _tell_of_held(draft, prints_of_prices(command))
    return market_data_pb2.PublishPricesResponse(sequence=event.sequence)


def read_bar_sequence(book: Book, bar_sequence: int) -> None:
    """Refuse the sequence of a bar that was never published."""
    if bar_sequence > book.last_bar_sequence:
        raise RefusedError(Reason.BAR_UNKNOWN, f"no bar has the sequence {bar_sequence}", field="bar_sequence")


def acknowledge_bar(draft: Draft, command: journal_pb2.BarAcknowledged) -> None:
    """Note that an adapter has reported all that a bar caused."""
    read_bar_sequence(draft.book, command.bar_sequence)
    if command.bar_sequence > draft.book.acknowledged_bars.get(command.adapter, 0):
        draft.record(bar_acknowledged=command)


def complete_bar(draft: Draft, command: journal_pb2.BarCompleted) -> None:
    """Note that the strategies have decided on a bar; the same bar again changes nothing."""
    if command.bar_sequence <= draft.book.completed_bar_sequence:
        return
    if command.bar_sequence != draft.book.next_bar_sequence:
        text = f"bar {command.bar_sequence} is not the next one to complete"
        raise RefusedError(Reason.BAR_UNKNOWN, text, field="bar_sequence")
    draft.record(bar_completed=command)


def require_adapter(book: Book, adapter: str) -> None:
    """Refuse an adapter that the portfolio file does not name."""
    if adapter not in book.adapters:
        text = f"no adapter is called {door.shown(adapter)}"
        raise RefusedError(Reason.ADAPTER_UNKNOWN, text, field="adapter")


def _tell_of_held(draft: Draft, prints: Prints) -> None:
    """Record which instruments' prices begin to be held; the book itself holds them."""
    book = draft.book
    for symbol, new in prints.by_symbol.items():
        mark_ns = book.mark_times_ns.get(symbol)
        if mark_ns is None or new.time_ns < mark_ns or symbol in book.held_prices:
            continue
        mark, band = book.marks[symbol], book.price_bands.over(symbol, prints.feed, prints.interval)
        if not band.holds(mark, new.price):
            continue
        told_ns = book.held_alerts_ns.get(symbol)
        if told_ns is None or draft.now_ns - told_ns >= ALERT_PERIOD_NS:
            held = journal_pb2.PriceHeld(symbol=symbol, price=plain(new.price), mark=plain(mark), band=band.to_wire())
            draft.record(price_held=held)


def _read_bar(bar: market_data_pb2.Bar, field: str) -> None:
    door.price(bar.close, f"{field}.close")
    for name in ("open", "high", "low"):
        if text := getattr(bar, name):
            door.price(text, f"{field}.{name}")
    if bar.volume and door.amount(bar.volume, f"{field}.volume", positive=False) < ZERO:
        raise RefusedError(Reason.AMOUNT_INVALID, f"{field}.volume is negative", field=f"{field}.volume")


def _known(draft: Draft, symbol: str, field: str) -> None:
    if symbol not in draft.book.instruments:
        text = f"{field} is {door.shown(symbol)}, which is not in the portfolio file"
        raise RefusedError(Reason.INSTRUMENT_UNKNOWN, text, field=field)


def _refuse_future(draft: Draft, time_ns: int, command: str, what: str) -> None:
    if time_ns > draft.now_ns + CLOCK_SKEW_MAX_NS:
        text = f"{what} is from the future: {compact(time_ns)}"
        draft.refuse(Reason.PRICE_OUT_OF_ORDER, text, command=command, subject=compact(time_ns))
