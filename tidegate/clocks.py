"""Clock ports: each stamps a command with a time, given the command and the newest time so far."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from google.protobuf.message import Message

from tidegate.times import NS_PER_S, is_valid, to_ns
from tidegate.v1 import market_data_pb2

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

# (command, newest time so far) -> time of the command, nanoseconds; it never goes back.
Clock = Callable[[Message, int], int]

WALL = "wall"
BARS = "bars"
STEP_MAX_NS = 366 * 86_400 * NS_PER_S


def bar_clock(command: Message, newest_ns: int) -> int:
    """
    Let prices carry the time: a command happens at the newest bar's or price's time. For replays.

    A step of more than a year is not followed, but for the first: such a price is then refused as from the future.
    """
    stamps: list[Timestamp] = []
    if isinstance(command, market_data_pb2.PublishBarsRequest):
        stamps = [command.time]
    elif isinstance(command, market_data_pb2.PublishPricesRequest):
        stamps = [entry.time for entry in command.prices]
    if not stamps:
        return newest_ns
    newest_stamp_ns = max([newest_ns, *(to_ns(stamp) for stamp in stamps if is_valid(stamp))])
    return newest_stamp_ns if not newest_ns or newest_stamp_ns - newest_ns <= STEP_MAX_NS else newest_ns
