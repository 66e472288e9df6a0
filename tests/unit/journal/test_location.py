"""Where a journal is, as it is typed."""

from pathlib import Path

import pytest

from tidegate.errors import ConfigurationError
from tidegate.journal.location import located


def test_a_path_is_a_file() -> None:
    """Pins that only a whole scheme makes a URL."""
    for text in ("var/journal.db", "./postgresql", "C:journal.db"):
        assert Path(text) == located(text)


@pytest.mark.parametrize("text", ["", ".", "/", "mysql://gate@db/gate", "postgresq://gate:secret@db/gate"])
def test_what_is_neither_a_file_nor_a_database_is_refused(text: str) -> None:
    """Pins the fail-closed start: a misspelled URL must not begin an empty journal in a folder of that name."""
    with pytest.raises(ConfigurationError, match="a journal is a file or postgresql://user@host/database") as refused:
        located(text)
    assert "secret" not in str(refused.value)
