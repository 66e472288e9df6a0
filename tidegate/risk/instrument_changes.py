"""Deciding on instruments that are added or changed: by a named person, with a reason, and never against the books."""

from collections.abc import Sequence
from typing import NoReturn

from pydantic import ValidationError

from tidegate.errors import RefusedError
from tidegate.instruments import Instrument
from tidegate.instruments_section import InstrumentSection, first_fault, instrument_problems, section_of
from tidegate.numbers import ONE, parse
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.book import Book
from tidegate.risk.draft import Draft
from tidegate.risk.operators import read_operator
from tidegate.v1 import admin_pb2, instruments_pb2, journal_pb2

CHANGES_MAX = 100
INSTRUMENTS_MAX = 10_000
_DECIMALS = ("tick", "lot", "multiplier", "min_quantity", "max_quantity", "min_notional", "max_notional", "proxy_scale")


def upsert_instruments(
    draft: Draft, command: admin_pb2.UpsertInstrumentsRequest
) -> admin_pb2.UpsertInstrumentsResponse:
    """Add instruments or change them, all of them or none."""
    book = draft.book
    read_operator(command.operator, command.reason)
    door.bounded(len(command.instruments), CHANGES_MAX, "instruments")
    for strategy_id in command.permitted_strategy_ids:
        if strategy_id not in book.terms:
            text = f"no strategy is called {door.shown(strategy_id)}"
            raise RefusedError(Reason.STRATEGY_UNKNOWN, text, field="permitted_strategy_ids")
    sections = [_read(book, message, f"instruments[{index}]") for index, message in enumerate(command.instruments)]
    _require_whole(book, sections)
    wanted = [section.to_instrument(book.currency) for section in sections]
    for instrument in wanted:
        if fault := _fault_of(book, instrument):
            about = {"subject": instrument.symbol, "operator": command.operator}
            text = f"{instrument.symbol}: {fault}"
            draft.refuse(Reason.INSTRUMENT_IN_USE, text, command="UpsertInstruments", **about)
    permitted = sorted(set(command.permitted_strategy_ids) & book.order_rules.permitted.keys())
    for instrument in wanted:
        fresh = [name for name in permitted if instrument.symbol not in book.order_rules.permitted[name]]
        if fresh or book.instruments.get(instrument.symbol) != instrument:
            upserted = journal_pb2.InstrumentUpserted(
                instrument=instrument.to_wire(),
                operator=command.operator,
                reason=command.reason,
                permitted_strategy_ids=fresh,
            )
            draft.record(instrument_upserted=upserted)
    return admin_pb2.UpsertInstrumentsResponse(sequence=book.sequence + len(draft.events))


def _read(book: Book, message: instruments_pb2.Instrument, field: str) -> InstrumentSection:
    """Take an instrument as the portfolio file would."""
    for name in _DECIMALS:
        text = getattr(message, name)
        if text and parse(text) is None:
            _refuse(f"{field}.{name} is {door.shown(text)}; it takes a plain decimal", f"{field}.{name}")
    for name in ("sector", "calendar"):
        if not getattr(message, name).isprintable():
            _refuse(f"{field}.{name} has characters that cannot be printed", f"{field}.{name}")
        door.words(getattr(message, name), f"{field}.{name}", required=False)
    if message.HasField("option"):
        door.time_ns(message.option.expiry, f"{field}.option.expiry")
    try:
        section = section_of(message)
    except ValidationError as error:
        _refuse(f"{field}: {first_fault(error)}", field)
    if section.calendar and section.calendar not in book.calendars:
        text = f"{field}.calendar: the portfolio file names no calendar {door.shown(section.calendar)}"
        _refuse(text, f"{field}.calendar")
    return section


def _require_whole(book: Book, sections: Sequence[InstrumentSection]) -> None:
    """Refuse what the portfolio file would, were all of them in it: of the others, only those that belong to them."""
    new = {section.symbol: section for section in sections}
    if len(new) < len(sections):
        _refuse("instruments names a symbol twice", "instruments")
    if len(book.instruments.keys() | new.keys()) > INSTRUMENTS_MAX:
        _refuse(f"instruments: there may be {INSTRUMENTS_MAX} of them", "instruments")
    needed = {*book.currencies.symbols.values(), *(section.proxy for section in sections)}
    needed |= {section.option.underlying for section in sections if section.option is not None}
    for symbol, instrument in book.instruments.items():
        is_concerned = instrument.option is not None and instrument.option.underlying in new
        if symbol not in new and (symbol in needed or is_concerned):
            new[symbol] = section_of(instrument.to_wire())
    for section in list(new.values()):
        if section.option is not None and (under := book.instruments.get(section.option.underlying)) is not None:
            new.setdefault(under.symbol, section_of(under.to_wire()))
    stated = {section.symbol for section in sections}
    # What the others stand on was looked at when they were stated.
    known = [one if symbol in stated else one.model_copy(update={"proxy": ""}) for symbol, one in new.items()]
    for problem in instrument_problems(known, book.currency, book.currencies.symbols):
        _refuse(f"instruments: {problem.text}", "instruments")


def _fault_of(book: Book, instrument: Instrument) -> str:
    """Say what of an instrument cannot change any more; empty when nothing would."""
    symbol = instrument.symbol
    # A fill of what nobody configured is booked at one money unit a unit of price and quantity.
    before = book.instruments.get(symbol) or Instrument(symbol, ONE, ONE, ONE, book.currency, "", "")
    kept = (
        ("multiplier", before.multiplier != instrument.multiplier),
        ("currency", (before.currency, before.buys) != (instrument.currency, instrument.buys)),
        ("product", before.settlement != instrument.settlement),
    )
    is_held = symbol in book.totals.worst_quantities
    if is_held or symbol in book.traded:
        for what, is_changed in kept:
            if is_changed:
                return f"its {what} is that of what was filled or works, and stays"
    if is_held and before.option != instrument.option:
        return "its option terms stay while a position or a working order is there"
    return ""


def _refuse(text: str, field: str) -> NoReturn:
    raise RefusedError(Reason.INSTRUMENT_INVALID, text, field=field)
