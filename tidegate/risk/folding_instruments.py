"""How an instrument that was added or changed changes the book."""

from dataclasses import replace
from typing import TYPE_CHECKING

from tidegate.instruments import Instrument
from tidegate.risk.folding_controls import group_exposures_of_limits
from tidegate.v1 import journal_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book


def upsert_instrument(book: "Book", event: journal_pb2.Event) -> None:
    """Take an instrument in the place of the one of its name, and let the rules and limits follow."""
    upserted = event.instrument_upserted
    instrument = Instrument.from_wire(upserted.instrument)
    symbol = instrument.symbol
    book.instruments[symbol] = instrument
    book.upserted[symbol] = event
    book.currencies.place(instrument)
    book.options.place(instrument)
    if instrument.option is not None and (underlying := instrument.option.underlying) in book.mark_times_ns:
        book.options.take(underlying, book.marks[underlying], book.mark_times_ns[underlying])
    permitted = dict(book.order_rules.permitted)
    for strategy_id in upserted.permitted_strategy_ids:
        permitted[strategy_id] |= {symbol}
    sizes = (instrument.min_quantity, instrument.max_quantity, instrument.min_notional, instrument.max_notional)
    book.order_rules = replace(
        book.order_rules,
        permitted=permitted,
        has_sizes=book.order_rules.has_sizes or any(size is not None for size in sizes),
        has_calendars=book.order_rules.has_calendars or bool(instrument.calendar),
    )
    book.scenarios = None  # a proxy may be another one: worked out anew when somebody asks
    group_exposures_of_limits(book)
