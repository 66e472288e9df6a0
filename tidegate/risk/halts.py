"""Halts and pauses: what stops trading, who did it, and why."""

from dataclasses import dataclass, field

from tidegate.risk.scopes import Scope
from tidegate.times import to_ns, to_stamp
from tidegate.v1 import common_pb2, journal_pb2, risk_pb2

# A strategy's position in an instrument: where something is to be closed.
Place = tuple[str, str]


@dataclass(slots=True)
class Halt:
    """
    One scope that is not ACTIVE.

    bars: completed since. operator: a person's name, or ``tidegate`` for the gate itself.
    """

    scope: Scope
    level: common_pb2.HaltLevel.ValueType
    operator: str
    reason_code: str
    text: str
    time_ns: int
    sequence: int
    bars: int = 0

    @classmethod
    def from_event(cls, event: journal_pb2.Event) -> "Halt":
        """Read a halt from the event that records it."""
        body = event.trading_halted
        return cls(
            scope=Scope.from_wire(body.scope),
            level=body.level,
            operator=body.operator,
            reason_code=body.reason_code,
            text=body.reason,
            time_ns=to_ns(event.time),
            sequence=event.sequence,
        )

    def to_wire(self) -> risk_pb2.Halt:
        """Write the halt as it stands."""
        return risk_pb2.Halt(
            scope=self.scope.to_wire(),
            level=self.level,
            operator=self.operator,
            reason_code=self.reason_code,
            reason=self.text,
            time=to_stamp(self.time_ns),
            sequence=self.sequence,
            bars=self.bars,
        )


@dataclass(slots=True)
class Flattening:
    """
    One position that is being closed: in which scope's name, by whom, why, since which event.

    order_ids: the orders that went out for it.
    """

    scope: Scope
    operator: str
    reason: str
    sequence: int
    order_ids: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Pause:
    """Why a strategy's code does not run."""

    operator: str
    reason_code: str
    reason: str
