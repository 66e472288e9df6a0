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

_NOT_FOUND = frozenset({Reason.ALERT_UNKNOWN, Reason.ORDER_UNKNOWN, Reason.STRATEGY_UNKNOWN, Reason.ADAPTER_UNKNOWN})
_ALREADY_EXISTS = frozenset({Reason.CLIENT_ORDER_ID_REUSED, Reason.EXECUTION_ID_REUSED, Reason.TRANSFER_ID_REUSED})
_FAILED_PRECONDITION = frozenset(
    {
        Reason.ORDER_DONE,
        Reason.ORDER_PENDING_CANCEL,
        Reason.REPLACE_PENDING,
        Reason.REPLACE_BELOW_FILLED,
        Reason.SESSION_UNKNOWN,
        Reason.RESET_WOULD_HALT_AGAIN,
        Reason.CASH_NOT_AVAILABLE,
        Reason.TRANSFER_BREAKS_LIMIT,
        Reason.BAR_OUT_OF_ORDER,
        Reason.PRICE_OUT_OF_ORDER,
        Reason.BAR_UNKNOWN,
    }
)
_OTHERS = {
    Reason.INTERNAL: grpc.StatusCode.INTERNAL,
    Reason.METHOD_UNKNOWN: grpc.StatusCode.UNIMPLEMENTED,
    Reason.METHOD_ELSEWHERE: grpc.StatusCode.UNIMPLEMENTED,
    Reason.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.OPERATOR_NOT_CALLER: grpc.StatusCode.PERMISSION_DENIED,
    Reason.ACCESS_CHANGED: grpc.StatusCode.UNAVAILABLE,
    Reason.READER_TOO_SLOW: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.RISK_MANAGER_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}
_RETRYABLE = frozenset(
    {Reason.READER_TOO_SLOW, Reason.OVERLOADED, Reason.RISK_MANAGER_UNAVAILABLE, Reason.ACCESS_CHANGED}
)
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)


def code_of(reason: Reason) -> grpc.StatusCode:
    """Return the gRPC code of a refusal; what is not about the state is about the request."""
    if reason in _NOT_FOUND:
        return grpc.StatusCode.NOT_FOUND
    if reason in _ALREADY_EXISTS:
        return grpc.StatusCode.ALREADY_EXISTS
    if reason in _FAILED_PRECONDITION:
        return grpc.StatusCode.FAILED_PRECONDITION
    return _OTHERS.get(reason, grpc.StatusCode.INVALID_ARGUMENT)


def status_of(reason: Reason, text: str, field: str) -> status_pb2.Status:
    """Build a refusal's status: the reason code, the field at fault, and when to retry."""
    status = status_pb2.Status(code=code_of(reason).value[0], message=text)
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
    await context.abort(code_of(reason), reply.text, ((DETAILS_KEY, status.SerializeToString()),))
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
    return isinstance(error, grpc.RpcError) and refusal_of(error).code in _AWAY


def _rich_status(error: grpc.Call | grpc.aio.AioRpcError) -> status_pb2.Status | None:
    if isinstance(error, grpc.aio.AioRpcError):
        for key, value in error.trailing_metadata():
            if key == DETAILS_KEY and isinstance(value, bytes):
                return status_pb2.Status.FromString(value)
        return None
    return rpc_status.from_call(error)
