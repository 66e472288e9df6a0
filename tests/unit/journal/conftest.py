"""A journal in each store."""

from collections.abc import Iterator

import pytest

from tests.unit.journal.stores import five_events
from tidegate.journal.contract import Journal
from tidegate.journal.location import Location


@pytest.fixture
def journal(location: Location) -> Iterator[Journal]:
    """Hold five events in two batches."""
    opened = five_events(location)
    yield opened
    opened.close()
