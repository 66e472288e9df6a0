"""Refusals on the wire: google.rpc.Status with ErrorInfo, BadRequest and RetryInfo."""

from typing import Any, NamedTuple, NoReturn

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from tidegate.gate import Reply
from tidegate.reasons import Reason

DOMAIN = "tidegate"
DETAILS_KEY = "grpc-status-details-bin"
RETRY_AFTER_MS = 200

_BY_CODE = {
    grpc.StatusCode.INVALID_ARGUMENT: (
        Reason.MESSAGE_MALFORMED,
        Reason.IDENTIFIER_INVALID,
        Reason.SIDE_INVALID,
        Reason.ORDER_TYPE_INVALID,
        Reason.TIME_IN_FORCE_INVALID,
        Reason.QUANTITY_INVALID,
        Reason.PRICE_INVALID,
        Reason.AMOUNT_INVALID,
        Reason.TIME_INVALID,
        Reason.TEXT_INVALID,
        Reason.EXECUTION_TYPE_INVALID,
        Reason.SCOPE_INVALID,
        Reason.HALT_LEVEL_INVALID,
        Reason.LIMIT_INVALID,
        Reason.INSTRUMENT_INVALID,
        Reason.STRATEGY_TERMS_INVALID,
        Reason.WEIGHTS_INVALID,
        Reason.BATCH_TOO_LARGE,
        Reason.STATEMENT_INVALID,
        Reason.BAR_EMPTY,
        Reason.SYMBOL_REPEATED,
        Reason.PAGE_TOKEN_INVALID,
        Reason.INSTRUMENT_UNKNOWN,
        Reason.REPLACE_CHANGES_NOTHING,
        Reason.HEARTBEAT_INVALID,
        Reason.HIGH_WATER_MARK_UNDECIDED,
        Reason.TRANSFER_TO_ITSELF,
    ),
    grpc.StatusCode.NOT_FOUND: (
        Reason.ALERT_UNKNOWN,
        Reason.RESET_REQUEST_UNKNOWN,
        Reason.ORDER_UNKNOWN,
        Reason.STRATEGY_UNKNOWN,
        Reason.ADAPTER_UNKNOWN,
        Reason.ACCOUNT_UNKNOWN,
    ),
    grpc.StatusCode.ALREADY_EXISTS: (
        Reason.CLIENT_ORDER_ID_REUSED,
        Reason.TRANSFER_ID_REUSED,
        Reason.SUSPENSE_ASSIGNED_ELSEWHERE,
        Reason.STRATEGY_ID_TAKEN,
    ),
    grpc.StatusCode.FAILED_PRECONDITION: (
        Reason.ORDER_DONE,
        Reason.ORDER_PENDING_CANCEL,
        Reason.REPLACE_PENDING,
        Reason.REPLACE_BELOW_FILLED,
        Reason.SESSION_UNKNOWN,
        Reason.RESET_WOULD_HALT_AGAIN,
        Reason.RESET_NOT_BY_ANOTHER,
        Reason.CASH_NOT_AVAILABLE,
        Reason.TRANSFER_BREAKS_LIMIT,
        Reason.FILL_NOT_IN_SUSPENSE,
        Reason.STATEMENT_OUT_OF_ORDER,
        Reason.INSTRUMENT_IN_USE,
        Reason.STRATEGY_REMOVED,
        Reason.STRATEGY_NOT_FLAT,
        Reason.REBALANCE_NOT_FUNDED,
        Reason.BAR_OUT_OF_ORDER,
        Reason.PRICE_OUT_OF_ORDER,
        Reason.BAR_UNKNOWN,
        Reason.EVENT_ARCHIVED,
        Reason.COMMAND_QUARANTINED,
        Reason.REPORTS_UNAVAILABLE,
    ),
    grpc.StatusCode.INTERNAL: (Reason.INTERNAL,),
    grpc.StatusCode.UNIMPLEMENTED: (Reason.METHOD_UNKNOWN, Reason.METHOD_ELSEWHERE),
    grpc.StatusCode.UNAUTHENTICATED: (Reason.UNAUTHENTICATED,),
    grpc.StatusCode.PERMISSION_DENIED: (Reason.PERMISSION_DENIED, Reason.OPERATOR_NOT_CALLER),
    grpc.StatusCode.UNAVAILABLE: (Reason.ACCESS_CHANGED, Reason.RISK_MANAGER_UNAVAILABLE),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (Reason.READER_TOO_SLOW, Reason.OVERLOADED),
}
# Every reason that a call is refused for; the others stand in decisions, claims, alerts and events.
CODES = {reason: code for code, reasons in _BY_CODE.items() for reason in reasons}
_RETRYABLE = frozenset(
    {Reason.READER_TOO_SLOW, Reason.OVERLOADED, Reason.RISK_MANAGER_UNAVAILABLE, Reason.ACCESS_CHANGED}
)
# CANCELLED, when the caller did not cancel, is what gRPC says when too many calls wait before the gateway.
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)


def status_of(reason: Reason, text: str, field: str) -> status_pb2.Status:
    """Build a refusal's status: the reason code, the field at fault, and when to retry."""
    status = status_pb2.Status(code=CODES[reason].value[0], message=text)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN))
    if field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=text, reason=reason)
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    if reason in _RETRYABLE:
        delay = Duration(nanos=RETRY_AFTER_MS * 1_000_000)
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return status


async def refuse(context: Any, reply: Reply) -> NoReturn:
    """End a call with a refusal."""
    reason = Reason[reply.reason]
    status = status_of(reason, reply.text, reply.field)
    await context.abort(CODES[reason], reply.text, ((DETAILS_KEY, status.SerializeToString()),))
    raise AssertionError  # abort raises


class Refusal(NamedTuple):
    """What a client learns of a refusal; the reason is empty when gRPC itself refused."""

    code: grpc.StatusCode
    reason: str
    text: str
    field: str


def refusal_of(error: grpc.RpcError) -> Refusal:
    """Read the refusal out of the error that a client's call raised."""
    if not isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        return Refusal(grpc.StatusCode.UNKNOWN, "", str(error), "")
    reason = field = ""
    status = _rich_status(error)
    for detail in status.details if status is not None else ():
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(bad) and bad.field_violations:
            field = bad.field_violations[0].field
    return Refusal(error.code(), reason, error.details() or "", field)


def is_away(error: BaseException) -> bool:
    """
    Tell whether a call failed because the gateway is away, late or overloaded.

    It means "unknown", not "no": ask again, with the same ids. Every other refusal is refused again.
    """
    if not isinstance(error, grpc.RpcError):
        return False
    refusal = refusal_of(error)
    # Without a reason of ours it is gRPC's word for a message that is too large, which never becomes smaller.
    is_overloaded = refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED and refusal.reason != ""
    return is_overloaded or refusal.code in _AWAY


def _rich_status(error: grpc.Call | grpc.aio.AioRpcError) -> status_pb2.Status | None:
    if isinstance(error, grpc.aio.AioRpcError):
        for key, value in error.trailing_metadata():
            if key == DETAILS_KEY and isinstance(value, bytes):
                return status_pb2.Status.FromString(value)
        return None
    return rpc_status.from_call(error)
