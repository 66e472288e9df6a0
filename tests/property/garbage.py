"""Garbage for every method: bytes at random, and messages with something odd in every field."""

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from tests.callers import caller_of
from tests.property.rig import STRATEGIES, SYMBOLS
from tidegate.gate import Request
from tidegate.history import HISTORY
from tidegate.methods import METHODS
from tidegate.reasons import Reason

READS = frozenset({name for name, method in METHODS.items() if not method.is_command} | HISTORY.keys())
# Every method that there is, on the wire and inside the cluster, with what it takes.
REQUEST_TYPES = {name: method.request_type for name, method in METHODS.items()}
REQUEST_TYPES |= {name: method.request_type for name, method in HISTORY.items()}

# What fits somewhere, what nearly fits, and what fits nowhere.
TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            "",
            "1",
            "3",
            "10",
            "0",
            "-1",
            "1.5",
            "007",
            "1e3",
            "NaN",
            "Infinity",
            "0.00000001",
            "0.000000001",
            "999999999999.99999999",
            "9" * 40,
            "9" * 5_000,
            "paper",
            "seed-1",
            "seed-2",
            "main",
            "ann",
            "tidegate",
            "x" * 65,
            "a b",
            "\x00",
            "caf\u00e9",
            "\u0661\u0662",
            "\U0001f30a",
            " ",
            "\n",
            *STRATEGIES,
            *SYMBOLS,
        ]
    ),
    st.text(max_size=8),
)
_INT32 = st.sampled_from([1, 2, 2, 2, 1, 2, 0, 3, 4, 5, 6, 7, 99, -1, 2**31 - 1, -(2**31)])
_UINT32 = st.sampled_from([0, 1, 2, 1_001, 2**32 - 1])
_SECONDS = [
    1_000_000_005,
    1_000_000_004,
    1_000_000_000,
    1_000_000_002,
    0,
    1,
    9_214_646_399,
    9_214_646_400,
    253_402_300_799,
    2**63 - 1,
    -(2**63),
]
_INT64 = st.sampled_from([-1, *_SECONDS])
_UINT64 = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 100, 2**63, 2**64 - 1])
_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=8),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_ENUM: _INT32,
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_UINT64: _UINT64,
}
_NUMBERS = ("1", "10", "100.25")
# What a field is meant to hold: mostly drawn, so that what is odd about a message stands alone.
_PLAUSIBLE = {
    "account": ("main",),
    "adapter": ("paper", "spare"),
    "route": ("paper", ""),
    "strategy_id": STRATEGIES,
    "from_strategy_id": (*STRATEGIES, ""),
    "to_strategy_id": (*STRATEGIES, ""),
    "strategy_ids": STRATEGIES,
    "symbol": SYMBOLS,
    "client_order_id": ("seed-1", "seed-2", "a", "b", "c"),
    "orig_client_order_id": ("seed-1", "seed-2", "a", "b"),
    "session_id": ("s1", "s2"),
    "topic": ("bars", "alerts", "orders/paper"),
    "reference_execution_id": ("d", "e", "f", "g", ""),
    "execution_id": ("d", "e", "f", "g"),
    "transfer_id": ("h", "i"),
    "order_id": ("3", "4", "77", ""),
    "order_ids": ("3", "4", "77"),
    "quantity": _NUMBERS,
    "last_quantity": _NUMBERS,
    "limit_price": (*_NUMBERS, ""),
    "last_price": _NUMBERS,
    "price": _NUMBERS,
    "close": _NUMBERS,
    "open": ("",),
    "high": ("",),
    "low": ("",),
    "volume": ("",),
    "amount": _NUMBERS,
    "fee": ("", "0.5", "-1"),
    "operator": ("ann",),
    "reason": ("a reason",),
    "reason_code": (Reason.STRATEGY_FAILED, Reason.LEDGER_DIFFERS),
    "text": ("",),
    "page_token": ("", "3"),
}


def _text(field: FieldDescriptor) -> st.SearchStrategy[str]:
    plausible = st.sampled_from(_PLAUSIBLE.get(field.name, ("",)))
    return st.integers(0, 11).flatmap(lambda odds: plausible if odds else TEXTS)


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor) -> Message:
    """Draw a message of a type, with something in most of its fields."""
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if draw(st.integers(0, 15)):
            _fill(draw, message, field, _text(field))
    return message


def set_odd(draw: st.DrawFn, message: Message, field: FieldDescriptor) -> None:
    """Put something into a field, or nothing, that hardly fits there."""
    message.ClearField(field.name)
    if draw(st.integers(0, 7)):
        _fill(draw, message, field, TEXTS)


def _fill(draw: st.DrawFn, message: Message, field: FieldDescriptor, texts: st.SearchStrategy[str]) -> None:
    if field.message_type is not None:
        values: st.SearchStrategy[Any] = messages(field.message_type)
    else:
        values = texts if field.type == FieldDescriptor.TYPE_STRING else _SCALARS[field.type]
    if field.is_repeated:
        getattr(message, field.name).extend(draw(st.lists(values, max_size=3)))
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(draw(values))
    else:
        setattr(message, field.name, draw(values))


@st.composite
def structured(draw: st.DrawFn) -> Request:
    """Draw a request whose message is of the right type, and little else about it."""
    method = draw(st.sampled_from(sorted(REQUEST_TYPES)))
    message = draw(messages(REQUEST_TYPES[method].DESCRIPTOR))
    return Request(method, message.SerializeToString(), caller_of(method))


def raw() -> st.SearchStrategy[Request]:
    """Draw a request of bytes at random."""
    methods = st.sampled_from([*sorted(REQUEST_TYPES), "", "Nonsense", "\x00"])
    return st.builds(lambda method, body: Request(method, body, caller_of(method)), methods, st.binary(max_size=60))


@st.composite
def damaged(draw: st.DrawFn) -> Request:
    """Draw a request that was right until some of its bytes were changed."""
    request = draw(structured())
    body = bytearray(request.body)
    for place, value in draw(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=3)):
        if body:
            body[place % len(body)] = value
    return request._replace(body=bytes(body))
