"""How often the gate ended while it decided a command, and whether it ended in order."""

from hashlib import blake2b
from typing import TYPE_CHECKING

from tidegate.v1 import journal_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book

# A command that was in flight, alone, at so many ends of the gate is not decided again.
ENDS_MAX = 2
# Commands that were in flight alone, and whose count is kept; the oldest is forgotten first.
SUSPECTS_MAX = 1_000


def digest_of(method: str, body: bytes) -> str:
    """Name a command by what it is, so that a retry has the same name."""
    return blake2b(method.encode() + b"\0" + body, digest_size=16).hexdigest()


class Restarts:
    """
    What the journal knows of the gate's own ends.

    ends: how often, by a command's digest, the gate ended while it decided that command and no other. quarantined: the
    digests of those that it ended on too often. stopped_sequence: where it last ended in order.
    """

    def __init__(self) -> None:
        """Begin with a gate that has never ended."""
        self.ends: dict[str, int] = {}
        self.quarantined: set[str] = set()
        self.stopped_sequence = 0

    def is_last(self, digest: str) -> bool:
        """Tell whether one more end quarantines a command."""
        return digest not in self.quarantined and self.ends.get(digest, 0) + 1 >= ENDS_MAX

    def count(self, digest: str) -> None:
        """Count an end on a command."""
        if self.is_last(digest):
            self.quarantined.add(digest)
        self.ends[digest] = self.ends.pop(digest, 0) + 1
        if len(self.ends) > SUSPECTS_MAX:
            del self.ends[next(iter(self.ends))]


def note_start(book: "Book", event: journal_pb2.Event) -> None:
    """Count an end of the gate on the one command that was in flight; of several nobody knows which it was."""
    if event.gate_started.suspect:
        book.restarts.count(event.gate_started.suspect)


def note_stop(book: "Book", event: journal_pb2.Event) -> None:
    """Remember that the gate ended in order."""
    book.restarts.stopped_sequence = event.sequence
