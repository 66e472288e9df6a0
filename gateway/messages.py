"""Reading a message in the gateway itself, where it has to: what is none is refused as it is by the gate."""

from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from gateway.status import refuse
from tidegate.gate import Reply
from tidegate.reasons import Reason

M = TypeVar("M", bound=Message)


async def parsed(request_type: type[M], body: bytes, context: Any) -> M:
    """Read a message, or end the call."""
    try:
        return request_type.FromString(body)
    except DecodeError:
        text = f"the bytes are not a {request_type.__name__}"
        await refuse(context, Reply(b"", Reason.MESSAGE_MALFORMED, text))
