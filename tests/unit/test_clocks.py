"""The bar clock: prices carry the time."""

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from tests.unit.builders import bar, stamp
from tidegate.clocks import bar_clock
from tidegate.times import to_ns
from tidegate.v1 import market_data_pb2, orders_pb2

DAY_2 = to_ns(stamp(2))
PRICES = [market_data_pb2.Price(time=stamp(day)) for day in (2, 3, 1)]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (bar(3, A="1"), to_ns(stamp(3))),
        (bar(1, A="1"), DAY_2),
        (market_data_pb2.PublishPricesRequest(prices=PRICES), to_ns(stamp(3))),
        (market_data_pb2.PublishPricesRequest(), DAY_2),
        (bar(2 + 366, A="1"), to_ns(stamp(2 + 366))),
        (bar(2 + 367, A="1"), DAY_2),
        (market_data_pb2.PublishBarsRequest(time=Timestamp(seconds=253_402_300_799)), DAY_2),
        (orders_pb2.SubmitOrderRequest(), DAY_2),
    ],
    ids=["newer bar", "older bar", "newest price", "no price", "a year", "more than a year", "invalid time", "order"],
)
def test_a_command_happens_at_the_newest_price_so_far(command: Message, expected: int) -> None:
    """Pins what moves the time, and that nothing turns it back."""
    assert expected == bar_clock(command, DAY_2)
