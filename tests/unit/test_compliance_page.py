"""The compliance page: fresh, and unable to claim what no test checks."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "generate_compliance_page.py"

CONTROLS = """
- group: Before the order
  controls:
    - {id: order-size, control: One order has a largest quantity, sec: (c)(1)(ii), keys: [limits.max_order_quantity]}
    - {id: price-collar, control: A price is near the mark, rts6: Art. 15(1)(a), open: There is none yet.}
"""
TEST = '@pytest.mark.control("order-size")\nasync def test_it_is_refused() -> None: ...\n'
ROW = (
    "| One order has a largest quantity | 15c3-5 (c)(1)(ii) | `limits.max_order_quantity` | "
    "[test_it_is_refused](../tests/test_size.py) |"
)


def generate(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the generator on a repository."""
    command = [sys.executable, str(SCRIPT), "--root", str(root), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- the script under test


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write a small repository: two controls, one of them open, and one test."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "docs" / "controls.yaml").write_text(CONTROLS, encoding="utf-8")
    (tmp_path / "tests" / "test_size.py").write_text(TEST, encoding="utf-8")
    return tmp_path


def test_the_page_is_fresh() -> None:
    """What ``make check`` does: the page is what would be generated now."""
    assert (0, "") == ((ran := generate(ROOT, "--check")).returncode, ran.stderr)


def test_a_control_is_listed_with_its_proof_or_as_open_and_a_stale_page_is_noticed(root: Path) -> None:
    """The row names rule, key and test; what is open says so; another marker makes the page stale."""
    assert 0 == generate(root).returncode
    page = (root / "docs" / "compliance.md").read_text(encoding="utf-8")
    assert ROW in page.splitlines()
    assert "| A price is near the mark | RTS 6 Art. 15(1)(a) |  | **Open:** There is none yet. |" in page.splitlines()
    assert 0 == generate(root, "--check").returncode
    (root / "tests" / "test_more.py").write_text(TEST, encoding="utf-8")
    stale = generate(root, "--check")
    assert (1, "docs/compliance.md is stale: run `make compliance` and commit the result\n") == (
        stale.returncode,
        stale.stderr,
    )


@pytest.mark.parametrize(
    ("file", "old", "new", "line"),
    [
        ("tests/test_size.py", '"order-size"', '"price-collar"', "order-size: no test proves it; mark one, or say"),
        ("tests/test_size.py", '"order-size"', '"oder-size"', "oder-size: tests/test_size.py::test_it_is_refused says"),
        (
            "tests/test_size.py",
            '"order-size"',
            "SIZE",
            "tests/test_size.py:1: pytest.mark.control takes ids as plain text",
        ),
        ("tests/test_size.py", "test_it", "it", "tests/test_size.py:2: it_is_refused is no test that runs"),
        (
            "tests/test_size.py",
            "async",
            "@pytest.mark.skip\nasync",
            "tests/test_size.py:3: test_it_is_refused is no test that runs",
        ),
        (
            "tests/test_size.py",
            '@pytest.mark.control("order-size")\n',
            'pytestmark = [pytest.mark.control("order-size")]\n\n\n',
            "tests/test_size.py:1: mark the tests of the file one by one",
        ),
        (
            "docs/controls.yaml",
            "max_order_quantity",
            "max_order_size",
            "order-size: the portfolio file has no key limits",
        ),
        ("docs/controls.yaml", "sec: (c)(1)(ii), ", "", "order-size: name at least one source"),
        ("docs/controls.yaml", ", keys: [limits.max_order_quantity]", "", "order-size: say under `keys` or `where`"),
        ("docs/controls.yaml", "price-collar", "order-size", "order-size: the id stands twice"),
        ("docs/controls.yaml", "open:", "opened:", "docs/controls.yaml: 1 validation error"),
    ],
)
def test_what_is_not_shown_is_not_claimed(root: Path, file: str, old: str, new: str, line: str) -> None:
    """Each way to claim too much ends the generator with one clear line, and writes nothing."""
    text = (root / file).read_text(encoding="utf-8")
    assert old in text
    (root / file).write_text(text.replace(old, new), encoding="utf-8")
    ran = generate(root)
    assert 1 == ran.returncode
    assert line in ran.stderr
    assert not (root / "docs" / "compliance.md").exists()
