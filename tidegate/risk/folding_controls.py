"""How what controls trading changes the book: halts, limits, sessions, throttles, calendars, alerts."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tidegate.orders import Order
from tidegate.risk.alerts import alert_of
from tidegate.risk.calendars import Calendar
from tidegate.risk.halts import Flattening, Halt, Pause
from tidegate.risk.limit import Limit, LimitKey
from tidegate.risk.restarts import note_start, note_stop
from tidegate.risk.scopes import Scope, groups_of
from tidegate.risk.session import Session
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book

# The newest alerts, for whoever asks what is going on; the journal has them all.
ALERTS_MAX = 1_000


def _halt(book: "Book", event: journal_pb2.Event) -> None:
    halt = Halt.from_event(event)
    book.halts[halt.scope] = halt
    book.reset_requests.pop(halt.scope, None)  # whoever asked for it has not seen this halt


def _reset(book: "Book", event: journal_pb2.Event) -> None:
    scope = Scope.from_wire(event.halt_reset.scope)
    book.halts.pop(scope, None)
    book.reset_requests.pop(scope, None)
    if scope.kind == common_pb2.SCOPE_KIND_STRATEGY:
        book.roster.leaving.pop(scope.name, None)
    book.flattenings = {place: one for place, one in book.flattenings.items() if one.scope != scope}
    if event.halt_reset.high_water_mark == admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE:
        book.high_water.rebase(scope, book.equity_of(scope))


def _pause(book: "Book", event: journal_pb2.Event) -> None:
    paused = event.strategy_paused
    book.pauses[paused.strategy_id] = Pause(paused.operator, paused.reason_code, paused.reason)


def _resume(book: "Book", event: journal_pb2.Event) -> None:
    book.pauses.pop(event.strategy_resumed.strategy_id, None)


def _breach(book: "Book", event: journal_pb2.Event) -> None:
    violation = event.limit_breached.violation
    book.breaches[violation.reason_code, Scope.from_wire(violation.scope)] = violation


def _restore(book: "Book", event: journal_pb2.Event) -> None:
    restored = event.limit_restored
    book.breaches.pop((restored.reason_code, Scope.from_wire(restored.scope)), None)


def _breach_correlation(book: "Book", event: journal_pb2.Event) -> None:
    book.correlation_breaches.begin(event)


def _restore_correlation(book: "Book", event: journal_pb2.Event) -> None:
    book.correlation_breaches.end(event.correlation_restored)


def _note_report(book: "Book", event: journal_pb2.Event) -> None:
    book.reported_sequence = event.risk_reported.end_sequence


def _open_session(book: "Book", event: journal_pb2.Event) -> None:
    opened = event.session_opened
    book.sessions[opened.adapter] = Session(opened.session_id, opened.heartbeat_s, opened.halt_on_loss)


def _close_session(book: "Book", event: journal_pb2.Event) -> None:
    book.sessions.pop(event.session_closed.adapter, None)


def _change_limit(book: "Book", event: journal_pb2.Event) -> None:
    book.limits_in_force.set(Limit.from_wire(event.limit_changed))
    group_exposures_of_limits(book)


def _expire_limit(book: "Book", event: journal_pb2.Event) -> None:
    expired = event.limit_expired
    book.limits_in_force.expire(LimitKey(expired.figure, Scope.from_wire(expired.scope), expired.action))
    group_exposures_of_limits(book)


def group_exposures_of_limits(book: "Book") -> None:
    """Keep running sums of the sectors and asset classes that have a limit, and of no others."""
    book.net_exposures = None  # other scopes may have a limit now: worked out anew when somebody asks
    limited = {limit.scope for limit in book.limits_in_force}
    groups = {symbol: limited.intersection(groups_of(i)) for symbol, i in book.instruments.items()}
    book.totals.group({symbol: tuple(sorted(found)) for symbol, found in groups.items() if found})
    for strategy in book.strategies.values():
        strategy.ledger.count_groups()


def _request_flatten(book: "Book", event: journal_pb2.Event) -> None:
    asked = event.flatten_requested
    scope = Scope.from_wire(asked.scope)
    for entry in asked.places:
        place = (entry.strategy_id, entry.symbol)
        standing = book.flattenings.get(place)
        fresh = Flattening(scope, asked.operator, asked.reason, event.sequence)
        if standing is not None:
            fresh.order_ids |= standing.order_ids
        book.flattenings[place] = fresh


def note_exit(book: "Book", order: Order) -> None:
    """Note an emergency exit that a flattening sent."""
    standing = book.flattenings.get((order.request.strategy_id, order.request.symbol))
    if standing is not None and order.request.client_order_id.startswith("flatten-"):
        standing.order_ids.add(order.order_id)


def _end_flatten(book: "Book", event: journal_pb2.Event) -> None:
    book.flattenings.pop((event.flatten_ended.strategy_id, event.flatten_ended.symbol), None)


def _request_reset(book: "Book", event: journal_pb2.Event) -> None:
    book.reset_requests[Scope.from_wire(event.reset_requested.scope)] = event


def _expire_reset(book: "Book", event: journal_pb2.Event) -> None:
    book.reset_requests.pop(Scope.from_wire(event.reset_expired.scope), None)


def _acknowledge_alert(book: "Book", event: journal_pb2.Event) -> None:
    alert = book.alerts.get(event.alert_acknowledged.alert_sequence)
    if alert is not None:
        alert.acknowledged_by = event.alert_acknowledged.operator


def _record_calendar(book: "Book", event: journal_pb2.Event) -> None:
    book.calendars[event.calendar_recorded.name] = Calendar(event.calendar_recorded)


def _throttle(book: "Book", event: journal_pb2.Event) -> None:
    tripped = event.throttle_tripped
    book.throttles[tripped.strategy_id, tripped.symbol] = tripped.reason


def _release(book: "Book", event: journal_pb2.Event) -> None:
    released = event.throttle_released
    for strategy_id, symbol in list(book.throttles):
        if strategy_id == released.strategy_id and released.symbol in ("", symbol):
            del book.throttles[strategy_id, symbol]


def note_alert(book: "Book", event: journal_pb2.Event) -> None:
    """Keep an event that is an alert among the newest."""
    book.alerts[event.sequence] = alert_of(event)
    if len(book.alerts) > ALERTS_MAX:
        del book.alerts[next(iter(book.alerts))]


CONTROLS: dict[str, Callable[["Book", journal_pb2.Event], None]] = {
    "trading_halted": _halt,
    "halt_reset": _reset,
    "strategy_paused": _pause,
    "strategy_resumed": _resume,
    "limit_breached": _breach,
    "limit_restored": _restore,
    "correlation_breached": _breach_correlation,
    "correlation_restored": _restore_correlation,
    "risk_reported": _note_report,
    "session_opened": _open_session,
    "session_closed": _close_session,
    "alert_acknowledged": _acknowledge_alert,
    "limit_changed": _change_limit,
    "limit_expired": _expire_limit,
    "calendar_recorded": _record_calendar,
    "throttle_tripped": _throttle,
    "throttle_released": _release,
    "flatten_requested": _request_flatten,
    "flatten_ended": _end_flatten,
    "reset_requested": _request_reset,
    "reset_expired": _expire_reset,
    "gate_stopped": note_stop,
    "gate_started": note_start,
}
