"""SQLite's write lock: for how long a start waits for it, and which process has it."""

import fcntl
import struct
import sys
from pathlib import Path

# Longer than a watchdog lets a process hang, so that a start goes on by itself when the writer before was ended.
WRITER_ENDS_WITHIN_S = 15
# Where in the log's index SQLite locks who writes, moves the log into the file, or recovers it; each by one byte.
_FIRST_BYTE, _BYTES = 120, 3
_FLOCK = "hhqqi"


def writer_of(path: Path) -> int:
    """
    Return the process that has the write lock; 0 where none has, or where the system is not Linux, which says it.

    Not for a process that has the journal open: when it closes any descriptor of a file it loses its own locks there.
    """
    index = path.with_name(f"{path.name}-shm")
    if sys.platform != "linux" or not index.exists():
        return 0
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, 0, _FIRST_BYTE, _BYTES, 0)
    with index.open("rb") as file:
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    return 0 if kind == fcntl.F_UNLCK else pid


def still_locked(path: Path) -> str:
    """Say who did not let go of a journal that is to be opened, and what to do."""
    pid = writer_of(path)
    who, end = (f"process {pid}", f"kill -9 {pid}") if pid else ("another process", "its run, and what is left of it")
    return (
        f"{who} holds it, and has not let go within {WRITER_ENDS_WITHIN_S} s; "
        f"if that is an earlier run, which hangs or was stopped, end it ({end}), and start again"
    )
