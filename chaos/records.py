"""What a client writes down: what it asked for and when, what it was answered and when. A file is one line an entry."""

import base64
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

ORDER, EXECUTION, HALT, RESET, READ = "order", "execution", "halt", "reset", "read"
TRANSFER, DEPOSIT, WITHDRAWAL = "transfer", "deposit", "withdrawal"


class Record(NamedTuple):
    """
    One thing asked, or one thing answered.

    kind, key: what it is about; one key is one command, however often it is repeated. time_ns: a clock that all clients
    share and that never goes back. sequence: the place in the journal that the answer names. asked, answer: messages.
    """

    is_answer: bool
    kind: str
    key: str
    time_ns: int
    sequence: int = 0
    asked: bytes = b""
    answer: bytes = b""


class Log:
    """A client's own file. Each entry is written whole before the client goes on, so that a kill loses none."""

    def __init__(self, path: Path) -> None:
        """Begin the file, or go on with it."""
        self._file = path.open("ab", buffering=0)

    def asked(self, entries: Iterable[tuple[str, str]]) -> None:
        """Write down what is about to be asked: kinds and keys."""
        now_ns = time.monotonic_ns()
        self._write(Record(is_answer=False, kind=kind, key=key, time_ns=now_ns) for kind, key in entries)

    def answered(self, records: Iterable[tuple[str, str, int, bytes, bytes]]) -> None:
        """Write down what was acknowledged: kind, key, sequence, request, answer."""
        now_ns = time.monotonic_ns()
        self._write(_answer(now_ns, *one) for one in records)

    def _write(self, records: Iterable[Record]) -> None:
        self._file.write(b"".join(map(_line, records)))


def read_log(path: Path) -> Iterator[Record]:
    """Read a client's file; a last line that was cut off by a kill was never acted upon."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                is_answer, kind, key, time_ns, sequence, asked, answer = json.loads(line)
                yield Record(is_answer, kind, key, time_ns, sequence, base64.b64decode(asked), base64.b64decode(answer))


def _answer(time_ns: int, *told: Any) -> Record:
    kind, key, sequence, asked, answer = told
    return Record(is_answer=True, kind=kind, key=key, time_ns=time_ns, sequence=sequence, asked=asked, answer=answer)


def _line(record: Record) -> bytes:
    *plain, asked, answer = record
    return json.dumps([*plain, base64.b64encode(asked).decode(), base64.b64encode(answer).decode()]).encode() + b"\n"
