"""How far the bars have come: what a strategy gets to decide on, and when a bar is settled."""

from itertools import takewhile
from typing import TYPE_CHECKING

from tidegate.numbers import plain
from tidegate.publications import bar_message
from tidegate.risk.book import Book
from tidegate.risk.market_data import require_adapter
from tidegate.risk.scopes import PORTFOLIO
from tidegate.strategy_book import SUSPENSE, strategies_of
from tidegate.v1 import actors_pb2, common_pb2, journal_pb2, market_data_pb2
from tidegate.views import drawdown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.gate import Gate

# A strategy that saves its state does so with one bar in so many, and lives through no more of them again.
BARS_BETWEEN_STATES = 50


def first_bar(gate: "Gate", request: market_data_pb2.WatchBarsRequest) -> market_data_pb2.WatchBarsResponse:
    """Give an adapter the newest bar when it has not reported on it; else only where to go on from."""
    book = gate.engine.book
    if request.adapter:
        require_adapter(book, request.adapter)
    if request.after_sequence:
        after = min(request.after_sequence, book.sequence)
        return market_data_pb2.WatchBarsResponse(bar_sequence=book.last_bar_sequence, sequence=after)
    if request.adapter and book.acknowledged_bars.get(request.adapter, 0) < book.last_bar_sequence:
        return bar_message(book.last_bar, book.last_bar_sequence, book.sequence)
    return market_data_pb2.WatchBarsResponse(bar_sequence=book.last_bar_sequence, sequence=book.sequence)


def await_bar(gate: "Gate", request: market_data_pb2.AwaitBarRequest) -> market_data_pb2.AwaitBarResponse:
    """Answer once the bar's orders are decided, routed and acknowledged; an empty answer until then."""
    book = gate.engine.book
    if request.bar_sequence > book.completed_bar_sequence or not book.is_settled():
        return market_data_pb2.AwaitBarResponse()
    halt = book.halts.get(PORTFOLIO)
    return market_data_pb2.AwaitBarResponse(
        sequence=book.sequence,
        equity=plain(book.equity),
        drawdown=drawdown(book),
        level=common_pb2.HALT_LEVEL_ACTIVE if halt is None else halt.level,
        bars_halted=0 if halt is None else halt.bars,
        halted_by="" if halt is None else halt.operator,
    )


def next_bar(gate: "Gate", _request: actors_pb2.NextBarRequest) -> actors_pb2.BarUpdate:
    """Give the strategies the oldest bar that is not completed, once it may be decided on; sequence 0 until then."""
    book = gate.engine.book
    bar_sequence = book.next_bar_sequence
    if not bar_sequence or not _adapters_are_ready(book, bar_sequence):
        return actors_pb2.BarUpdate()
    events = list(_events_after(gate, book.seen_sequence))
    update = actors_pb2.BarUpdate(
        sequence=book.sequence, after_sequence=book.seen_sequence, bar=_bar_event(gate, bar_sequence)
    )
    for strategy_id, strategy in book.strategies.items():
        if strategy_id != SUSPENSE:
            update.strategies.add(
                strategy_id=strategy_id,
                paused=strategy_id in book.pauses or strategy_id in book.roster.removed,
                removed=strategy_id in book.roster.removed,
                events=[e for e in events if e.HasField("instrument_upserted") or strategy_id in strategies_of(e)],
                digest=strategy.ledger.digest(),
                saved_sequence=book.saved_sequences.get(strategy_id, 0),
                wants_state=book.bars_since_saved.get(strategy_id, 0) + 1 >= BARS_BETWEEN_STATES,
            )
    return update


def _adapters_are_ready(book: Book, bar_sequence: int) -> bool:
    """Whether the adapters that the strategies wait for have reported on the bar and on every order."""
    waited_for = book.configuration.synchronised_adapters if book.configuration else ()
    reported = all(book.acknowledged_bars.get(adapter, 0) >= bar_sequence for adapter in waited_for)
    return reported and (not waited_for or book.is_settled())


def _events_after(gate: "Gate", sequence: int) -> "Iterable[journal_pb2.Event]":
    recent = gate.recent
    if recent and recent[0].sequence <= sequence + 1:
        return reversed(list(takewhile(lambda event: event.sequence > sequence, reversed(recent))))
    return gate.journal.read(sequence)


def _bar_event(gate: "Gate", sequence: int) -> journal_pb2.Event:
    recent = gate.recent
    if recent and recent[0].sequence <= sequence:
        return recent[sequence - recent[0].sequence]
    return next(iter(gate.journal.read(sequence - 1, 1)))
