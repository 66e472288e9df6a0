"""Admission: which requests still find room when too many wait."""

from collections.abc import Sequence

from tidegate.gate import Request

# A queue takes so many requests; then only what a way out of trouble needs, up to the second bound.
WAITING_MAX = 8_000
WAITING_RESERVED_MAX = 10_000

# Taken before everything that waits.
URGENT = frozenset({"Halt", "Flatten"})
# What makes the book smaller or truer. It finds room when orders and reads find none any more.
RESERVED = frozenset(
    {
        "AdvanceTime",
        "CancelAllOrders",
        "CancelOrder",
        "CloseSession",
        "Heartbeat",
        "LiquidateStrategy",
        "OpenSession",
        "PauseStrategy",
        "ReportExecutions",
    }
)


def has_room(waiting: int, requests: Sequence[Request]) -> bool:
    """Tell whether a queue in which so many wait takes more requests; together they come in or stay out."""
    if waiting + len(requests) <= WAITING_MAX:
        return True
    is_reserved = any(request.method in RESERVED for request in requests)
    return is_reserved and waiting + len(requests) <= WAITING_RESERVED_MAX
