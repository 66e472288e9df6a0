"""One run a journal, in a file."""

from contextlib import closing
from pathlib import Path

import pytest

from gateway.run_lock import lock_run
from tidegate.errors import TidegateError


def test_a_second_run_is_refused_until_the_first_has_let_go(tmp_path: Path) -> None:
    """Pins that the folder is made, and that the lock goes with who has it."""
    journal = tmp_path / "var" / "journal.db"
    with closing(lock_run(journal)), pytest.raises(TidegateError, match="another run uses this journal"):
        lock_run(journal)
    lock_run(journal).close()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """Pins what is read by who mistypes a path: a file stands where the folder would."""
    (tmp_path / "notes.txt").write_text("no folder", encoding="utf-8")
    journal = tmp_path / "notes.txt" / "journal.db"
    with pytest.raises(TidegateError, match=f"^{journal}: cannot write in its folder: "):
        lock_run(journal)
