"""docs/targets.md names every model, with the parameters and defaults that it has."""

import inspect
import re
from pathlib import Path

import pytest

from tidegate.imports import load
from tidegate.targets.model import RiskModel

ROOT = Path(__file__).parents[3]
ROW = re.compile(r"^\| `(\w+:\w+)` \|([^|]*)\|", re.MULTILINE)
ROWS = ROW.findall((ROOT / "docs" / "targets.md").read_text(encoding="utf-8"))
WRITTEN = {"()": "[]", "False": "false"}


def parameters(kind: type[RiskModel]) -> str:
    """Write a model's parameters as the page does."""
    parts = []
    for name, parameter in inspect.signature(kind).parameters.items():
        value = str(parameter.default)
        parts.append(f"`{name}`" if parameter.default is parameter.empty else f"`{name}` {WRITTEN.get(value, value)}")
    return ", ".join(parts)


@pytest.mark.parametrize(("name", "stated"), ROWS)
def test_the_page_states_a_models_parameters_and_defaults(name: str, stated: str) -> None:
    """A default that changes, changes on the page."""
    kind = load(f"tidegate.targets.{name}", ROOT)
    assert issubclass(kind, RiskModel)
    assert parameters(kind) == stated.strip()


def test_the_page_leaves_no_model_out() -> None:
    """What can be put into a portfolio file is every concrete model."""
    named = {name.split(":")[0] for name, _ in ROWS}
    modules = (ROOT / "tidegate" / "targets").glob("*.py")
    found = {path.stem for path in modules if re.search(r"\(\w*(RiskModel|PerPosition)\):", path.read_text("utf-8"))}
    assert found - {"chain", "per_position"} == named
