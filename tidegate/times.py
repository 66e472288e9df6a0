"""Times as whole nanoseconds since 1970, UTC, and as the wire has them."""

from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_US = 1_000
# Nothing before 1970 is a trading time; 2262 is where nanoseconds outgrow 64 bits, here and in whoever reads us.
_SECONDS_END: Final = 9_214_646_400


def to_ns(stamp: Timestamp) -> int:
    """Turn a wire time into nanoseconds."""
    return stamp.seconds * NS_PER_S + stamp.nanos


def to_stamp(time_ns: int) -> Timestamp:
    """Turn nanoseconds into a wire time."""
    seconds, nanos = divmod(time_ns, NS_PER_S)
    return Timestamp(seconds=seconds, nanos=nanos)


def write_stamp(stamp: Timestamp, time_ns: int) -> None:
    """Write nanoseconds into a wire time that lies in a message already."""
    stamp.seconds = time_ns // NS_PER_S
    stamp.nanos = time_ns % NS_PER_S


def is_valid(stamp: Timestamp) -> bool:
    """Tell whether a wire time is one: after 1970, before 2262, nanoseconds within a second."""
    return 0 < stamp.seconds < _SECONDS_END and 0 <= stamp.nanos < NS_PER_S


def to_datetime(time_ns: int) -> datetime:
    """Turn nanoseconds into an aware datetime; what is below a microsecond is cut off."""
    return _EPOCH + timedelta(microseconds=time_ns // _NS_PER_US)


def from_datetime(moment: datetime) -> int:
    """Turn an aware datetime into nanoseconds, exactly."""
    delta = moment - _EPOCH
    return ((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds) * _NS_PER_US


def compact(time_ns: int) -> str:
    """Write a time as ``20220103T000000Z``, with a fraction where there is one: sortable, fit for an id."""
    fraction = time_ns % NS_PER_S
    text = to_datetime(time_ns).strftime("%Y%m%dT%H%M%S")
    return f"{text}.{fraction:09d}Z" if fraction else f"{text}Z"
