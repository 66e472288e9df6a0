"""Admission: what finds room in a queue that is full for orders."""

import pytest

from actors.admission import WAITING_MAX, WAITING_RESERVED_MAX, has_room
from tidegate.gate import Request


@pytest.mark.parametrize("method", ["CancelOrder", "PauseStrategy", "LiquidateStrategy", "ReportExecutions"])
def test_what_makes_the_book_smaller_or_truer_finds_room_when_orders_find_none(method: str) -> None:
    """Pins both bounds: exactly at each, and one request above."""
    assert has_room(WAITING_MAX - 1, [Request("SubmitOrder", b"")])
    assert not has_room(WAITING_MAX, [Request("SubmitOrder", b"")])
    assert has_room(WAITING_RESERVED_MAX - 1, [Request(method, b"")])
    assert not has_room(WAITING_RESERVED_MAX, [Request(method, b"")])
