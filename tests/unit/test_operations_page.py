"""The runbook's table of what dies: each row names a test that there is."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def test_every_row_of_what_dies_names_tests_that_there_are() -> None:
    """Pins the promise of the page: nothing is said to happen that no test has seen."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = page.split("## When something dies, or hangs")[1].split("**Heartbeat.**")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 20
    for row in rows:
        named = _NAMED.findall(row)
        assert named, row
        for file, beginning in named:
            texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob(f"**/{file}")]
            assert any(f"def {beginning}" in text for text in texts), (file, beginning)
