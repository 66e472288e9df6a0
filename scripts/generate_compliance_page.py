"""
Generate docs/compliance.md: what is controlled, which rule asks for it, where it is set, and which tests prove it.

To say that a test proves a control, put ``@pytest.mark.control("order-size")`` on it, with one or more ids of
docs/controls.yaml, and run `make compliance`. A new control is a new entry there. A control that no test proves needs
an ``open`` with the reason, or nothing is written: the page cannot claim what no test checks. Remove the ``open`` once
the control is whole, and say under ``keys`` or ``where`` what sets it; with both, the page says what is still missing.

With --check nothing is written: a stale page fails the build.
"""

import argparse
import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tidegate.portfolio_file import PortfolioFile

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = Path("docs/compliance.md")
CONTROLS = Path("docs/controls.yaml")
MARKER = "pytest.mark.control"
PROVES_NOTHING = ("pytest.mark.skip", "pytest.mark.xfail")

HEAD = """# Compliance

Which control answers which rule, where it is set, and which tests prove it. `make compliance` writes this page from
[controls.yaml](controls.yaml) and from the markers on the tests, and `make check` fails when it is stale: it cannot
claim what no test checks. It is a map for whoever has to answer for a firm's controls, and no legal advice: the rules
ask for more than software, above all for people, reviews and written procedures.

- **15c3-5**: [Rule 15c3-5](https://www.ecfr.gov/current/title-17/section-240.15c3-5) under the US Securities Exchange
  Act, "Risk management controls for brokers or dealers with market access", by paragraph.
- **RTS 6**: [Commission Delegated Regulation (EU) 2017/589](https://eur-lex.europa.eu/eli/reg_del/2017/589/oj) under
  MiFID II, on firms engaged in algorithmic trading, by article.
- **FIA**: "Best Practices for Automated Trading Risk Controls and System Safeguards", Futures Industry Association,
  July 2024, by topic.

Keys are those of the portfolio file. "Always" is what cannot be switched off. What a control lacks is said in the last
column.
"""


class Control(BaseModel):
    """One control: what it does, who asks for it, where it is set, and what is missing."""

    model_config = ConfigDict(extra="forbid")

    id: str
    control: str
    sec: str = ""
    rts6: str = ""
    fia: str = ""
    keys: list[str] = []
    where: str = ""
    open: str = ""

    @property
    def sources(self) -> str:
        """Who asks for it."""
        named = (("15c3-5", self.sec), ("RTS 6", self.rts6), ("FIA:", self.fia))
        return "<br>".join(f"{name} {place}" for name, place in named if place)

    @property
    def settings(self) -> str:
        """Where it is set."""
        return "<br>".join([*(f"`{key}`" for key in self.keys), *([self.where] if self.where else [])])


class Group(BaseModel):
    """Controls of one kind."""

    model_config = ConfigDict(extra="forbid")

    group: str
    controls: list[Control]


def read_groups(path: Path) -> list[Group]:
    """Read the controls, or say what is wrong with them."""
    try:
        return TypeAdapter(list[Group]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        sys.exit(f"{CONTROLS}: {error}")


def proofs(root: Path) -> Iterator[tuple[str, str]]:
    """Find the markers: each with the control's id, and the test by its file and name."""
    for path in sorted((root / "tests").rglob("test_*.py")):
        name = path.relative_to(root).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == MARKER:
                words = [word.value for word in node.args if isinstance(word, ast.Constant)]
                if not words or len(words) != len(node.args):
                    sys.exit(f"{name}:{node.lineno}: {MARKER} takes ids as plain text")
            if isinstance(node, ast.ClassDef) and any(MARKER in ast.unparse(one) for one in node.decorator_list):
                sys.exit(f"{name}:{node.lineno}: mark the tests of {node.name} one by one, so that each one is named")
            if (
                isinstance(node, ast.Assign)
                and ast.unparse(node).startswith("pytestmark")
                and MARKER in ast.unparse(node)
            ):
                sys.exit(f"{name}:{node.lineno}: mark the tests of the file one by one, so that each one is named")
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from ((control, f"{name}::{node.name}") for control in marked(node, name))


def marked(node: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> list[str]:
    """Return the ids that a function is marked with; one that is no test, or does not run, proves nothing."""
    calls = [one for one in node.decorator_list if isinstance(one, ast.Call) and ast.unparse(one.func) == MARKER]
    ids = [str(word.value) for call in calls for word in call.args if isinstance(word, ast.Constant)]
    idle = [one for one in node.decorator_list if ast.unparse(one).split("(")[0] in PROVES_NOTHING]
    if ids and (idle or not node.name.startswith("test_")):
        sys.exit(f"{name}:{node.lineno}: {node.name} is no test that runs, and so it proves no control")
    return ids


def known_keys(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """List the keys of the portfolio file, as in limits.max_leverage and instruments.tick."""
    for name, field in model.model_fields.items():
        key = f"{before}{field.alias or name}"
        yield key
        inner = [field.annotation, *get_args(field.annotation)]
        for kind in inner:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from known_keys(kind, f"{key}.")


def problems(controls: list[Control], proven: dict[str, list[str]]) -> Iterator[str]:
    """Find what keeps the page from being written."""
    ids, keys = [control.id for control in controls], set(known_keys(PortfolioFile))
    yield from (f"{one}: the id stands twice" for one in dict.fromkeys(ids) if ids.count(one) > 1)
    for one in proven.keys() - set(ids):
        yield f"{one}: {', '.join(proven[one])} says that it proves this, and {CONTROLS} has no such id"
    for control in controls:
        if control.id not in proven and not control.open:
            yield f"{control.id}: no test proves it; mark one, or say under `open` what is missing"
        if control.id in proven and not control.settings:
            yield f"{control.id}: say under `keys` or `where` where it is configured"
        if not control.sources:
            yield f"{control.id}: name at least one source"
        for key in control.keys:
            if key not in keys:
                yield f"{control.id}: the portfolio file has no key {key}"


def render(groups: list[Group], proven: dict[str, list[str]]) -> str:
    """Write the page."""
    parts = [HEAD.strip()]
    for group in groups:
        rows = ["| control | asked for by | set by | proven by |", "|---|---|---|---|"]
        for control in group.controls:
            tests = [
                f"[{test.partition('::')[2]}](../{test.partition('::')[0]})" for test in proven.get(control.id, [])
            ]
            missing = [f"**Open:** {control.open}"] if control.open else []
            cells = (control.control, control.sources, control.settings, "<br>".join([*tests, *missing]))
            rows.append(f"| {' | '.join(cells)} |")
        parts += [f"## {group.group}", "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write the page, or with --check compare."""
    parser = argparse.ArgumentParser(description="Generate docs/compliance.md.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if the page is stale")
    parser.add_argument("--root", type=Path, default=REPOSITORY, help="the repository (default: this one)")
    arguments = parser.parse_args()
    root: Path = arguments.root.resolve()
    groups = read_groups(root / CONTROLS)
    proven: dict[str, list[str]] = {}
    for control, test in proofs(root):
        proven.setdefault(control, []).append(test)
    found = list(problems([control for group in groups for control in group.controls], proven))
    if found:
        sys.exit("\n".join(found))
    fresh = render(groups, proven)
    path = root / PAGE
    is_stale = not path.exists() or path.read_text(encoding="utf-8") != fresh
    if arguments.check:
        sys.exit(f"{PAGE} is stale: run `make compliance` and commit the result" if is_stale else 0)
    if is_stale:
        path.write_text(fresh, encoding="utf-8")
        print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
