"""Alerts: the events that a person should know of, in one shape."""

from collections.abc import Callable
from decimal import Decimal

from tidegate.reasons import Reason
from tidegate.risk.scopes import PORTFOLIO, Scope, instrument_scope, strategy_scope
from tidegate.risk.violation import percent
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


def _halted(event: journal_pb2.Event) -> _Parts:
    halt = event.trading_halted
    text = f"trading of the {Scope.from_wire(halt.scope)} is halted by {halt.operator}: {halt.reason}"
    return halt.reason_code, halt.scope, text


def _reset(event: journal_pb2.Event) -> _Parts:
    reset = event.halt_reset
    text = f"the halt of the {Scope.from_wire(reset.scope)} is reset by {reset.operator}: {reset.reason}"
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


_PARTS: dict[str, Callable[[journal_pb2.Event], _Parts]] = {
    "alert_raised": _raised,
    "limit_breached": _breached,
    "trading_halted": _halted,
    "halt_reset": _reset,
    "strategy_paused": _paused,
    "order_overdue": _overdue,
    "session_closed": _session_closed,
    "refusals_counted": _counted,
    "throttle_tripped": _throttled,
    "throttle_released": _released,
    "price_held": _price_held,
}
ALERT_KINDS = frozenset(_PARTS)
