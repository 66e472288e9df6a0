"""A snapshot: the state after an event, and where in the journal that is; as bytes that show any damage."""

import hashlib
import json
from typing import NamedTuple

from tidegate.errors import JournalError
from tidegate.journal.contract import Head

FORMAT_VERSION = 1


class Snapshot(NamedTuple):
    """
    A state as it was at a place in the journal.

    head: that place, always the end of a batch, with the hash of the chain there. version: what such a state looks
    like; the gate reads no other.
    """

    head: Head
    version: str
    state: bytes

    def to_bytes(self) -> bytes:
        """Write the snapshot: a line of JSON that says what it is, then the state."""
        about = {
            "format": FORMAT_VERSION,
            "sequence": self.head.sequence,
            "hash": self.head.hash.hex(),
            "version": self.version,
            "digest": self._digest(),
        }
        return json.dumps(about).encode() + b"\n" + self.state

    @classmethod
    def from_bytes(cls, body: bytes) -> "Snapshot":
        """
        Read a snapshot.

        Raises:
            JournalError: it is none, it is damaged, or its format is another one.
        """
        line, _, state = body.partition(b"\n")
        try:
            about = json.loads(line)
            found = cls(Head(about["sequence"], bytes.fromhex(about["hash"])), about["version"], state)
            is_whole = about["format"] == FORMAT_VERSION and about["digest"] == found._digest()
        except (ValueError, LookupError, TypeError, OverflowError, AttributeError) as error:
            message = f"it is no snapshot: {type(error).__name__}"
            raise JournalError(message) from error
        if not is_whole:
            message = "it is damaged, or of another format"
            raise JournalError(message)
        return found

    def _digest(self) -> str:
        digest = hashlib.sha256(self.head.sequence.to_bytes(8) + self.head.hash + self.version.encode() + b"\n")
        digest.update(self.state)
        return digest.hexdigest()
