"""The log of refusals: who was refused what, from where, and why."""

from collections.abc import Callable
from typing import NamedTuple

import structlog

from gateway.brake import address_of
from tidegate.reasons import Reason

PERIOD_S = 60.0
KINDS_MAX = 1_000


class _Kind(NamedTuple):
    who: str
    method: str
    address: str
    reason: str


class RefusalLog:
    """
    Writes each refusal as it happens; those like it within a minute are counted, and their number written.

    Refusals are alike when who, method, address and reason are the same: a program that calls in vain all day must not
    fill the disk.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        """Begin with nothing refused."""
        self._now_s = now_s
        self._counts: dict[_Kind, int] = {}
        self._began_s = now_s()

    def note(self, *, who: str, method: str, peer: str, reason: str, text: str) -> None:
        """Write a refusal, or count it with those like it."""
        self.write_counts()
        # Who a stranger claims to be is its own choice: it makes no line of its own.
        kind = _Kind("" if reason == Reason.UNAUTHENTICATED else who, method, address_of(peer), reason)
        if kind in self._counts:
            self._counts[kind] += 1
            return
        if len(self._counts) >= KINDS_MAX:
            self.write_counts(at_once=True)
        self._counts[kind] = 0
        structlog.get_logger().warning(
            "refused", who=who or "unknown", method=method, peer=peer, reason=reason, text=text
        )

    def write_counts(self, *, at_once: bool = False) -> None:
        """Once the minute is over, write how many more there were of each."""
        now_s = self._now_s()
        if now_s - self._began_s < PERIOD_S and not at_once:
            return
        counts, self._counts, self._began_s = self._counts, {}, now_s
        for kind, count in counts.items():
            if count:
                structlog.get_logger().warning("refused_again", times=count, **kind._asdict())
