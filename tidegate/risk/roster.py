"""The roster: strategies that came or went after the journal began, and capital that waits to be moved."""

from dataclasses import dataclass, field
from decimal import Decimal

from tidegate.v1 import journal_pb2


@dataclass(slots=True)
class PendingRebalance:
    """
    What a rebalance could not move yet, because it is tied up.

    pending: by strategy; negative where it is to come from the strategy. Never empty.
    """

    rebalance_id: str
    operator: str
    reason: str
    sequence: int
    pending: dict[str, Decimal]


@dataclass(slots=True)
class Roster:
    """
    Who came and went, each with the event that says so. A removed strategy stays known: its id, and its history.

    leaving: to be removed once they are flat.
    """

    added: dict[str, journal_pb2.Event] = field(default_factory=dict)
    removed: dict[str, journal_pb2.Event] = field(default_factory=dict)
    leaving: dict[str, journal_pb2.StrategyLeaving] = field(default_factory=dict)

    def is_open(self, strategy_id: str) -> bool:
        """Whether a strategy is neither removed nor about to be."""
        return strategy_id not in self.removed and strategy_id not in self.leaving
