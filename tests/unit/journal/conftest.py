"""A journal in each store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.journal.stores import five_events
from tidegate.journal.contract import Journal
from tidegate.journal.location import Location


@pytest.fixture(params=["sqlite", "postgres"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """Name where a new journal may begin, once in each store."""
    if request.param == "sqlite":
        return tmp_path / "var" / "journal.db"
    found: Location = request.getfixturevalue("database")
    return found


@pytest.fixture
def journal(location: Location) -> Iterator[Journal]:
    """Hold five events in two batches."""
    opened = five_events(location)
    yield opened
    opened.close()
