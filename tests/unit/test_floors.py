"""The floors: arrows point down only, and the bottom one is a function of its inputs."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

STATISTICS = {"tidegate.statistics", "pandas", "scipy", "skfolio"}
# Where, but where not, and what may not be imported there.
RULES = [
    pytest.param("tidegate", "tidegate/v1", {"ray", "grpc", "actors", "gateway"}, id="the bottom floor stands alone"),
    pytest.param("actors", "", {"gateway"}, id="actors do not know the gateway"),
    pytest.param("tidegate", "tidegate/journal", {"psycopg", "sqlite3"}, id="only the journal stores"),
    pytest.param("tidegate/risk", "", {"tidegate.journal"}, id="the engine does not know the journal"),
    pytest.param("tidegate", "tidegate/journal", {"random", "secrets", "uuid"}, id="nothing is random"),
    pytest.param("tidegate", "tidegate/statistics", STATISTICS, id="nothing below needs or knows the statistics"),
]
CLOCK_CALLS = {
    *(f"time.{name}" for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")),
    *(f"datetime.{name}" for name in ("now", "utcnow", "today")),
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    *("date.today", "datetime.date.today"),
}


def modules(folder: str, but: str = "") -> Iterator[tuple[str, ast.Module]]:
    """Parse every module of a folder."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not (but and name.startswith(f"{but}/")):
            yield name, ast.parse(path.read_text(encoding="utf-8"), name)


def imports(module: ast.Module) -> Iterator[str]:
    """Name everything that a module imports, wherever in it; ``from a import b`` may be a.b."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))


def is_within(name: str, forbidden: set[str]) -> bool:
    """Tell whether a dotted name is one of the forbidden ones, or below it."""
    return any(name == root or name.startswith(f"{root}.") for root in forbidden)


def clock_uses(module: ast.Module) -> set[str]:
    """Name the clocks that a module reads, imported by whatever name."""
    dotted = {ast.unparse(node) for node in ast.walk(module) if isinstance(node, ast.Attribute)}
    return {name for name in (*dotted, *imports(module)) if name in CLOCK_CALLS}


@pytest.mark.parametrize(("folder", "but", "forbidden"), RULES)
def test_a_floor_imports_nothing_that_it_must_not_know(folder: str, but: str, forbidden: set[str]) -> None:
    """Pins the direction of the arrows between floors."""
    parsed = list(modules(folder, but))
    assert parsed
    found = [(name, used) for name, module in parsed for used in imports(module) if is_within(used, forbidden)]
    assert [] == found


def test_the_bottom_floor_reads_no_clock() -> None:
    """Pins that time arrives as data."""
    found = {name: uses for name, module in modules("tidegate", "tidegate/journal") if (uses := clock_uses(module))}
    assert {} == found


def test_no_gateway_calls_in_the_actors_name() -> None:
    """Pins that what the actors ask each other cannot be asked from outside, by whatever mistake."""
    names = [
        f"{name}: {ast.unparse(node)}"
        for name, module in modules("gateway")
        for node in ast.walk(module)
        if isinstance(node, ast.Name | ast.Attribute | ast.alias)
    ]
    assert "gateway/doorman.py: LOCAL" in names
    assert ["gateway/status.py: Reason.INTERNAL", "gateway/status.py: grpc.StatusCode.INTERNAL"] == sorted(
        name for name in names if name.endswith("INTERNAL")
    )


def test_no_import_is_relative() -> None:
    """Pins that the rules above see every import by its whole name."""
    nodes = ((name, node) for name, module in modules("tidegate", "tidegate/v1") for node in ast.walk(module))
    assert [] == [name for name, node in nodes if isinstance(node, ast.ImportFrom) and node.level]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import ray.util", True),
        ("def f():\n    from ray import get", True),
        ("import rayon", False),
        ("from a import ray", False),
    ],
)
def test_the_rule_sees_an_import_wherever_it_stands(source: str, *, found: bool) -> None:
    """Pins the rule itself."""
    assert found is any(is_within(name, {"ray"}) for name in imports(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    ["import time\ntime.time_ns()", "from time import monotonic", "datetime.now(UTC)", "x = datetime.datetime.now"],
)
def test_the_rule_sees_a_clock_however_it_is_named(source: str) -> None:
    """Pins the rule itself."""
    assert clock_uses(ast.parse(source))
