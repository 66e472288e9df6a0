"""Archiving: what lies behind a snapshot leaves the journal for a folder, and the chain goes through both."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tidegate.errors import JournalError
from tidegate.journal.contract import Archived, Batch, Head, Journal, Reader, entry_of
from tidegate.journal.reading import decoded, holds, verified, verify
from tidegate.journal.recorded import RecordedJournal
from tidegate.journal.segments import Archive
from tidegate.risk.book import Book
from tidegate.risk.engine import Engine
from tidegate.state.classes import NoPast
from tidegate.state.recovery import resume
from tidegate.strategy_book import strategies_of

_KEPT: Final = frozenset({"portfolio_configured", "instrument_upserted"})


def archive(journal: Journal, reader: Reader, until: int, folder: Path) -> tuple[Archived, int]:
    """
    Archive the batches up to a sequence; return up to where that is, and how many events have left the journal.

    Every event goes into the archive. What carries a sender's id or an order's stays in the journal as well, so that
    retries, executions and busts of every age are answered as before; so does the configuration, and what strategies'
    own copies of their books are made of.

    Raises:
        JournalError: something is still needed, the chain breaks, or the archive cannot be written.
    """
    engine, before = Engine(NoPast()), reader.archived()
    taken = resume(engine, RecordedJournal(reader)).head
    if until > taken.sequence:
        message = f"{reader.name}: no snapshot lies behind event {until}: the newest is of event {taken.sequence}"
        raise JournalError(message)
    for bound, why in _needed(engine.book):
        if until > bound:
            message = f"{reader.name}: events after {bound} are still needed: {why}"
            raise JournalError(message)
    segments, dropped = Archive(folder), list[int]()
    head = segments.head()
    if head == before.head:
        head = segments.save(_batches(reader, before.head, until, dropped))
    elif head.sequence > before.head.sequence and holds(reader, head):
        deque(_batches(reader, before.head, head.sequence, dropped), 0)  # a run before was cut off here
    else:
        message = f"{folder} ends with event {head.sequence}, and the journal was archived up to {before.head.sequence}"
        raise JournalError(message)
    if head.sequence <= before.head.sequence:
        message = f"{reader.name}: no batch ends between events {before.head.sequence + 1} and {until}"
        raise JournalError(message)
    if verify(segments) != head:
        message = f"{folder}: the archive does not read as it was written"
        raise JournalError(message)
    archived = Archived(head, str(folder.resolve()))
    journal.archive(archived, dropped)
    return archived, len(dropped)


def _needed(book: Book) -> Iterator[tuple[int, str]]:
    """Say up to which event nothing is needed, and by what the next one is."""
    if book.next_bar_sequence:
        yield book.next_bar_sequence - 1, f"bar {book.next_bar_sequence} is not completed"
    for strategy_id in book.bars_since_saved:
        if strategy_id not in book.roster.removed:
            saved = book.saved_sequences.get(strategy_id, 0)
            yield saved, f"strategy {strategy_id} comes back from there"


def _batches(reader: Reader, begin: Head, until: int, dropped: list[int]) -> Iterator[Batch]:
    for batch in verified(reader, begin):
        if batch.last_sequence > until:
            return
        for stored in batch.events:
            event = decoded(reader, stored.sequence, stored.body)
            entry = entry_of(event)
            is_found_again = entry.keys or entry.order_id is not None
            if not is_found_again and entry.kind not in _KEPT and not strategies_of(event):
                dropped.append(stored.sequence)
        yield batch
