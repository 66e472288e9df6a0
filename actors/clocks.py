"""The clock that stamps commands: this machine's, live, or the prices' own, in a replay."""

import time

from google.protobuf.message import Message

from tidegate.clocks import BARS, Clock, bar_clock
from tidegate.v1 import journal_pb2


def wall_clock(_command: Message, _newest_ns: int) -> int:
    """Stamp a command with the time of this machine."""
    return time.time_ns()


def clock_of(configuration: journal_pb2.PortfolioConfigured) -> Clock:
    """Return the clock that the portfolio file names."""
    return bar_clock if configuration.clock == BARS else wall_clock
