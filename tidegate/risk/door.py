"""The door: what is malformed is refused here, with the field at fault, before anything is decided or recorded."""

import re
from decimal import Decimal
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from tidegate.errors import RefusedError
from tidegate.numbers import ZERO, parse, parse_positive
from tidegate.reasons import Reason
from tidegate.times import is_valid, to_ns

TEXT_LENGTH_MAX = 500
SHOWN_LENGTH_MAX = 48

_IDENTIFIER: Final = re.compile(r"[!-~]{1,64}")


def shown(text: str) -> str:
    """Quote a sender's text for a message, cut to a bounded length and without control characters."""
    return ascii(text if len(text) <= SHOWN_LENGTH_MAX else f"{text[:SHOWN_LENGTH_MAX]}...")


def identifier(text: str, field: str) -> str:
    """Take an id of 1 to 64 printable ASCII characters, none of them blank."""
    if _IDENTIFIER.fullmatch(text) is None:
        message = f"{field} is {shown(text)}; it takes 1 to 64 printable ASCII characters without blanks"
        raise RefusedError(Reason.IDENTIFIER_INVALID, message, field=field)
    return text


def quantity(text: str, field: str) -> Decimal:
    """Take a positive quantity."""
    number = parse_positive(text)
    if number is None:
        message = f"{field} is {shown(text)}; it takes a positive plain decimal, at most 12 digits before and 8 behind"
        raise RefusedError(Reason.QUANTITY_INVALID, message, field=field)
    return number


def price(text: str, field: str) -> Decimal:
    """Take a positive price."""
    number = parse_positive(text)
    if number is None:
        message = f"{field} is {shown(text)}; it takes a positive plain decimal, at most 12 digits before and 8 behind"
        raise RefusedError(Reason.PRICE_INVALID, message, field=field)
    return number


def amount(text: str, field: str, *, positive: bool) -> Decimal:
    """Take an amount of money; an empty one is zero unless it must be positive."""
    number = parse(text) if text or positive else ZERO
    if number is None or (positive and number <= ZERO):
        wanted = "a positive plain decimal" if positive else "a plain decimal"
        message = f"{field} is {shown(text)}; it takes {wanted}, at most 12 digits before the point and 8 behind"
        raise RefusedError(Reason.AMOUNT_INVALID, message, field=field)
    return number


def time_ns(stamp: Timestamp, field: str) -> int:
    """Take a time between 1970 and 2261."""
    if not is_valid(stamp):
        message = f"{field} is missing or outside 1970 to 2261"
        raise RefusedError(Reason.TIME_INVALID, message, field=field)
    return to_ns(stamp)


def words(text: str, field: str, *, required: bool) -> str:
    """Take a line written by a person; it may not be longer than 500 characters, nor empty when it is required."""
    if len(text) > TEXT_LENGTH_MAX or (required and not text.strip()):
        message = f"{field} takes {'1' if required else '0'} to {TEXT_LENGTH_MAX} characters"
        raise RefusedError(Reason.TEXT_INVALID, message, field=field)
    return text


def bounded(count: int, most: int, field: str) -> None:
    """Refuse a batch with more entries than its method takes."""
    if count > most:
        message = f"{field} has {count} entries; it takes at most {most}"
        raise RefusedError(Reason.BATCH_TOO_LARGE, message, field=field)
