"""Snapshots by count: another process takes one whenever so many events have been recorded since the last one."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tidegate.journal.location import Database, Location

# Events between two snapshots: about how many a start may have to fold.
SNAPSHOT_EVERY = 100_000
_LOOK_S = 1.0


async def keep_snapshots(journal: Location, every: int, taken: int, head: Callable[[], int], log: Any) -> None:
    """
    Go on for ever, from the last snapshot's sequence on; 0 events in between is never.

    The process reads the journal from outside and writes the snapshot: whatever becomes of it, the gate goes on and the
    snapshots that are there stay. It is started by exec, never by a fork alone: this process serves gRPC.
    """
    while every:
        await asyncio.sleep(_LOOK_S)
        newest = head()
        if newest - taken >= every:
            taken = newest  # also when it fails: the next try is so many events later
            await _take(journal, log)


async def _take(journal: Location, log: Any) -> None:
    place = journal.url if isinstance(journal, Database) else str(journal)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tidegate.state", stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        output, complaint = await process.communicate(place.encode())
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode:
        log.error("snapshot_failed", exit_code=process.returncode, error=complaint.decode(errors="replace")[-500:])
    else:
        log.info("snapshot_taken", sequence=output.decode().strip())
