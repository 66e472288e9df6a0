"""The reason codes: one enum, of which nothing is missing and nothing is dead."""

import ast
import re
from collections.abc import Iterator

import pytest

from gateway.status import CODES
from tests.property.rig import DOOR_REASONS, RECORDED_REASONS
from tests.unit.test_floors import modules
from tidegate import commands
from tidegate.reasons import Reason

# Where a reason ends a call.
REFUSING = {"RefusedError", "Reply", "refuse"}
# They name reasons, and raise none.
TABLES = {"tidegate/reasons.py", "gateway/status.py"}


def named(node: ast.AST) -> str:
    """Return the reason that a node names as ``Reason.NAME``, or nothing."""
    is_one = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason"
    return node.attr if isinstance(node, ast.Attribute) and is_one else ""


def nodes() -> Iterator[ast.AST]:
    """Walk the code of every floor."""
    for folder in ("tidegate", "actors", "gateway"):
        for name, module in modules(folder, "tidegate/v1"):
            if name not in TABLES:
                yield from ast.walk(module)


def called(call: ast.Call) -> str:
    """Return the last part of what is called."""
    return ast.unparse(call.func).rpartition(".")[2]


@pytest.mark.parametrize("reason", list(Reason))
def test_a_reason_is_its_stable_code_and_has_a_meaning(reason: Reason) -> None:
    """Pins that code and name never part, and that every reader gets a sentence."""
    assert reason.name == str(reason) == reason.value
    assert re.fullmatch(r"[A-Z][A-Z_]*[A-Z]", reason)
    assert reason.meaning.endswith(".")


def test_no_reason_is_dead_and_none_is_made_up() -> None:
    """Every code is used somewhere, and every name in the code is a code."""
    used = {name for node in nodes() if (name := named(node))} - {"meaning"}
    assert set(Reason.__members__) == used


def test_every_refusal_has_a_status() -> None:
    """What a call is refused for is in the table, or is turned into a report that was not booked."""
    calls = [node for node in nodes() if isinstance(node, ast.Call) and called(node) in REFUSING]
    refused = {Reason[name] for call in calls for argument in call.args if (name := named(argument))}
    assert len(refused) > 40
    assert refused - CODES.keys() == commands._BOOKED_NOT
    assert DOOR_REASONS | RECORDED_REASONS <= CODES.keys()


def test_a_status_is_only_for_what_a_call_is_refused_for() -> None:
    """Pins that the API page promises no status that never comes."""
    calls = [node for node in nodes() if isinstance(node, ast.Call) and called(node) in REFUSING]
    refused = {Reason[name] for call in calls for argument in call.args if (name := named(argument))}
    assert CODES.keys() <= refused | DOOR_REASONS | RECORDED_REASONS
