"""The hash chain, recomputed from what the journal says about itself: SHA-256, as docs/architecture.md describes it."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from google.protobuf.message import DecodeError

from tidegate.v1 import journal_pb2


class Link(NamedTuple):
    """One batch as it is stored: the writer's epoch, the hash, and each event's sequence and bytes."""

    epoch: int
    hash: bytes
    events: list[tuple[int, bytes]]


def read_links(path: Path) -> Iterator[Link]:
    """Read a journal's file that nobody writes any more."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        events = db.execute("SELECT sequence, body FROM events ORDER BY sequence")
        ahead = next(events, None)
        for last, epoch, recorded in db.execute(
            "SELECT last_sequence, epoch, hash FROM batches ORDER BY last_sequence"
        ):
            mine = []
            while ahead is not None and ahead[0] <= last:
                mine.append(ahead)
                ahead = next(events, None)
            yield Link(epoch, recorded, mine)
        if ahead is not None:
            yield Link(0, b"", [ahead, *events])


def check_chain(links: Iterable[Link]) -> tuple[list[journal_pb2.Event], list[str]]:
    """Return the events, and what is wrong with how they hang together."""
    events: list[journal_pb2.Event] = []
    found: list[str] = []
    previous, epoch = bytes(32), 0
    for link in links:
        digest = hashlib.sha256(previous + link.epoch.to_bytes(8, "big"))
        for _, body in link.events:
            digest.update(len(body).to_bytes(8, "big") + body)
        previous, first = digest.digest(), len(events) + 1
        if previous != link.hash:
            found.append(f"the chain breaks in the batch that begins with event {first}")
            previous = link.hash
        if link.epoch < epoch:
            found.append(f"epoch {link.epoch} wrote event {first} after epoch {epoch}")
        epoch = link.epoch
        for sequence, body in link.events:
            try:
                event = journal_pb2.Event.FromString(body)
            except DecodeError:
                return events, [*found, f"event {sequence} is no message"]
            events.append(event)
            if not sequence == event.sequence == len(events):
                found.append(f"event {len(events)} stands at {sequence} and calls itself {event.sequence}")
    return events, found
