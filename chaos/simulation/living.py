"""Many histories, each one process's, all cores at work."""

import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from chaos.checker import Finding
from chaos.simulation.history import History, InFile, InMemory

# One history in so many is run on a real file.
FILE_EVERY = 20
# A process takes so many at once; fewer are not worth another process.
_AT_ONCE = 20


class Lived(NamedTuple):
    """One history: its seed, what was found in it, and how much happened."""

    seed: int
    findings: list[Finding]
    counted: Counter[str]


def live_all(seeds: Sequence[int], steps: int, folder: Path, processes: int) -> Iterator[Lived]:
    """Live through a history a seed, in the seeds' order, by so many processes."""
    live = partial(_live, steps=steps, folder=folder)
    if processes == 1 or len(seeds) <= _AT_ONCE:
        yield from map(live, seeds)
        return
    with ProcessPoolExecutor(processes, get_context("spawn"), _leave_interrupts) as pool:
        try:
            yield from pool.map(live, seeds, chunksize=_AT_ONCE)
        finally:
            pool.shutdown(cancel_futures=True)


def _leave_interrupts() -> None:
    """Leave Ctrl-C to the process that began this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _live(seed: int, steps: int, folder: Path) -> Lived:
    store = InFile(folder / f"{seed}.db") if seed % FILE_EVERY == 0 else InMemory()
    history = History(seed, store)
    findings = history.run(steps)
    links = store.links()
    counted = {
        "events": sum(len(link.events) for link in links),
        "acknowledgements": sum(record.is_answer for record in history.records),
        "writers": links[-1].epoch,
        "of them from a snapshot": history.resumed,
    }
    return Lived(seed, findings, Counter(counted))
