"""How each method that changes the state becomes commands of the engine, one after the other."""

import contextlib
from typing import TYPE_CHECKING

from google.protobuf.message import Message

from tidegate.errors import RefusedError
from tidegate.reasons import Reason
from tidegate.risk import door, executions, market_data, operators, orders, sessions
from tidegate.risk.consequences import GATE
from tidegate.times import NS_PER_S
from tidegate.v1 import actors_pb2, admin_pb2, common_pb2, journal_pb2, orders_pb2

if TYPE_CHECKING:
    from tidegate.gate import Gate

ENTRIES_MAX = 1_000
# Alerted, journaled, and answered with the sequence 0: the rest of the report is booked.
_BOOKED_NOT = frozenset({Reason.EXECUTION_ID_REUSED, Reason.EXECUTION_REFERENCE_UNKNOWN})


def single(gate: "Gate", request: Message) -> Message:
    """Take the request itself as the one command."""
    reply: Message = gate.execute(request)
    return reply


def submit_order(gate: "Gate", request: orders_pb2.SubmitOrderRequest) -> orders_pb2.SubmitOrderResponse:
    """Decide one order."""
    response = orders_pb2.SubmitOrderResponse()
    response.decision.CopyFrom(gate.execute(request.order))
    return response


def check_order(gate: "Gate", request: orders_pb2.CheckOrderRequest) -> orders_pb2.CheckOrderResponse:
    """Decide one order and keep nothing of it."""
    reply: orders_pb2.CheckOrderResponse = gate.ask(request)
    return reply


def submit_orders(gate: "Gate", request: orders_pb2.SubmitOrdersRequest) -> orders_pb2.SubmitOrdersResponse:
    """Decide each order against the book that the one before it left; a malformed one is refused alone."""
    door.bounded(len(request.orders), ENTRIES_MAX, "orders")
    return orders_pb2.SubmitOrdersResponse(decisions=[_submit(gate, order) for order in request.orders])


def replace_order(gate: "Gate", request: orders_pb2.ReplaceOrderRequest) -> orders_pb2.ReplaceOrderResponse:
    """Decide one replacement."""
    return orders_pb2.ReplaceOrderResponse(decision=gate.execute(request))


def report_executions(gate: "Gate", request: orders_pb2.ReportExecutionsRequest) -> orders_pb2.ReportExecutionsResponse:
    """Book each execution; a malformed one, or an unknown bar, refuses the report before any is booked."""
    book = gate.engine.book
    door.identifier(request.account, "account")
    market_data.require_adapter(book, request.adapter)
    door.bounded(len(request.executions), ENTRIES_MAX, "executions")
    for index, execution in enumerate(request.executions):
        is_known = execution.order_id in book.orders or bool(gate.archive.events_of_order(execution.order_id))
        executions.read_execution(execution, f"executions[{index}]", is_known=is_known)
    market_data.read_bar_sequence(book, request.bar_sequence)
    sequences = [_book(gate, request, execution) for execution in request.executions]
    if request.bar_sequence:
        acknowledged = journal_pb2.BarAcknowledged(adapter=request.adapter, bar_sequence=request.bar_sequence)
        gate.execute(acknowledged)
    return orders_pb2.ReportExecutionsResponse(sequences=sequences)


def claim_orders(gate: "Gate", request: orders_pb2.ClaimOrdersRequest) -> orders_pb2.ClaimOrdersResponse:
    """Claim each order for the adapter, or say why not."""
    market_data.require_adapter(gate.engine.book, request.adapter)
    door.bounded(len(request.order_ids), ENTRIES_MAX, "order_ids")
    for order_id in request.order_ids:
        door.identifier(order_id, "order_ids")
    response = orders_pb2.ClaimOrdersResponse()
    for order_id in request.order_ids:
        response.claims.append(gate.execute(journal_pb2.OrderClaimed(order_id=order_id, adapter=request.adapter)))
    return response


def heartbeat(gate: "Gate", request: orders_pb2.HeartbeatRequest) -> orders_pb2.HeartbeatResponse:
    """Note that an adapter is alive."""
    sessions.require_session(gate.engine.book, request.adapter, request.session_id)
    gate.heard(request.adapter)
    return orders_pb2.HeartbeatResponse()


def open_session(gate: "Gate", request: actors_pb2.OpenSessionRequest) -> actors_pb2.OpenSessionResponse:
    """Open an adapter's session for the gateway that holds its stream."""
    command = journal_pb2.SessionOpened(
        adapter=request.adapter,
        session_id=request.session_id,
        heartbeat_s=request.heartbeat_s,
        halt_on_loss=request.halt_on_loss,
    )
    reply: actors_pb2.OpenSessionResponse = gate.execute(command)
    gate.heard(request.adapter)
    return reply


def close_session(gate: "Gate", request: actors_pb2.CloseSessionRequest) -> actors_pb2.CloseSessionResponse:
    """Close a session whose stream has ended."""
    return _close(gate, request.adapter, request.session_id, Reason.ADAPTER_DISCONNECTED)


def advance_time(gate: "Gate", request: actors_pb2.AdvanceTimeRequest) -> actors_pb2.AdvanceTimeResponse:
    """Let fall due what is due: overdue orders, and sessions whose heartbeats stayed away."""
    reply: actors_pb2.AdvanceTimeResponse = gate.execute(request)
    for adapter, session in list(gate.engine.book.sessions.items()):
        if gate.silence_ns(adapter) > sessions.MISSED_HEARTBEATS_MAX * session.heartbeat_s * NS_PER_S:
            _close(gate, adapter, session.session_id, Reason.ADAPTER_SILENT)
    return reply


