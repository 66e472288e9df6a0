"""The lease: for how long a process may answer, after it last saw in the journal that nobody has taken it over."""

import threading
import time
from collections.abc import Callable

import structlog

from tidegate.errors import EpochFencedError, JournalError
from tidegate.journal.contract import Journal

# A zombie answers no longer than this after another one has taken the journal.
LEASE_S = 3.0
RENEW_S = 0.5
# It goes on while the process is stopped; on Linux also while the whole machine sleeps.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now_s() -> float:
    """Return the seconds of a clock that only goes on."""
    return time.clock_gettime(_CLOCK)


class Lease:
    """
    Looks into the journal twice a second, on a thread of its own, whether its epoch is still the newest.

    It counts from before the question, so that a process that was stopped in between has no lease. A newer epoch is
    ``on_fenced``, which must end the process. While the journal cannot be asked the lease runs out, and comes back with
    the journal.
    """

    def __init__(self, journal: Journal, on_fenced: Callable[[BaseException], None]) -> None:
        """Stand on a journal that was just opened; ``start`` takes the first lease."""
        self._journal = journal
        self._on_fenced = on_fenced
        self._ends_s = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """
        Take the first lease, and go on renewing it.

        Raises:
            JournalError: the journal cannot be asked, or another one has taken it already.
        """
        self._renew()
        self._thread.start()

    def stop(self) -> None:
        """Give the lease back; returns when the thread has ended."""
        self._stopping.set()
        self._thread.join()
        self._ends_s = 0.0

    def is_over(self) -> bool:
        """Tell whether nothing may be answered now."""
        return now_s() >= self._ends_s

    def _run(self) -> None:
        while not self._stopping.wait(RENEW_S):
            try:
                self._renew()
            except EpochFencedError as error:
                self._ends_s = 0.0
                self._on_fenced(error)
                return
            except JournalError as error:
                structlog.get_logger().warning("lease_not_renewed", error=str(error))

    def _renew(self) -> None:
        asked_s, own = now_s(), self._journal.epoch
        newest = self._journal.newest_epoch()
        if newest != own:
            message = f"epoch {own} was fenced by epoch {newest}: another writer has taken over"
            raise EpochFencedError(message)
        self._ends_s = asked_s + LEASE_S
