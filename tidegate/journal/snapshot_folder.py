"""Snapshots as files in a folder beside the journal: each is whole under its name, or not there."""

import os
import re
from pathlib import Path

from tidegate.errors import JournalError

# The one before is kept for the day on which the newest turns out to be damaged.
KEPT = 2
_NAME = re.compile(r"([0-9]{1,19})\.snapshot")


class SnapshotFolder:
    """
    The snapshots of one journal file.

    A snapshot is written under another name, made durable, and only then given its own: a process that dies on the way
    leaves nothing that is ever read.
    """

    def __init__(self, journal: Path) -> None:
        """Stand beside a journal's file; the first snapshot makes the folder."""
        self._folder = journal.with_name(f"{journal.name}.snapshots")

    def sequences(self) -> list[int]:
        """
        Return where the snapshots were taken, the newest first.

        Raises:
            JournalError: the folder cannot be read.
        """
        try:
            names = [_NAME.fullmatch(path.name) for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            message = f"{self._folder}: cannot read the snapshots: {error.strerror}"
            raise JournalError(message) from error
        return sorted((int(name[1]) for name in names if name), reverse=True)

    def load(self, sequence: int) -> bytes:
        """
        Read the bytes of one.

        Raises:
            JournalError: it cannot be read.
        """
        path = self._path(sequence)
        try:
            return path.read_bytes()
        except OSError as error:
            message = f"{path}: cannot read the snapshot: {error}"
            raise JournalError(message) from error

    def save(self, sequence: int, body: bytes) -> None:
        """
        Make one durable, then let go of the oldest.

        Raises:
            JournalError: it cannot be written; those that were there still are.
        """
        path = self._path(sequence)
        unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for left_behind in self._folder.glob("*.unfinished"):
                left_behind.unlink(missing_ok=True)
            with unfinished.open("wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
            _make_durable(self._folder)
            for old in self.sequences()[KEPT:]:
                self._path(old).unlink(missing_ok=True)
        except OSError as error:
            message = f"{path}: cannot write the snapshot: {error}"
            raise JournalError(message) from error

    def _path(self, sequence: int) -> Path:
        return self._folder / f"{sequence:019}.snapshot"


def _make_durable(folder: Path) -> None:
    """Make durable that a file has its name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
