"""Times between the wire, nanoseconds and datetimes."""

from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from tidegate.times import compact, from_datetime, is_valid, to_datetime, to_ns, to_stamp

NS = 1_641_168_000_123_456_789


def test_nanoseconds_survive_the_wire() -> None:
    """Pins that no digit of a time is lost."""
    assert to_ns(to_stamp(NS)) == NS
    assert Timestamp(seconds=1_641_168_000, nanos=123_456_789) == to_stamp(NS)


def test_a_datetime_keeps_its_microseconds() -> None:
    """Pins both directions, and that what is finer is cut off."""
    moment = datetime(2022, 1, 3, 0, 0, 0, 123_456, tzinfo=UTC)
    assert moment == to_datetime(NS)
    assert from_datetime(moment) == NS - 789


@pytest.mark.parametrize(
    ("seconds", "nanos", "expected"),
    [
        (1, 0, True),
        (9_214_646_399, 999_999_999, True),
        (9_214_646_400, 0, False),
        (253_402_300_799, 0, False),
        (0, 0, False),
        (-1, 0, False),
        (1, -1, False),
        (1, 1_000_000_000, False),
    ],
)
def test_a_valid_time_lies_between_1970_and_2261(seconds: int, nanos: int, *, expected: bool) -> None:
    """Pins the bounds; a later time would not fit the journal's 64 bits of nanoseconds."""
    assert expected is is_valid(Timestamp(seconds=seconds, nanos=nanos))


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [(1_641_168_000_000_000_000, "20220103T000000Z"), (NS, "20220103T000000.123456789Z")],
)
def test_a_compact_time_has_a_fraction_only_when_there_is_one(time_ns: int, text: str) -> None:
    """Pins the spelling that order ids are made of."""
    assert text == compact(time_ns)
