"""The pairs of strategies that are too alike, as it was recorded; the sessions in between change nothing."""

from decimal import Decimal
from typing import NamedTuple

from tidegate.v1 import common_pb2, journal_pb2


class Alike(NamedTuple):
    """Two strategies over the limit of their correlation, and the event that says so."""

    pair: tuple[str, str]
    correlation: Decimal
    violation: common_pb2.Violation
    sequence: int

    def other_than(self, strategy_id: str) -> str:
        """Name the other one of the two."""
        return self.pair[1] if self.pair[0] == strategy_id else self.pair[0]


class CorrelationBreaches:
    """By pair, and of each strategy the one with the highest correlation: an order looks at nothing else."""

    def __init__(self) -> None:
        """Begin without any."""
        self.by_pair: dict[tuple[str, str], Alike] = {}
        self._worst: dict[str, Alike] | None = None

    def begin(self, event: journal_pb2.Event) -> None:
        """Take a breach; it replaces what stood of the same pair."""
        breached = event.correlation_breached
        pair = (breached.strategy_id, breached.other_strategy_id)
        self.by_pair[pair] = Alike(pair, Decimal(breached.correlation), breached.violation, event.sequence)
        self._worst = None

    def end(self, restored: journal_pb2.CorrelationRestored) -> None:
        """Forget a pair."""
        self.by_pair.pop((restored.strategy_id, restored.other_strategy_id), None)
        self._worst = None

    def worst_of(self, strategy_id: str) -> Alike | None:
        """Return the pair of a strategy that is the most alike, or None."""
        if self._worst is None:
            self._worst = {}
            for alike in self.by_pair.values():
                for one in alike.pair:
                    standing = self._worst.get(one)
                    if standing is None or alike.correlation > standing.correlation:
                        self._worst[one] = alike
        return self._worst.get(strategy_id)
