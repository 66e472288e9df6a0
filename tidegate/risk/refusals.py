"""Refusals by the thousand: recorded one by one up to a rate, then counted, so that no sender can fill the disk."""

from dataclasses import dataclass
from typing import NamedTuple

from tidegate.times import NS_PER_S
from tidegate.v1 import journal_pb2

# Refusals of one sender that are recorded one by one within a second.
RECORDED_PER_S_MAX = 100


class Sender(NamedTuple):
    """Whose refusals are counted together: a method, and for orders the strategy, when there is such a one."""

    command: str
    strategy_id: str = ""


@dataclass(slots=True)
class _Second:
    """One sender's refusals within one second of the commands' stamps."""

    second: int
    recorded: int = 0
    counted: int = 0
    reason_code: str = ""


class Refusals:
    """
    Counts each sender's refusals, second by second.

    It belongs to the process, not to the journal: after a restart every sender begins anew. At most one count a sender
    and second goes into the journal, with the sender's next refusal or when time goes on.
    """

    def __init__(self) -> None:
        """Begin with no refusals."""
        self._seconds: dict[Sender, _Second] = {}

    def admit(self, sender: Sender, reason_code: str, now_ns: int) -> bool:
        """Tell whether a refusal is to be recorded itself; otherwise it is counted."""
        current = self._seconds.get(sender)
        if current is None or current.second != now_ns // NS_PER_S:
            current = self._seconds[sender] = _Second(now_ns // NS_PER_S)
        if current.recorded < RECORDED_PER_S_MAX:
            current.recorded += 1
            return True
        current.counted += 1
        current.reason_code = reason_code
        return False

    def due(self, now_ns: int) -> list[journal_pb2.RefusalsCounted]:
        """Take the counts of the seconds that have passed."""
        passed = [sender for sender, second in self._seconds.items() if second.second != now_ns // NS_PER_S]
        counts = [(sender, self._seconds.pop(sender)) for sender in passed]
        return [
            journal_pb2.RefusalsCounted(
                command=sender.command,
                strategy_id=sender.strategy_id,
                count=second.counted,
                reason_code=second.reason_code,
            )
            for sender, second in counts
            if second.counted
        ]
