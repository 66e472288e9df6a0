"""An archive: a folder of segments, each a compressed part of the journal's chain as it was recorded."""

import base64
import gzip
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from tidegate.errors import JournalError
from tidegate.journal.contract import BEGINNING, NOTHING_ARCHIVED, Archived, Batch, Head, Reader, Snapshots, Stored
from tidegate.risk.draft import Key

_NAME = re.compile(r"([0-9]{19})-([0-9]{19})\.segment\.gz")


class Archive:
    """The segments of a folder, oldest first; the chain goes through them."""

    def __init__(self, folder: Path) -> None:
        """Look at a folder; it may be empty, or not there yet."""
        self.name = str(folder)
        self._folder = folder

    def archived(self) -> Archived:
        """Return that nothing is missing."""
        return NOTHING_ARCHIVED

    def unbatched(self) -> int:
        """Return 0: a segment has whole batches only."""
        return 0

    def head(self) -> Head:
        """Return where the archive ends; raises JournalError where its last segment cannot be read."""
        found = BEGINNING
        for path in self._segments()[-1:]:
            for batch in _batches(path):
                found = Head(batch.last_sequence, batch.hash)
        return found

    def stored(self, after: int = 0) -> Iterator[Batch]:
        """Read the batches that end after a sequence."""
        for path in self._segments():
            if int(path.name[20:39]) > after:
                yield from (batch for batch in _batches(path) if batch.last_sequence > after)

    def save(self, batches: Iterable[Batch]) -> Head:
        """
        Make another segment durable under its name, whole; return where it ends, the beginning for no batches.

        Raises:
            JournalError: it cannot be written, or does not read as it was written.
        """
        unfinished = self._folder / f"{os.getpid()}.unfinished"
        first, head = 0, BEGINNING
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
                    for batch in batches:
                        first = first or batch.events[0].sequence
                        head = Head(batch.last_sequence, batch.hash)
                        packed.write(_line(batch))
                file.flush()
                os.fsync(file.fileno())
            if not first:
                unfinished.unlink()
                return BEGINNING
            unfinished.replace(self._folder / f"{first:019}-{head.sequence:019}.segment.gz")
            descriptor = os.open(self._folder, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
        except OSError as error:
            message = f"{self.name}: cannot write the segment: {error}"
            raise JournalError(message) from error
        return head

    def _segments(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(path for path in self._folder.iterdir() if _NAME.fullmatch(path.name))


class Joined:
    """An archive and the journal behind it, read as one chain from the first event."""

    def __init__(self, archive: Archive, live: Reader) -> None:
        """
        Put the two together.

        Raises:
            JournalError: the archive does not end where the journal begins.
        """
        self.name = f"{live.name} behind {archive.name}"
        self.snapshots: Snapshots = live.snapshots
        self._archive, self._live = archive, live
        self._until = live.archived().head
        if archive.head() != self._until:
            end, begin = archive.head().sequence, self._until.sequence
            message = f"{archive.name} ends with event {end}, and {live.name} goes on after event {begin}"
            raise JournalError(message)

    def archived(self) -> Archived:
        """Return that nothing is missing."""
        return NOTHING_ARCHIVED

    def head(self) -> Head:
        """Return where the journal ends."""
        return self._live.head()

    def stored(self, after: int = 0) -> Iterator[Batch]:
        """Read all batches; what the journal has kept of archived ones must be what was archived."""
        for batch in self._archive.stored(after):
            first, last = batch.events[0].sequence, batch.last_sequence
            for kept in self._live.kept(first - 1, last):
                if kept not in batch.events:
                    message = f"{self._live.name}: event {kept.sequence} is not what was archived"
                    raise JournalError(message)
            yield batch
        yield from self._live.stored(max(after, self._until.sequence))

    def hash_at(self, sequence: int) -> bytes | None:
        """Return the hash of the batch that ends with an event; None where none does."""
        if sequence >= self._until.sequence:
            return self._live.hash_at(sequence)
        found = (batch for batch in self._archive.stored(sequence - 1) if batch.last_sequence == sequence)
        return next((batch.hash for batch in found), None)

    def unbatched(self) -> int:
        """Return the newest event if no batch covers it, else 0."""
        return self._live.unbatched()

    def places_of(self, keys: Collection[Key]) -> dict[Key, int]:
        """Return the event that each of these senders' ids is kept with."""
        return self._live.places_of(keys)

    def count_keys(self, until: int) -> int:
        """Return how many senders' ids are kept with the events up to a sequence."""
        return self._live.count_keys(until)

    def kept(self, after: int, last: int) -> list[Stored]:
        """Return what lies between two events in the journal."""
        return self._live.kept(after, last)

    def check(self) -> None:
        """Have the store look over itself."""
        self._live.check()


def _line(batch: Batch) -> bytes:
    events = [[event.sequence, event.epoch, base64.b64encode(event.body).decode()] for event in batch.events]
    return json.dumps([batch.last_sequence, batch.epoch, batch.hash.hex(), events]).encode() + b"\n"


def _batches(path: Path) -> Iterator[Batch]:
    try:
        with gzip.open(path) as lines:
            for line in lines:
                last, epoch, hash_, events = json.loads(line)
                stored = [Stored(sequence, own, base64.b64decode(body)) for sequence, own, body in events]
                yield Batch(last, epoch, bytes.fromhex(hash_), stored)
    except (OSError, EOFError, ValueError, TypeError) as error:
        message = f"{path}: cannot read the segment: {error}"
        raise JournalError(message) from error


def open_whole(live: Reader, folder: Path | None) -> Reader:
    """
    Read a journal together with its archive: in a folder that is named, else where the journal says, if it is there.

    Raises:
        JournalError: the two do not meet, or an archive is named of a journal that has none.
    """
    until, place = live.archived()
    if folder is None:
        if not place or not Path(place).is_dir():
            return live
        folder = Path(place)
    if not until.sequence:
        message = f"{live.name}: nothing has left it for an archive; leave out --archive {folder}"
        raise JournalError(message)
    return Joined(Archive(folder), live)


def open_after(live: Reader, sequence: int) -> Reader:
    """Read a journal from a place on, with the archive that it names where that is needed; raises as ``Joined``."""
    until, place = live.archived()
    return live if sequence >= until.sequence else Joined(Archive(Path(place)), live)
