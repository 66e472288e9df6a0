"""The archive: what was recorded before, in the batch under way or in the journal."""

import re
from collections.abc import Iterable

from tidegate.journal.contract import Entry, Journal, entry_of
from tidegate.orders import DecidedOrder, told_by
from tidegate.risk.draft import Key
from tidegate.v1 import journal_pb2

# An order id is a sequence number; what does not fit 64 bits cannot be one.
_ORDER_ID = re.compile(r"[1-9][0-9]{0,17}")


class Archive:
    """
    Answers the engine from the batch under way first, then from the journal.

    ``look_up`` asks the journal for all keys of a batch at once, so that no order waits for a query of its own.
    """

    def __init__(self, journal: Journal) -> None:
        """Stand on a journal, with no batch under way."""
        self._journal = journal
        self._looked_up: dict[Key, journal_pb2.Event | None] = {}
        self._events: list[journal_pb2.Event] = []
        self._entries: list[Entry] = []

    def look_up(self, keys: Iterable[Key]) -> None:
        """Learn which of the keys of the batch that begins are used up already."""
        wanted = dict.fromkeys(keys)
        self._looked_up = wanted | self._journal.find_all(wanted) if wanted else {}

    def add(self, events: list[journal_pb2.Event], decided: DecidedOrder | None = None) -> None:
        """Take events that belong to the batch under way; they do not change any more. decided: what one decides."""
        for event in events:
            entry = entry_of(event, told_by(event, decided))
            for key in entry.keys:
                self._looked_up[key] = event
            self._entries.append(entry)
        self._events += events

    def take(self) -> tuple[list[journal_pb2.Event], list[Entry]]:
        """End the batch: return its events, also as their store keeps them, and forget it."""
        taken = self._events, self._entries
        self._events, self._entries, self._looked_up = [], [], {}
        return taken

    def find(self, key: Key) -> journal_pb2.Event | None:
        """Return the event that used up a key, or None."""
        if key in self._looked_up:
            return self._looked_up[key]
        return self._journal.find_all([key]).get(key)

    def events_of_order(self, order_id: str) -> list[journal_pb2.Event]:
        """Return all events of an accepted order, oldest first; empty when there is no such order."""
        if not _ORDER_ID.fullmatch(order_id):
            return []
        number = int(order_id)
        fresh = [e for e, entry in zip(self._events, self._entries, strict=True) if entry.order_id == number]
        return self._journal.events_of_order(number) + fresh
