"""Strategies that are too alike: found once a session, recorded when it begins and when it ends."""

from decimal import Decimal

from tidegate.numbers import plain
from tidegate.reasons import Reason
from tidegate.risk.checks.strategy_correlation import StrategyCorrelation
from tidegate.risk.consequences import GATE
from tidegate.risk.draft import Draft
from tidegate.risk.halting import record_halt
from tidegate.risk.limit import STRATEGY_CORRELATION
from tidegate.risk.scopes import strategy_scope
from tidegate.risk.strategy_returns import Likeness
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2, journal_pb2, risk_pb2

_OTHER_CAUSES = ("limit_changed", "limit_expired", "strategy_removed")


def follow(draft: Draft, event: journal_pb2.Event) -> None:
    """Hold every pair against its limits, where an event has ended a session, changed a limit or removed a strategy."""
    book = draft.book
    if event.sequence != book.strategy_returns.closed_by and event.WhichOneof("body") not in _OTHER_CAUSES:
        return
    checks = [StrategyCorrelation(limit) for limit in book.limits_in_force if limit.figure == STRATEGY_CORRELATION]
    pairs = book.strategy_returns.likenesses() if checks else {}
    found = {pair: one for pair, one in pairs.items() if book.roster.removed.keys().isdisjoint(pair)}
    for pair, likeness in found.items():
        violation = _worst(checks, pair, likeness.correlation)
        standing = book.correlation_breaches.by_pair.get(pair)
        if violation is None:
            continue
        if standing is None or standing.violation.action != violation.action:
            _record(draft, likeness, violation, event.sequence)
    for pair in book.correlation_breaches.by_pair:
        likeness = found.get(pair) or Likeness(pair, None, 0)
        if _worst(checks, pair, likeness.correlation) is None:
            _restore(draft, likeness)


def _worst(checks: list[StrategyCorrelation], pair: tuple[str, str], correlation: Decimal | None) -> Violation | None:
    if correlation is None:
        return None
    found = [violation for check in checks if (violation := check.assess(pair, correlation)) is not None]
    return max(found, key=_action, default=None)


def _action(violation: Violation) -> int:
    return violation.action


def _record(draft: Draft, likeness: Likeness, violation: Violation, cause_sequence: int) -> None:
    """Record a breach; one whose limit halts halts both strategies, once: what follows it is for a person to decide."""
    draft.record(
        correlation_breached=journal_pb2.CorrelationBreached(
            strategy_id=likeness.pair[0],
            other_strategy_id=likeness.pair[1],
            correlation="" if likeness.correlation is None else plain(likeness.correlation),
            observations=likeness.observations,
            violation=violation.to_wire(),
            cause_sequence=cause_sequence,
        )
    )
    if violation.action != common_pb2.ACTION_HALT:
        return
    for strategy_id in likeness.pair:
        scope = strategy_scope(strategy_id)
        standing = draft.book.halts.get(scope)
        if standing is None or standing.level < common_pb2.HALT_LEVEL_HALTED:
            body = risk_pb2.Halt(
                scope=scope.to_wire(),
                level=common_pb2.HALT_LEVEL_HALTED,
                operator=GATE,
                reason_code=Reason.STRATEGY_CORRELATION,
                reason=violation.text,
            )
            record_halt(draft, body)


def _restore(draft: Draft, likeness: Likeness) -> None:
    draft.record(
        correlation_restored=journal_pb2.CorrelationRestored(
            strategy_id=likeness.pair[0],
            other_strategy_id=likeness.pair[1],
            correlation="" if likeness.correlation is None else plain(likeness.correlation),
        )
    )
