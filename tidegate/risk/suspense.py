"""Deciding on suspense: a fill that nobody knew goes to the strategy that an operator names, whole and once."""

from tidegate.errors import RefusedError
from tidegate.orders import is_fill
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.draft import Draft, assignment_key, execution_key, reversal_key
from tidegate.risk.operators import read_operator
from tidegate.strategy_book import SUSPENSE
from tidegate.v1 import journal_pb2, reconciliation_pb2

_COMMAND = "AssignSuspense"


def assign_suspense(
    draft: Draft, command: reconciliation_pb2.AssignSuspenseRequest
) -> reconciliation_pb2.AssignSuspenseResponse:
    """
    Move a fill's quantity, cash and fee to a strategy. What it breaks there is alerted: a fill is a fact.

    Asked again for the same strategy, the answer is the first one.
    """
    account, execution_id = command.account, command.execution_id
    door.identifier(account, "account")
    door.identifier(execution_id, "execution_id")
    read_operator(command.operator, command.reason)
    if command.strategy_id not in draft.book.terms:
        text = f"no strategy is called {door.shown(command.strategy_id)}"
        raise RefusedError(Reason.STRATEGY_UNKNOWN, text, field="strategy_id")
    subject = f"{account} {execution_id}"
    assigned = draft.archive.find(assignment_key(account, execution_id))
    if assigned is not None:
        owner = assigned.suspense_assigned.strategy_id
        if owner != command.strategy_id:
            text = f"fill {execution_id} of account {account} was assigned to strategy {owner} before"
            reason = Reason.SUSPENSE_ASSIGNED_ELSEWHERE
            draft.refuse(reason, text, command=_COMMAND, subject=subject, operator=command.operator)
        return reconciliation_pb2.AssignSuspenseResponse(sequence=assigned.sequence)
    booked = draft.archive.find(execution_key(account, execution_id))
    if booked is None or not _is_in_suspense(draft, booked.execution_booked):
        text = f"account {account} has no fill {execution_id} in suspense"
        reason = Reason.FILL_NOT_IN_SUSPENSE
        draft.refuse(reason, text, command=_COMMAND, subject=subject, operator=command.operator)
    event = draft.record(
        suspense_assigned=journal_pb2.SuspenseAssigned(
            fill=booked.execution_booked,
            strategy_id=command.strategy_id,
            operator=command.operator,
            reason=command.reason,
        )
    )
    return reconciliation_pb2.AssignSuspenseResponse(sequence=event.sequence)


def _is_in_suspense(draft: Draft, booked: journal_pb2.ExecutionBooked) -> bool:
    """Tell whether an execution is a fill of nobody's that no later report took back."""
    if booked.strategy_id != SUSPENSE or not is_fill(booked.execution):
        return False
    return draft.archive.find(reversal_key(booked.account, booked.execution.execution_id)) is None
