"""A journal seen from outside, as whoever makes a state of it needs it."""

from collections.abc import Iterator

from tidegate.journal.contract import Head, Reader, Snapshots
from tidegate.journal.reading import batches, holds
from tidegate.v1 import journal_pb2


class RecordedJournal:
    """The verified batches and the snapshots of a journal that somebody else may be writing."""

    def __init__(self, reader: Reader) -> None:
        """Stand on a reader."""
        self.snapshots: Snapshots = reader.snapshots
        self._reader = reader

    def holds(self, head: Head) -> bool:
        """Tell whether a batch ends there, with that hash."""
        return holds(self._reader, head)

    def batches(self, after: Head) -> Iterator[tuple[Head, list[journal_pb2.Event]]]:
        """Read the batches after a place, with where each ends, each after its link of the chain."""
        return batches(self._reader, after)
