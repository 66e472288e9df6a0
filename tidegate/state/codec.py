"""
A state as a tree of JSON, and back: exact, and the same bytes for the same state.

Numbers, texts and None stand for themselves. Everything else is an object with one key that says what it is:

    d  a Decimal, as text       b  bytes, in base64          p  a message: its type, its bytes
    l  a list                   t  a tuple                   q  a deque: its bound, its entries
    s  a set, sorted            z  a frozen set, sorted      m  a dict: its keys and values by turns, in its order
    o  an object: its class, what it holds                   r  the object, dict or list of this number once more

Objects, dicts, lists and deques are numbered as they come, so that what is shared stays shared. A class that is not in
``classes`` is refused.
"""

import base64
import json
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import chain
from typing import Any

from google.protobuf.message import DecodeError, Message

from tidegate.errors import StateError
from tidegate.state.classes import ATTRIBUTES, BY_NAME, EMPTY, attributes
from tidegate.v1 import (
    common_pb2,
    journal_pb2,
    market_data_pb2,
    order_rules_pb2,
    orders_pb2,
    reconciliation_pb2,
    risk_pb2,
)

_PLAIN = frozenset({bool, int, float, str, type(None)})
_MESSAGES: dict[str, type[Message]] = {
    kind.DESCRIPTOR.full_name: kind
    for kind in (
        common_pb2.Violation,
        journal_pb2.Event,
        journal_pb2.PortfolioConfigured,
        journal_pb2.StrategyLeaving,
        market_data_pb2.PublishBarsRequest,
        order_rules_pb2.TradingCalendar,
        orders_pb2.NewOrder,
        reconciliation_pb2.Difference,
        risk_pb2.Alert,
    )
}

Tree = Any


class NotListedError(StateError):
    """A state holds what is in no list."""

    def __init__(self, *words: str) -> None:
        """Name what was met."""
        super().__init__(f"{' '.join(words)} is nothing that a state may hold; tidegate/state/classes.py has the list")


def write(state: object) -> bytes:
    """
    Write a state.

    Raises:
        StateError: it holds what no state may hold.
    """
    return json.dumps(tree_of(state), separators=(",", ":")).encode()


def read(body: bytes) -> Any:
    """
    Read a state that ``write`` has written.

    Raises:
        StateError: it is none, or one of another version.
    """
    try:
        return _Reader().value(json.loads(body))
    except (ValueError, LookupError, TypeError, ArithmeticError, DecodeError) as error:
        message = f"this is no state: {type(error).__name__}: {error}"
        raise StateError(message) from error


def tree_of(state: object) -> Tree:
    """Turn a state into a tree; raises StateError as ``write`` does."""
    return _Writer().tree(state)


def message_of(content: list[str]) -> Message:
    """Read a message in a tree: its type and its bytes."""
    name, body = content
    return _MESSAGES[name].FromString(base64.b64decode(body))


def is_value(name: str) -> bool:
    """Tell whether objects of a class are values, written anew wherever they are: named tuples."""
    return issubclass(BY_NAME[name], tuple)


class _Writer:
    """Numbers what may be shared, in the order in which it is met first."""

    def __init__(self) -> None:
        # By id: the number, and the thing itself, so that no other one gets its id meanwhile.
        self._met: dict[int, tuple[int, object]] = {}

    def tree(self, value: Any) -> Tree:
        kind = type(value)
        if kind in _PLAIN:
            return value
        write_value = _WRITE.get(kind)
        if write_value is not None:
            return write_value(self, value)
        if isinstance(value, Message):
            return {"p": _message(value)}
        return {"o": self._held(kind, value)} if issubclass(kind, tuple) else self._shared(kind, value)

    def _shared(self, kind: type[Any], value: Any) -> Tree:
        if (met := self._met.get(id(value))) is not None:
            return {"r": met[0]}
        self._met[id(value)] = (len(self._met), value)
        if kind is dict:
            return {"m": self.all(chain.from_iterable(value.items()))}
        if kind is list:
            return {"l": self.all(value)}
        if kind is deque:
            return {"q": [value.maxlen, self.all(value)]}
        return {"o": self._held(kind, value)}

    def all(self, values: Iterable[Any]) -> list[Tree]:
        return [self.tree(value) for value in values]

    def _held(self, kind: type[Any], value: Any) -> list[Tree]:
        name = kind.__name__
        if BY_NAME.get(name) is not kind:
            raise NotListedError(kind.__module__, kind.__qualname__)
        names = ATTRIBUTES[name]
        if kind in EMPTY and attributes(kind, value) != names:
            raise NotListedError(name, "with other attributes than at first")
        return [name, *(self.tree(getattr(value, held)) for held in names)]


_WRITE: dict[type[Any], Callable[[_Writer, Any], Tree]] = {
    Decimal: lambda _, value: {"d": str(value)},
    bytes: lambda _, value: {"b": base64.b64encode(value).decode()},
    tuple: lambda writer, value: {"t": writer.all(value)},
    set: lambda writer, value: {"s": writer.all(sorted(value))},
    frozenset: lambda writer, value: {"z": writer.all(sorted(value))},
}


def _message(value: Message) -> Tree:
    name = value.DESCRIPTOR.full_name
    if name not in _MESSAGES:
        raise NotListedError(name)
    return [name, base64.b64encode(value.SerializeToString(deterministic=True)).decode()]


class _Reader:
    """Numbers what may be shared as the writer did."""

    def __init__(self) -> None:
        self._met: list[Any] = []

    def value(self, tree: Tree) -> Any:
        if type(tree) is not dict:
            return tree
        ((kind, content),) = tree.items()
        read_value = _READ.get(kind)
        return self._container(kind, content) if read_value is None else read_value(self, content)

    def met(self, number: int) -> Any:
        return self._met[number]

    def all(self, trees: Iterable[Tree]) -> list[Any]:
        return [self.value(tree) for tree in trees]

    def _container(self, kind: str, content: Any) -> Any:
        number = self._number()
        found: Any
        if kind == "m":
            values = self.all(content)
            found = dict(zip(values[::2], values[1::2], strict=True))
        elif kind == "l":
            found = self.all(content)
        elif kind == "q":
            found = deque(self.all(content[1]), content[0])
        else:
            raise KeyError(kind)
        self._met[number] = found
        return found

    def object(self, name: str, *content: Tree) -> Any:
        kind, names = BY_NAME[name], ATTRIBUTES[name]
        number = None if is_value(name) else self._number()
        held = dict(zip(names, self.all(content), strict=True))
        if kind in EMPTY:
            found = EMPTY[kind]()
            for attribute, value in held.items():
                setattr(found, attribute, value)
        else:
            found = kind(**held)
        if number is not None:
            self._met[number] = found
        return found

    def _number(self) -> int:
        # Nothing holds itself: what is met inside of it never refers to it.
        self._met.append(None)
        return len(self._met) - 1


_READ: dict[str, Callable[[_Reader, Any], Any]] = {
    "d": lambda _, content: Decimal(content),
    "b": lambda _, content: base64.b64decode(content),
    "p": lambda _, content: message_of(content),
    "t": lambda reader, content: tuple(reader.all(content)),
    "s": lambda reader, content: set(reader.all(content)),
    "z": lambda reader, content: frozenset(reader.all(content)),
    "o": lambda reader, content: reader.object(*content),
    "r": lambda reader, content: reader.met(content),
}