def deposit_capital(gate: "Gate", request: admin_pb2.DepositCapitalRequest) -> admin_pb2.DepositCapitalResponse:
    """Put capital into the reserve."""
    return admin_pb2.DepositCapitalResponse(sequence=_move_capital(gate, request, ""))


def withdraw_capital(gate: "Gate", request: admin_pb2.WithdrawCapitalRequest) -> admin_pb2.WithdrawCapitalResponse:
    """Take capital out of the reserve."""
    return admin_pb2.WithdrawCapitalResponse(sequence=_move_capital(gate, request, "-"))


def rebalance(gate: "Gate", request: admin_pb2.RebalanceRequest) -> admin_pb2.RebalanceResponse:
    """Rebalance; or say what that would do, and keep nothing of it."""
    reply: admin_pb2.RebalanceResponse = gate.ask(request) if request.dry_run else gate.execute(request)
    return reply


def pause_strategy(gate: "Gate", request: admin_pb2.PauseStrategyRequest) -> admin_pb2.PauseStrategyResponse:
    """Pause a strategy in an operator's name."""
    command = journal_pb2.StrategyPaused(
        strategy_id=request.strategy_id,
        operator=request.operator,
        reason_code=Reason.STRATEGY_PAUSED,
        reason=request.reason,
    )
    gate.execute(command)
    return admin_pb2.PauseStrategyResponse()


def resume_strategy(gate: "Gate", request: admin_pb2.ResumeStrategyRequest) -> admin_pb2.ResumeStrategyResponse:
    """Resume a strategy in an operator's name."""
    command = journal_pb2.StrategyResumed(
        strategy_id=request.strategy_id, operator=request.operator, reason=request.reason
    )
    gate.execute(command)
    return admin_pb2.ResumeStrategyResponse()


def complete_bar(gate: "Gate", request: actors_pb2.CompleteBarRequest) -> actors_pb2.CompleteBarResponse:
    """Pause what failed on a bar, decide the bar's orders, and complete it: all in one commit."""
    book = gate.engine.book
    if request.bar_sequence <= book.completed_bar_sequence:
        return actors_pb2.CompleteBarResponse()
    if request.bar_sequence != book.next_bar_sequence:
        text = f"bar {request.bar_sequence} is not the next one to complete"
        raise RefusedError(Reason.BAR_UNKNOWN, text, field="bar_sequence")
    if not book.seen_sequence <= request.seen_sequence <= book.sequence:
        text = f"seen_sequence {request.seen_sequence} is not between {book.seen_sequence} and {book.sequence}"
        raise RefusedError(Reason.BAR_UNKNOWN, text, field="seen_sequence")
    for fault in request.faults:
        operators.read_pause(book, fault.strategy_id, GATE, fault.reason)
    for fault in request.faults:
        command = journal_pb2.StrategyPaused(
            strategy_id=fault.strategy_id, operator=GATE, reason_code=fault.reason_code, reason=fault.reason
        )
        gate.execute(command)
        if fault.reason_code == Reason.LEDGER_DIFFERS:
            scope = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_STRATEGY, name=fault.strategy_id)
            gate.execute(admin_pb2.HaltRequest(scope=scope, operator=GATE, reason=fault.reason))
    for cancel in request.cancels:
        with contextlib.suppress(RefusedError):  # recorded, and the bar goes on: it is done, or the id is no id
            gate.execute(cancel)
    decisions = [_submit_own(gate, order) for order in request.orders]
    completed = journal_pb2.BarCompleted(
        bar_sequence=request.bar_sequence,
        seen_sequence=request.seen_sequence,
        strategy_ids=request.strategy_ids,
        states=request.states,
    )
    gate.execute(completed)
    return actors_pb2.CompleteBarResponse(decisions=decisions)


def _submit_own(gate: "Gate", order: orders_pb2.NewOrder) -> orders_pb2.Decision:
    """Have a strategy's own order decided; its code is nobody who could call for an emergency exit."""
    if order.HasField("emergency"):
        text = f"strategy {order.strategy_id} may not call for an emergency exit"
        return orders.malformed(RefusedError(Reason.PERMISSION_DENIED, text))
    return _submit(gate, order)


def _submit(gate: "Gate", order: orders_pb2.NewOrder) -> orders_pb2.Decision:
    try:
        decision: orders_pb2.Decision = gate.execute(order)
    except RefusedError as refusal:
        return orders.malformed(refusal)
    return decision


def _book(gate: "Gate", request: orders_pb2.ReportExecutionsRequest, execution: orders_pb2.Execution) -> int:
    command = journal_pb2.ExecutionBooked(account=request.account, adapter=request.adapter, execution=execution)
    try:
        event: journal_pb2.Event = gate.execute(command)
    except RefusedError as refusal:
        if refusal.reason not in _BOOKED_NOT:
            raise
        return 0
    return event.sequence


def _close(gate: "Gate", adapter: str, session_id: str, reason: Reason) -> actors_pb2.CloseSessionResponse:
    command = journal_pb2.SessionClosed(adapter=adapter, session_id=session_id, reason_code=reason)
    reply: actors_pb2.CloseSessionResponse = gate.execute(command)
    return reply


def _move_capital(
    gate: "Gate", request: admin_pb2.DepositCapitalRequest | admin_pb2.WithdrawCapitalRequest, sign: str
) -> int:
    door.amount(request.amount, "amount", positive=True)
    command = journal_pb2.CapitalMoved(
        transfer_id=request.transfer_id,
        amount=f"{sign}{request.amount}",
        operator=request.operator,
        reason=request.reason,
        account=request.account,
    )
    event: journal_pb2.Event = gate.execute(command)
    return event.sequence
