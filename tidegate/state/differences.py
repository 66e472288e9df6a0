"""What two states differ in, line by line, for people."""

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from google.protobuf.json_format import MessageToDict

from tidegate.state import codec
from tidegate.state.classes import ATTRIBUTES
from tidegate.state.codec import Tree

_ABSENT = "-"
_TEXTS = frozenset({"d", "b"})
# The containers that the codec numbers.
_NUMBERED = frozenset({"m", "l", "q"})


class Difference(NamedTuple):
    """One place of a state, as in ``strategies[momentum].ledger.cash``, and what each of the two has there."""

    path: str
    first: str
    second: str


def state_digest(state: object) -> bytes:
    """Hash a state: equal digests mean equal states, to the byte."""
    return hashlib.sha256(codec.write(state)).digest()


def differences(first: object, second: object) -> list[Difference]:
    """Compare two states of one kind, such as two books; none for equal ones."""
    if codec.write(first) == codec.write(second):
        return []  # equal to the byte, as almost always: nothing is to be put in words
    return list(_compare("", _Shown().show(codec.tree_of(first), ""), _Shown().show(codec.tree_of(second), "")))


class _Shown:
    """A tree in words: dicts, lists and texts only, each shared thing once, and by its path elsewhere."""

    def __init__(self) -> None:
        self._paths: list[str] = []

    def show(self, tree: Tree, path: str) -> Any:
        if type(tree) is not dict:
            return "" if tree is None else str(tree)
        ((kind, content),) = tree.items()
        if kind in _TEXTS:
            return content
        if kind == "p":
            return MessageToDict(codec.message_of(content), preserving_proto_field_name=True)
        if kind == "r":
            return f"as {self._paths[content]}"
        return self._object(content, path) if kind == "o" else self._container(kind, content, path)

    def _container(self, kind: str, content: Tree, path: str) -> Any:
        if kind in _NUMBERED:
            self._paths.append(path)
        if kind == "m":
            pairs = zip(content[::2], content[1::2], strict=True)
            named = ((f"[{_word(self.show(key, path))}]", value) for key, value in pairs)
            return {name: self.show(value, f"{path}{name}") for name, value in named}
        entries = content[1] if kind == "q" else content
        return [self.show(value, f"{path}[{place}]") for place, value in enumerate(entries)]

    def _object(self, content: list[Tree], path: str) -> Any:
        name, *held = content
        if not codec.is_value(name):
            self._paths.append(path)
        dot = "." if path else ""
        named = zip(ATTRIBUTES[name], held, strict=True)
        return {attribute: self.show(value, f"{path}{dot}{attribute}") for attribute, value in named}


def _word(shown: Any) -> str:
    """Write a key in a path."""
    if isinstance(shown, dict):
        shown = list(shown.values())
    return " ".join(map(_word, shown)) if isinstance(shown, list) else str(shown)


def _compare(path: str, first: Any, second: Any) -> Iterator[Difference]:
    if isinstance(first, list) and isinstance(second, list):
        first, second = ({f"[{place}]": one for place, one in enumerate(shown)} for shown in (first, second))
    if not (isinstance(first, dict) and isinstance(second, dict)):
        if first != second:
            yield Difference(path, _line(first), _line(second))
        return
    if list(first) != list(second) and set(first) == set(second):
        yield Difference(path, *(f"in the order {' '.join(names)}" for names in (first, second)))
    for name in [*first, *(name for name in second if name not in first)]:
        below = f"{path}{name}" if name.startswith("[") else f"{path}.{name}" if path else name
        yield from _compare(below, first.get(name, _ABSENT), second.get(name, _ABSENT))


def _line(shown: Any) -> str:
    if isinstance(shown, dict):
        return "{" + ", ".join(f"{name}: {_line(one)}" for name, one in shown.items()) + "}"
    return "[" + ", ".join(map(_line, shown)) + "]" if isinstance(shown, list) else str(shown)
