"""Alerts: the events that a person should know of, in one shape."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from tidegate.reasons import Reason
from tidegate.risk.scopes import PORTFOLIO, Scope, instrument_scope, strategy_scope
from tidegate.risk.violation import money, percent
from tidegate.v1 import common_pb2, journal_pb2, risk_pb2

# An alert's reason code, scope and text.
_Parts = tuple[str, common_pb2.Scope, str]


def alert_of(event: journal_pb2.Event) -> risk_pb2.Alert:
    """Turn an event of one of the kinds that are alerts into its alert."""
    reason_code, scope, text = _PARTS[event.WhichOneof("body") or ""](event)
    return risk_pb2.Alert(sequence=event.sequence, time=event.time, reason_code=reason_code, scope=scope, text=text)


def _raised(event: journal_pb2.Event) -> _Parts:
    raised = event.alert_raised
    return raised.reason_code, raised.scope, raised.text


def _breached(event: journal_pb2.Event) -> _Parts:
    violation = event.limit_breached.violation
    return violation.reason_code, violation.scope, violation.text


def _correlation_breached(event: journal_pb2.Event) -> _Parts:
    violation = event.correlation_breached.violation
    return violation.reason_code, violation.scope, violation.text


def _halted(event: journal_pb2.Event) -> _Parts:
    halt = event.trading_halted
    text = f"trading of the {Scope.from_wire(halt.scope)} is halted by {halt.operator}: {halt.reason}"
    return halt.reason_code, halt.scope, text


def _reset(event: journal_pb2.Event) -> _Parts:
    reset = event.halt_reset
    text = f"the halt of the {Scope.from_wire(reset.scope)} is reset by {reset.operator}: {reset.reason}"
    if reset.confirmed_by:
        text += f"; confirmed by {reset.confirmed_by}: {reset.confirmation}"
    return Reason.HALT_RESET, reset.scope, text


def _paused(event: journal_pb2.Event) -> _Parts:
    paused = event.strategy_paused
    text = f"strategy {paused.strategy_id} is paused by {paused.operator}: {paused.reason}"
    return paused.reason_code, strategy_scope(paused.strategy_id).to_wire(), text


def _overdue(event: journal_pb2.Event) -> _Parts:
    overdue = event.order_overdue
    text = f"nobody has reported on order {overdue.order_id} of strategy {overdue.strategy_id} in time"
    return Reason.ORDER_OVERDUE, strategy_scope(overdue.strategy_id).to_wire(), text


def _session_closed(event: journal_pb2.Event) -> _Parts:
    closed = event.session_closed
    text = f"the session of adapter {closed.adapter} is lost; its working orders are to be canceled"
    return closed.reason_code, PORTFOLIO.to_wire(), text


def _counted(event: journal_pb2.Event) -> _Parts:
    counted = event.refusals_counted
    scope = strategy_scope(counted.strategy_id) if counted.strategy_id else PORTFOLIO
    text = (
        f"{counted.count} more refusals of {counted.command} within a second are only counted, "
        f"the last one {counted.reason_code}"
    )
    return Reason.REFUSALS_COUNTED, scope.to_wire(), text


def _throttled(event: journal_pb2.Event) -> _Parts:
    tripped = event.throttle_tripped
    return Reason.EXECUTION_THROTTLE, strategy_scope(tripped.strategy_id).to_wire(), tripped.reason


def _released(event: journal_pb2.Event) -> _Parts:
    released = event.throttle_released
    text = f"the throttle of strategy {released.strategy_id} is released by {released.operator}: {released.reason}"
    return Reason.THROTTLE_RELEASED, strategy_scope(released.strategy_id).to_wire(), text


def _price_held(event: journal_pb2.Event) -> _Parts:
    held = event.price_held
    text = (
        f"the price of {held.symbol}, {held.price}, is more than {percent(Decimal(held.band.band))} from its mark "
        f"{held.mark}; further prints that confirm it: 0 of {held.band.confirmations}"
    )
    return Reason.PRICE_UNCONFIRMED, instrument_scope(held.symbol).to_wire(), text


def _flatten_requested(event: journal_pb2.Event) -> _Parts:
    asked = event.flatten_requested
    text = f"the {Scope.from_wire(asked.scope)} is to be flattened, by {asked.operator}: {asked.reason}"
    return Reason.FLATTEN, asked.scope, text


def _flatten_ended(event: journal_pb2.Event) -> _Parts:
    ended = event.flatten_ended
    scope = strategy_scope(ended.strategy_id) if ended.strategy_id else PORTFOLIO
    whose = f"strategy {ended.strategy_id}" if ended.strategy_id else "the suspense ledger"
    if not ended.reason_code:
        return Reason.FLATTENED, scope.to_wire(), f"the position of {whose} in {ended.symbol} is closed"
    text = f"{ended.quantity} {ended.symbol} of {whose} are not closed: {ended.reason_code}: {ended.reason}"
    return Reason.FLATTEN_INCOMPLETE, scope.to_wire(), text


def _reset_requested(event: journal_pb2.Event) -> _Parts:
    asked = event.reset_requested
    text = (
        f"{asked.operator} asks to reset the halt of the {Scope.from_wire(asked.scope)}: {asked.reason}; "
        f"another person confirms request {event.sequence}"
    )
    return Reason.RESET_REQUESTED, asked.scope, text


def _reset_expired(event: journal_pb2.Event) -> _Parts:
    expired = event.reset_expired
    text = f"nobody has confirmed request {expired.request_sequence} of {expired.operator} for a reset in time"
    return Reason.RESET_EXPIRED, expired.scope, text


def _strategy_removed(event: journal_pb2.Event) -> _Parts:
    removed = event.strategy_removed
    text = (
        f"strategy {removed.strategy_id} is removed by {removed.operator}: {removed.reason}; "
        f"{money(Decimal(removed.amount))} went back to the reserve"
    )
    return Reason.STRATEGY_REMOVED, strategy_scope(removed.strategy_id).to_wire(), text


def _rebalance_ended(event: journal_pb2.Event) -> _Parts:
    ended = event.rebalance_ended
    if not ended.reason_code:
        return Reason.REBALANCE_DONE, PORTFOLIO.to_wire(), f"rebalance {ended.rebalance_id} is done"
    rest = ", ".join(f"{money(Decimal(move.amount))} of {move.strategy_id}" for move in ended.given_up)
    text = f"rebalance {ended.rebalance_id} is given up with {rest}: {ended.reason}"
    return ended.reason_code, PORTFOLIO.to_wire(), text


_PARTS: dict[str, Callable[[journal_pb2.Event], _Parts]] = {
    "alert_raised": _raised,
    "limit_breached": _breached,
    "correlation_breached": _correlation_breached,
    "trading_halted": _halted,
    "halt_reset": _reset,
    "strategy_paused": _paused,
    "order_overdue": _overdue,
    "session_closed": _session_closed,
    "refusals_counted": _counted,
    "throttle_tripped": _throttled,
    "throttle_released": _released,
    "price_held": _price_held,
    "flatten_requested": _flatten_requested,
    "flatten_ended": _flatten_ended,
    "reset_requested": _reset_requested,
    "reset_expired": _reset_expired,
    "strategy_removed": _strategy_removed,
    "rebalance_ended": _rebalance_ended,
}
ALERT_KINDS: Final = frozenset(_PARTS)
