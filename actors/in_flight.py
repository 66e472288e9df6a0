"""A note beside the journal of what is being decided: who comes after a crash reads in it what may have caused it."""

import os
from collections.abc import Sequence
from pathlib import Path

from actors.admission import RESERVED, URGENT
from tidegate.gate import Batch, Gate, Request
from tidegate.journal.location import Location
from tidegate.methods import METHODS
from tidegate.risk.restarts import digest_of
from tidegate.v1 import journal_pb2

# What makes the book smaller is never held back; a broker's report can be, or one of them would keep the gate away.
_NEVER = (URGENT | RESERVED) - {"ReportExecutions"}
_HEADER_BYTES = 8


class InFlight:
    """
    The note, in a file of this node. It outlives the process, not the machine: a crash of the machine is no command's.

    Commands that were in flight at a crash are decided alone when they come again, so that a second crash shows which
    one it was.

    Attributes:
        left: what the process before this one left in flight; the one command to blame, if it was alone.
    """

    def __init__(self, path: Path) -> None:
        """Open the note, and take out what the process before this one left in it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        found = self._read()
        self._write(b"")
        known = [command for command in found if command.method in METHODS]
        commands = [command for command in known if METHODS[command.method].is_command]
        self.left = journal_pb2.GateStarted(in_flight=commands)
        if len(found) == 1 and commands and commands[0].method not in _NEVER:
            self.left.suspect = commands[0].digest
        self._suspects = {command.digest for command in commands}

    def process(self, gate: Gate, requests: Sequence[Request]) -> Batch:
        """Have a gate decide a batch, and note it meanwhile; what may have caused a crash is decided alone."""
        batches = [self._process(gate, part) for part in self._apart(requests)]
        return batches[0] if len(batches) == 1 else _joined(batches)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _process(self, gate: Gate, requests: Sequence[Request]) -> Batch:
        known = [request for request in requests if request.method in METHODS]
        lines = [f"{request.method} {digest_of(request.method, request.body)}" for request in known]
        self._write("\n".join(lines).encode())
        batch = gate.process(requests)
        self._write(b"")
        if self._suspects:
            self._suspects.difference_update(line.split()[1] for line in lines)
        return batch

    def _apart(self, requests: Sequence[Request]) -> list[Sequence[Request]]:
        """Cut a batch, so that each suspect stands alone; the order stays."""
        if not self._suspects:
            return [requests]
        parts: list[list[Request]] = [[]]
        for request in requests:
            if digest_of(request.method, request.body) in self._suspects:
                parts += [[request], []]
            else:
                parts[-1].append(request)
        return [part for part in parts if part]

    def _write(self, text: bytes) -> None:
        """Write a note, its length last, so that nobody reads half of one."""
        if text:
            os.pwrite(self._file, text, _HEADER_BYTES)
        os.pwrite(self._file, len(text).to_bytes(_HEADER_BYTES), 0)

    def _read(self) -> list[journal_pb2.CommandInFlight]:
        size = int.from_bytes(os.pread(self._file, _HEADER_BYTES, 0))
        lines = os.pread(self._file, size, _HEADER_BYTES).decode().splitlines()
        return [journal_pb2.CommandInFlight(method=m, digest=d) for m, d in (line.split() for line in lines)]


def note_of(journal: Location, logs: Path) -> Path:
    """Say where the note of a journal lies: beside a file; of a database, among this node's logs."""
    if isinstance(journal, Path):
        return journal.with_name(f"{journal.name}.in_flight")
    return logs / f"{journal.word}.in_flight"


def _joined(batches: list[Batch]) -> Batch:
    """Make one batch of those that were decided one after the other."""
    return Batch(
        [reply for batch in batches for reply in batch.replies],
        any(batch.moves_bars for batch in batches),
        [publication for batch in batches for publication in batch.publications],
        [failure for batch in batches for failure in batch.failures],
        [trace for batch in batches for trace in batch.traces],
    )
