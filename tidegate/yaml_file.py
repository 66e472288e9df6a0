"""YAML files that people write: read, checked whole, and refused with file, line and key."""

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from tidegate.errors import ConfigurationError

Place = tuple[str | int, ...]

_TIME = "tag:yaml.org,2002:timestamp"
_FLOAT = "tag:yaml.org,2002:float"
# What YAML also calls a float, and is none here: .nan, .inf, 1:30.5.
_NO_DECIMAL = re.compile(r"[^-+.0-9_eE]")
# Words and digits that are names to people: ON is true, 0700 is 448 and 12:30:45 is 45045.
_BOOL, _INT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:int"
_PLAIN_INT = re.compile(r"[-+]?(0|[1-9][0-9_]*)")


class Problem(NamedTuple):
    """What is wrong with a file, and where: the keys and numbers that lead to the place."""

    place: Place
    text: str


M = TypeVar("M", bound=BaseModel)


def read_yaml(path: Path, kind: type[M], check: Callable[[M], Iterable[Problem]]) -> M:
    """
    Read a whole file; ``check`` finds what no single key shows.

    Raises:
        ConfigurationError: one line a problem, each with file, line and key.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise ConfigurationError(message) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        message = f"{path}:{mark.line + 1 if mark else 1}: {getattr(error, 'problem', None) or error}"
        raise ConfigurationError(message) from error
    lines: dict[Place, int] = {(): 1}
    try:
        problems = list(_index(root, (), lines)) if root is not None else [Problem((), "the file is empty")]
    except RecursionError:
        problems = [Problem((), "an anchor refers to itself")]
    if not problems and root is not None:
        try:
            loader = _Loader("")
            model = kind.model_validate(loader.construct_document(root))
        except ValidationError as error:
            problems = [Problem(tuple(e["loc"]), e["msg"].removeprefix("Value error, ")) for e in error.errors()]
        except (yaml.YAMLError, InvalidOperation) as error:
            problems = [Problem((), f"{getattr(error, 'problem', None) or 'a number that is none'}")]
        else:
            problems = list(check(model))
            if not problems:
                return model
    message = "\n".join(f"{path}:{_line(place, lines)}: {_key(place)}{text}" for place, text in problems)
    raise ConfigurationError(message)


class _Loader(yaml.SafeLoader):
    """Reads fractions as decimals, so that 0.1 is a tenth."""


def _decimal(_loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(node.value.replace("_", ""))


_Loader.add_constructor(_FLOAT, _decimal)


def _index(node: yaml.Node, place: Place, lines: dict[Place, int]) -> Iterator[Problem]:
    """Note on which line each key stands; find keys that stand twice, which YAML itself lets pass."""
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*place, str(key.value))
            if below in lines:
                lines[below] = key.start_mark.line + 1
                yield Problem(below, "the key stands twice")
            lines[below] = key.start_mark.line + 1
            if key.tag == _BOOL:
                yield Problem(below, "YAML reads this word as true or false: put it in quotes")
            yield from _index(key, below, lines)
            yield from _index(value, below, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _index(value, (*place, number), lines)
    elif isinstance(node, yaml.ScalarNode):
        for text in _misread(node):
            yield Problem(place, f"{node.value} is not {text}")


def _misread(node: yaml.ScalarNode) -> Iterator[str]:
    """Find what YAML makes something else of than it says."""
    if node.tag == _FLOAT and _NO_DECIMAL.search(node.value):
        yield "a decimal"
    elif node.tag == _INT and not _PLAIN_INT.fullmatch(node.value):
        yield "a decimal: put a name of digits in quotes"
    elif node.tag == _TIME:
        try:
            _Loader("").construct_yaml_timestamp(node)
        except ValueError as error:
            yield f"a time: {error}"


def duplicates(section: str, key: str, names: Iterable[str]) -> Iterator[Problem]:
    """Find names that stand twice in a list of sections."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield Problem((section, index, key), f"{name} stands twice")
        seen.add(name)


def _line(place: Place, lines: dict[Place, int]) -> int:
    """Find the line of a place, or of the nearest thing around it that the file does have."""
    while place not in lines:
        place = place[:-1]
    return lines[place]


def _key(place: Place) -> str:
    return re.sub(r"\.(\d+)", r"[\1]", ".".join(map(str, place))) + ": " if place else ""
