"""Both stores, as the journal's tests take them: a journal of five events, and hands that change what lies there."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg

from tidegate.journal.contract import Entry, Journal, entry_of
from tidegate.journal.location import Location, open_journal
from tidegate.v1 import journal_pb2


def entry(sequence: int, order_id: str = "", key: str = "") -> Entry:
    """Write the entry of a claim, or of a transfer with a key."""
    event = journal_pb2.Event(sequence=sequence)
    if key:
        event.capital_transferred.transfer_id = key
    else:
        event.order_claimed.order_id = order_id
    return entry_of(event)


def five_events(location: Location) -> Journal:
    """Open a new journal and write five events in two batches."""
    opened = open_journal(location)
    opened.append([entry(1), entry(2, "2"), entry(3, key="t1")])
    opened.append([entry(4, "2"), entry(5, "4")])
    return opened


def change(location: Location, statement: str) -> None:
    """Change what a store holds behind the journal's back; {0} is an event's body, {1} a hash of zeros."""
    if isinstance(location, Path):
        with closing(sqlite3.connect(location)) as file, file:
            file.execute(statement.format("x'0801'", "zeroblob(32)"))
    else:
        with psycopg.connect(location.url) as database:
            database.execute(statement.format("'\\x0801'", "decode(repeat('00', 32), 'hex')").encode())
