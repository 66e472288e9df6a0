"""
A gateway as a process of its own, to be stopped, starved and killed: ``lone_gateway.py JOURNAL ADDRESS``.

It ends as the RiskManager's process does, with code 70, when memory and journal may differ. SIGUSR1: from then on every
fsync fails, as on a disk that dies. An order called ``poison`` kills it while it is decided.
"""

import asyncio
import ctypes
import os
import platform
import signal
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from actors.clocks import clock_of
from actors.in_flight import InFlight
from actors.local_port import LocalPort
from actors.restarts import EXIT_FATAL
from gateway.calendars import configuration_of
from gateway.server import open_gateway
from gateway.testing import DEFAULT_PORTFOLIO
from tidegate.gate import Gate
from tidegate.journal.contract import Entry, Head
from tidegate.journal.sqlite import SqliteJournal

# By machine: seccomp, fsync, fdatasync.
_CALLS = {"x86_64": (317, 74, 75), "aarch64": (277, 82, 83)}
_EIO, _NO_NEW_PRIVILEGES = 5, 38


def let_fsync_fail(*_: object) -> None:
    """Have the kernel answer fsync and fdatasync of all threads with EIO, by a seccomp filter."""
    seccomp, *synced = _CALLS[platform.machine()]
    load, jump, give = 0x20, 0x15, 0x06
    code = [
        (load, 0, 0, 0),
        (jump, 1, 0, synced[0]),
        (jump, 0, 1, synced[1]),
        (give, 0, 0, 0x50000 | _EIO),
        (give, 0, 0, 0x7FFF0000),
    ]
    filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(filters)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if libc.syscall(seccomp, 1, 1, program):
        sys.exit(f"no seccomp: errno {ctypes.get_errno()}")


class MortalJournal(SqliteJournal):
    """A journal with one order that kills its process: it is decided, and never committed."""

    def append(self, entries: Sequence[Entry]) -> Head:
        """Make a batch durable; die of poison."""
        if any(entry.kind == "order_decided" and b"poison" in entry.body for entry in entries):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().append(entries)


def complain(failures: Sequence[BaseException]) -> None:
    """Say what failed."""
    sys.stderr.write(f"{failures!r}\n")


def end(error: BaseException) -> None:
    """End at once."""
    sys.stderr.write(f"{error!r}\n")
    sys.stderr.flush()
    os._exit(EXIT_FATAL)


async def main(journal: Path, address: str) -> None:
    """Serve until somebody ends it."""
    configuration = configuration_of(DEFAULT_PORTFOLIO)
    port = LocalPort(complain, end)
    note = InFlight(journal.with_suffix(".in_flight"))
    await port.open(lambda: Gate(MortalJournal(journal), clock_of(configuration)), configuration, note)
    await open_gateway(port, address)
    sys.stdout.write("serving\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, let_fsync_fail)
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
