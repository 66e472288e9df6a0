"""Request ids: how a caller finds its request again, in the gateway's log, in the engine's, and in the journal."""

import re
from typing import Any

import structlog

from tidegate.gate import Reply, Request

KEY = "x-request-id"
_VALID = re.compile(r"[!-~]{1,64}")


def request_id_of(context: Any) -> str:
    """Return the id that the caller gave in ``x-request-id``: 1 to 64 characters; empty without such a one."""
    for key, value in context.invocation_metadata() or ():
        if key == KEY:
            return value if isinstance(value, str) and _VALID.fullmatch(value) else ""
    return ""


def log_call(request: Request, reply: Reply, context: Any) -> None:
    """Log a call that has an id; the engine logs the same id with the events that it became."""
    structlog.get_logger().info(
        "call",
        request_id=request.request_id,
        method=request.method,
        caller=request.caller.name,
        peer=context.peer(),
        reason=reply.reason,
    )
