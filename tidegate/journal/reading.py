"""Reading a journal from outside: nothing is handed out before the link of the hash chain that covers it."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from google.protobuf.message import DecodeError

from tidegate.errors import JournalError
from tidegate.journal.contract import BEGINNING, Batch, Head, Reader, entry_of, link
from tidegate.risk.draft import Key
from tidegate.v1 import journal_pb2

ADVICE = "keep it as it is and go on from a copy, as docs/journal.md says under 'A damaged journal'"
_KEYS_PER_LOOK = 5_000


def verified(reader: Reader, begin: Head = BEGINNING) -> Iterator[Batch]:
    """
    Read the batches after a place of the chain, each after its link was recomputed.

    Raises:
        JournalError: an event, its epoch or a hash was changed, or one is missing.
    """
    head = begin
    for batch in reader.stored(begin.sequence):
        fault = _fault(head, batch)
        if fault:
            message = (
                f"{reader.name}: the hash chain breaks between events {head.sequence + 1} and {batch.last_sequence}: "
                f"{fault}; up to event {head.sequence} it holds: {ADVICE}"
            )
            raise JournalError(message)
        head = Head(batch.last_sequence, batch.hash)
        yield batch
    if newest := reader.unbatched():
        message = f"{reader.name}: events {head.sequence + 1} to {newest} are in no batch: {ADVICE}"
        raise JournalError(message)


def verify(reader: Reader, begin: Head = BEGINNING) -> Head:
    """Recompute the chain and return where it ends; raises JournalError where it breaks."""
    head = begin
    for batch in verified(reader, begin):
        head = Head(batch.last_sequence, batch.hash)
    return head


def with_keys_checked(reader: Reader, read: Iterable[Batch]) -> Iterator[Batch]:
    """
    Hold the store's index of senders' ids against the events of all batches: by it an id is decided once.

    Raises:
        JournalError: an id is missing in it, belongs to another event there, or no event has used it up.
    """
    wanted: dict[Key, int] = {}
    count = last = 0
    for batch in read:
        for event in batch.events:
            used = entry_of(decoded(reader, event.sequence, event.body)).keys
            wanted.update(dict.fromkeys(used, event.sequence))
        if len(wanted) >= _KEYS_PER_LOOK:
            count += _hold_keys(reader, wanted)
            wanted = {}
        last = batch.last_sequence
        yield batch
    count += _hold_keys(reader, wanted)
    if reader.count_keys(last) != count:
        message = f"{reader.name}: the index of senders' ids has some that no event has used up: {ADVICE}"
        raise JournalError(message)


def _hold_keys(reader: Reader, wanted: dict[Key, int]) -> int:
    found = reader.places_of(wanted)
    for key, sequence in wanted.items():
        if found.get(key) != sequence:
            message = f"{reader.name}: the index of senders' ids has not '{key}' of event {sequence}: {ADVICE}"
            raise JournalError(message)
    return len(wanted)


def holds(reader: Reader, head: Head) -> bool:
    """Tell whether a batch ends there, with that hash; one does before the first event."""
    return head == BEGINNING or (head.sequence > 0 and reader.hash_at(head.sequence) == head.hash)


def batches(reader: Reader, after: Head) -> Iterator[tuple[Head, list[journal_pb2.Event]]]:
    """
    Read the events of each batch after a place, with where it ends.

    Raises:
        JournalError: the place is not in this journal, or the chain breaks behind it.
    """
    if not holds(reader, after):
        message = f"{reader.name}: no batch of this journal ends at event {after.sequence} with that hash"
        raise JournalError(message)
    for batch in verified(reader, after):
        events = [decoded(reader, event.sequence, event.body) for event in batch.events]
        yield Head(batch.last_sequence, batch.hash), events


def events_of(reader: Reader, until: int | None = None) -> Iterator[journal_pb2.Event]:
    """
    Read the events from the first one on, up to a sequence, oldest first.

    Raises:
        JournalError: the chain breaks, or an event is of a kind of bytes that nobody can read.
    """
    for batch in verified(reader):
        for event in batch.events:
            if until is not None and event.sequence > until:
                return
            yield decoded(reader, event.sequence, event.body)


def decoded(reader: Reader, sequence: int, body: bytes) -> journal_pb2.Event:
    """Read an event's bytes; raises JournalError where they are none, or another event's."""
    try:
        event = journal_pb2.Event.FromString(body)
    except DecodeError as error:
        message = f"{reader.name}: event {sequence} is no event: {error}"
        raise JournalError(message) from error
    if event.sequence != sequence:
        message = f"{reader.name}: event {sequence} says that it is event {event.sequence}"
        raise JournalError(message)
    return event


def _fault(head: Head, batch: Batch) -> str:
    """Say what is wrong with a batch that follows a head; nothing when it is as it was recorded."""
    places = range(head.sequence + 1, batch.last_sequence + 1)
    for place, event in zip_longest(places, batch.events):
        if event is None or event.sequence != place:
            return f"event {place} is missing"
        if event.epoch != batch.epoch:
            return f"event {place} is of epoch {event.epoch}, its batch of {batch.epoch}"
    if link(head.hash, batch.epoch, [event.body for event in batch.events]) != batch.hash:
        return "their bytes or their hash are not what was recorded"
    return ""
