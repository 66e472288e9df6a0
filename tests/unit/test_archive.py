"""The archive: the batch under way first, then the journal."""

import pytest

from tests.unit.builders import BUY, Desk
from tidegate.v1 import orders_pb2


@pytest.mark.parametrize("order_id", ["", "0", "02", "-2", "9" * 64, "2 OR 1", "\u0662"])
def test_an_id_that_can_be_no_sequence_finds_nothing(desk: Desk, order_id: str) -> None:
    """Pins that a hostile order id never reaches the store."""
    desk.submit(desk.order("cash", BUY, "1", "A"))
    assert [] == desk.gate.archive.events_of_order(order_id)


def test_an_id_repeated_within_a_batch_is_decided_once(desk: Desk) -> None:
    """Pins that the archive knows the batch under way, which no store has yet."""
    order = desk.order("cash", BUY, "1", "A")
    response = orders_pb2.SubmitOrdersResponse.FromString(
        desk.reply("SubmitOrders", orders_pb2.SubmitOrdersRequest(orders=[order, order])).body
    )
    first, second = response.decisions
    assert first == second
    assert 1 == len(desk.events("order_decided"))
