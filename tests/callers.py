"""In whose name a test calls the gate, when it is not about that."""

from tidegate.permissions import GATEWAY, INTERNAL, LOCAL, Caller, may_call


def caller_of(method: str) -> Caller:
    """Call what the actors and the gateways ask as they do, and everything else as anybody on this machine."""
    return next((caller for caller in (INTERNAL, GATEWAY) if may_call(caller, method)), LOCAL)
