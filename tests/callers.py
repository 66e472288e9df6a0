"""In whose name a test calls the gate, when it is not about that."""

from tidegate.permissions import INTERNAL, LOCAL, Caller, may_call


def caller_of(method: str) -> Caller:
    """Call what the actors ask each other as they do, and everything else as anybody on this machine."""
    return INTERNAL if may_call(INTERNAL, method) else LOCAL
