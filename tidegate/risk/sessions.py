"""Deciding on adapters' sessions: when one is lost, the orders that the adapter routes are to be canceled."""

from tidegate.errors import RefusedError
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.book import Book
from tidegate.risk.cancels import request_cancels
from tidegate.risk.draft import Draft
from tidegate.risk.market_data import require_adapter
from tidegate.v1 import actors_pb2, journal_pb2

HEARTBEAT_DEFAULT_S = 5
HEARTBEAT_MAX_S = 60
# So many missing heartbeats lose a session.
MISSED_HEARTBEATS_MAX = 3


def open_session(draft: Draft, command: journal_pb2.SessionOpened) -> actors_pb2.OpenSessionResponse:
    """Open an adapter's session; an older one of the same adapter ends with it, and cancels nothing."""
    require_adapter(draft.book, command.adapter)
    door.identifier(command.session_id, "session_id")
    if command.heartbeat_s > HEARTBEAT_MAX_S:
        text = f"heartbeat_s takes 1 to {HEARTBEAT_MAX_S}, and 0 for {HEARTBEAT_DEFAULT_S}"
        raise RefusedError(Reason.HEARTBEAT_INVALID, text, field="heartbeat_s")
    heartbeat_s = command.heartbeat_s or HEARTBEAT_DEFAULT_S
    draft.record(
        session_opened=journal_pb2.SessionOpened(
            adapter=command.adapter, session_id=command.session_id, heartbeat_s=heartbeat_s
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
    return actors_pb2.CloseSessionResponse()


def require_session(book: Book, adapter: str, session_id: str) -> None:
    """Refuse a session that is not open."""
    session = book.sessions.get(adapter)
    if session is None or session.session_id != session_id:
        text = f"adapter {door.shown(adapter)} has no session {door.shown(session_id)}; watch the orders again"
        raise RefusedError(Reason.SESSION_UNKNOWN, text, field="session_id")
