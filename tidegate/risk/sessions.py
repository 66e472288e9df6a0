"""Deciding on adapters' sessions: when one is lost, the orders that the adapter routes are to be canceled."""

from tidegate.errors import RefusedError
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.book import Book
from tidegate.risk.cancels import request_cancels
from tidegate.risk.consequences import GATE
from tidegate.risk.draft import Draft
from tidegate.risk.halting import record_halt
from tidegate.risk.market_data import require_adapter
from tidegate.risk.scopes import strategy_scope
from tidegate.risk.session import Session
from tidegate.v1 import actors_pb2, common_pb2, journal_pb2, orders_pb2, risk_pb2

HEARTBEAT_DEFAULT_S = 5
HEARTBEAT_MAX_S = 60
# So many missing heartbeats lose a session.
MISSED_HEARTBEATS_MAX = 3
# What a lost session may set its adapter's strategies to.
_LEVELS = (
    common_pb2.HALT_LEVEL_UNSPECIFIED,
    common_pb2.HALT_LEVEL_REDUCE_ONLY,
    common_pb2.HALT_LEVEL_HALTED,
)


def open_session(draft: Draft, command: journal_pb2.SessionOpened) -> actors_pb2.OpenSessionResponse:
    """Open an adapter's session; an older one of the same adapter ends with it, and cancels nothing."""
    require_adapter(draft.book, command.adapter)
    door.identifier(command.session_id, "session_id")
    if command.heartbeat_s > HEARTBEAT_MAX_S:
        text = f"heartbeat_s takes 1 to {HEARTBEAT_MAX_S}, and 0 for {HEARTBEAT_DEFAULT_S}"
        raise RefusedError(Reason.HEARTBEAT_INVALID, text, field="heartbeat_s")
    _read_level(command.halt_on_loss)
    heartbeat_s = command.heartbeat_s or HEARTBEAT_DEFAULT_S
    draft.record(
        session_opened=journal_pb2.SessionOpened(
            adapter=command.adapter,
            session_id=command.session_id,
            heartbeat_s=heartbeat_s,
            halt_on_loss=command.halt_on_loss,
        )
    )
    return actors_pb2.OpenSessionResponse(heartbeat_s=heartbeat_s)


def close_session(draft: Draft, command: journal_pb2.SessionClosed) -> actors_pb2.CloseSessionResponse:
    """Close a session that was lost; one that the adapter has replaced already is left alone."""
    session = draft.book.sessions.get(command.adapter)
    if session is not None and session.session_id == command.session_id:
        draft.record(session_closed=command)
        mine = [order for order in draft.book.orders.values() if order.request.route == command.adapter]
        request_cancels(draft, mine, command.reason_code)
        if session.halt_on_loss:
            _halt_strategies(draft, command, session)
    return actors_pb2.CloseSessionResponse()


def _halt_strategies(draft: Draft, command: journal_pb2.SessionClosed, session: Session) -> None:
    """Set each strategy that routes to the adapter, or has an order working there, to what the session asked for."""
    book, adapter = draft.book, command.adapter
    working = {order.request.strategy_id for order in book.orders.values() if order.request.route == adapter}
    for strategy_id in book.terms:
        standing = book.halts.get(strategy_scope(strategy_id))
        routes = book.routes.get(strategy_id) == adapter and strategy_id not in book.roster.removed
        if strategy_id not in working and not routes:
            continue
        if standing is None or standing.level < session.halt_on_loss:
            body = risk_pb2.Halt(
                scope=strategy_scope(strategy_id).to_wire(),
                level=session.halt_on_loss,
                operator=GATE,
                reason_code=Reason.DEAD_MAN,
                reason=f"the session of adapter {adapter} is lost: {command.reason_code}",
            )
            record_halt(draft, body)


def require_switch(request: orders_pb2.WatchOrdersRequest) -> None:
    """Refuse a dead-man's switch that would never be one: of an unknown level, or without a session."""
    _read_level(request.halt_on_loss)
    if request.halt_on_loss and not request.cancel_on_disconnect:
        text = "halt_on_loss goes with cancel_on_disconnect: without a session there is nothing to lose"
        raise RefusedError(Reason.HALT_LEVEL_INVALID, text, field="halt_on_loss")


def _read_level(level: common_pb2.HaltLevel.ValueType) -> None:
    if level not in _LEVELS:
        text = "halt_on_loss takes HALT_LEVEL_REDUCE_ONLY or HALT_LEVEL_HALTED, or nothing"
        raise RefusedError(Reason.HALT_LEVEL_INVALID, text, field="halt_on_loss")


def require_session(book: Book, adapter: str, session_id: str) -> None:
    """Refuse a session that is not open."""
    session = book.sessions.get(adapter)
    if session is None or session.session_id != session_id:
        text = f"adapter {door.shown(adapter)} has no session {door.shown(session_id)}; watch the orders again"
        raise RefusedError(Reason.SESSION_UNKNOWN, text, field="session_id")
