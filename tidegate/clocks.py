"""Clock ports: each stamps a command with a time, given the command and the newest time so far."""

from collections.abc import Callable

from google.protobuf.message import Message

from tidegate.times import is_valid, to_ns
from tidegate.v1 import market_data_pb2

# (command, newest time so far) -> time of the command, nanoseconds; it never goes back.
Clock = Callable[[Message, int], int]

WALL = "wall"
BARS = "bars"


def bar_clock(command: Message, newest_ns: int) -> int:
    """Let prices carry the time: a command happens at the newest bar's or price's time. For replays."""
    stamps = []
    if isinstance(command, market_data_pb2.PublishBarsRequest):
        stamps = [command.time]
    elif isinstance(command, market_data_pb2.PublishPricesRequest):
        stamps = [entry.time for entry in command.prices]
    return max([newest_ns, *(to_ns(stamp) for stamp in stamps if is_valid(stamp))])
