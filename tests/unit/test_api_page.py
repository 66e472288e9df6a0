"""The API page: fresh, and whole."""

import subprocess
import sys
from pathlib import Path

from gateway.methods import methods
from tidegate.reasons import Reason

ROOT = Path(__file__).parents[2]


def test_the_page_is_fresh_and_a_stale_one_is_noticed(tmp_path: Path) -> None:
    """What ``make check`` does: the page is what would be generated now."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "protos").symlink_to(ROOT / "protos")
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for content, expected in ((page, 0), (page.replace("ORDER_DONE", "ORDER_DEAD"), 1)):
        (tmp_path / "docs" / "api.md").write_text(content, encoding="utf-8")
        command = [sys.executable, str(ROOT / "scripts" / "generate_api_page.py"), "--check", "--root", str(tmp_path)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- the script under test
        assert (expected, expected * "docs/api.md is stale: run `make api` and commit the result\n") == (
            ran.returncode,
            ran.stderr,
        )


def test_every_method_and_every_reason_code_has_its_place() -> None:
    """One heading a method, one row a code."""
    lines = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").splitlines()
    headings = [f"### {method.path.split('/')[1].rpartition('.')[2]}.{method.name}" for method in methods()]
    assert headings == [line for line in lines if line.startswith("### ") and "." in line]
    begin = lines.index("## Reason codes")
    assert [f"| `{reason}`" for reason in Reason] == [line.split(" | ")[0] for line in lines[begin:] if "`" in line[:3]]
