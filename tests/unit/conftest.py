"""Desks on a journal in the test's own folder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.builders import Desk, configuration
from tidegate.journal.location import Location
from tidegate.v1 import journal_pb2

OpenDesk = Callable[[journal_pb2.PortfolioConfigured], Desk]


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[OpenDesk]:
    """Open a desk with a configuration of the test's own."""
    opened: list[Desk] = []

    def open_(configured: journal_pb2.PortfolioConfigured) -> Desk:
        opened.append(Desk(tmp_path / "journal.db", configured))
        return opened[-1]

    yield open_
    for desk in opened:
        desk.gate.journal.close()


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    """Open a desk without limits, A at 100, B at 50 and F at 20."""
    opened = open_desk(configuration())
    opened.bar(1, A="100", B="50", F="20")
    return opened


@pytest.fixture(params=["sqlite", "postgres"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """Name where a new journal may begin, once in each store."""
    if request.param == "sqlite":
        return tmp_path / "var" / "journal.db"
    found: Location = request.getfixturevalue("database")
    return found
