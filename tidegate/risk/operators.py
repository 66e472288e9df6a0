"""Deciding on what operators ask of strategies, and what every operator's command has to say."""

from tidegate.errors import RefusedError
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.book import Book
from tidegate.risk.draft import Draft
from tidegate.risk.scopes import Scope
from tidegate.v1 import common_pb2, journal_pb2, risk_pb2


def pause_strategy(draft: Draft, command: journal_pb2.StrategyPaused) -> None:
    """Stop a strategy's code; its positions stay. A paused one stays paused for its first reason."""
    read_pause(draft.book, command.strategy_id, command.operator, command.reason)
    if command.strategy_id not in draft.book.pauses:
        draft.record(strategy_paused=command)


def resume_strategy(draft: Draft, command: journal_pb2.StrategyResumed) -> None:
    """Let a paused strategy's code run again, from the next bar."""
    read_pause(draft.book, command.strategy_id, command.operator, command.reason)
    if command.strategy_id in draft.book.pauses:
        draft.record(strategy_resumed=command)


def read_pause(book: Book, strategy_id: str, operator: str, reason: str) -> None:
    """Refuse a malformed pause or resumption."""
    _read_strategy(book, strategy_id)
    read_operator(operator, reason)


def acknowledge_alert(draft: Draft, command: risk_pb2.AcknowledgeAlertRequest) -> risk_pb2.AcknowledgeAlertResponse:
    """Note that a person has seen an alert; the first one stays named."""
    door.identifier(command.operator, "operator")
    alert = draft.book.alerts.get(command.alert_sequence)
    if alert is None:
        text = f"none of the newest alerts has the sequence {command.alert_sequence}"
        raise RefusedError(Reason.ALERT_UNKNOWN, text, field="alert_sequence")
    if alert.acknowledged_by:
        return risk_pb2.AcknowledgeAlertResponse(changed=False)
    acknowledged = journal_pb2.AlertAcknowledged(alert_sequence=command.alert_sequence, operator=command.operator)
    draft.record(alert_acknowledged=acknowledged)
    return risk_pb2.AcknowledgeAlertResponse(changed=True)


def read_operator(operator: str, reason: str) -> None:
    """Take an operator's name and reason."""
    door.identifier(operator, "operator")
    door.words(reason, "reason", required=True)


def _read_strategy(book: Book, strategy_id: str) -> None:
    if strategy_id not in book.terms:
        text = f"no strategy is called {door.shown(strategy_id)}"
        raise RefusedError(Reason.STRATEGY_UNKNOWN, text, field="strategy_id")


def read_scope(book: Book, message: common_pb2.Scope) -> Scope:
    """Take a scope that exists."""
    scope = Scope.from_wire(message)
    if scope.kind == common_pb2.SCOPE_KIND_PORTFOLIO and not scope.name:
        return scope
    if scope.kind == common_pb2.SCOPE_KIND_STRATEGY and scope.name in book.terms:
        return scope
    if scope.kind == common_pb2.SCOPE_KIND_INSTRUMENT and scope.name in book.instruments:
        return scope
    text = "scope takes the portfolio without a name, a strategy with its id, or an instrument with its symbol"
    raise RefusedError(Reason.SCOPE_INVALID, f"{text}; not {door.shown(scope.name)}", field="scope")
