"""Deciding what follows from the gate's own end and its coming back."""

from google.protobuf.message import Message

from tidegate.reasons import Reason
from tidegate.risk.consequences import GATE
from tidegate.risk.draft import Draft
from tidegate.risk.halting import record_halt
from tidegate.risk.scopes import PORTFOLIO
from tidegate.v1 import common_pb2, journal_pb2, risk_pb2

_UNPLANNED = "the gate came back without having ended in order"


def stop(draft: Draft, command: journal_pb2.GateStopped) -> Message:
    """Record that the gate ends in order, where somebody wants to know."""
    if _wants_to_know(draft):
        draft.record(gate_stopped=command)
    return command


def start(draft: Draft, command: journal_pb2.GateStarted) -> Message:
    """
    Record that the gate is back, and what it left in flight.

    After an unplanned end the portfolio is REDUCE_ONLY if its file says so; a command on which the gate has ended
    twice is quarantined, with an alert.
    """
    restarts = draft.book.restarts
    is_unplanned = restarts.stopped_sequence != draft.book.sequence
    if not command.in_flight and not _wants_to_know(draft):
        return command
    recorded = journal_pb2.GateStarted(is_unplanned=is_unplanned, in_flight=command.in_flight, suspect=command.suspect)
    draft.record(gate_started=recorded)
    if command.suspect and restarts.is_last(command.suspect):
        text = f"the gate ended twice while it decided one {command.in_flight[0].method} ({command.suspect})"
        alert = journal_pb2.AlertRaised(
            reason_code=Reason.COMMAND_QUARANTINED, scope=PORTFOLIO.to_wire(), text=f"{text}; it is refused from now on"
        )
        draft.record(alert_raised=alert)
    if is_unplanned and _wants_to_know(draft) and PORTFOLIO not in draft.book.halts:
        body = risk_pb2.Halt(
            scope=PORTFOLIO.to_wire(),
            level=common_pb2.HALT_LEVEL_REDUCE_ONLY,
            operator=GATE,
            reason_code=Reason.UNPLANNED_RESTART,
            reason=_UNPLANNED,
        )
        record_halt(draft, body)
    return command


def _wants_to_know(draft: Draft) -> bool:
    configuration = draft.book.configuration
    return configuration is not None and configuration.reduce_only_after_restart
