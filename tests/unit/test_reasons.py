"""The reason codes."""

import re

import pytest

from tidegate.reasons import Reason


@pytest.mark.parametrize("reason", list(Reason))
def test_a_reason_is_its_stable_code_and_has_a_meaning(reason: Reason) -> None:
    """Pins that code and name never part, and that every reader gets a sentence."""
    assert reason.name == str(reason) == reason.value
    assert re.fullmatch(r"[A-Z][A-Z_]*[A-Z]", reason)
    assert reason.meaning.endswith(".")
