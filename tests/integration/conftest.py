"""A real gateway in process, and one Ray for the whole session."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import ray
import structlog

from actors import cluster
from actors.logs import open_log
from gateway.testing import RunningGateway as Running
from gateway.testing import free_address, running_gateway
from tests.integration.complaints import is_complaint
from tests.integration.principals import AccessWriter, Certificates
from tidegate.portfolio_file import PortfolioFile, read_portfolio_file

__all__ = ["PORTFOLIO", "Running", "free_address"]

PORTFOLIO = Path(__file__).parent / "portfolio" / "portfolio.yaml"


@pytest.fixture(scope="session")
def portfolio() -> PortfolioFile:
    """Read the small portfolio file once."""
    return read_portfolio_file(PORTFOLIO)


@pytest.fixture
async def running(portfolio: PortfolioFile) -> AsyncIterator[Running]:
    """Run a gateway on a fresh journal, in this process, with the bars' clock."""
    async with running_gateway(portfolio) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """Start Ray once for all tests that need actors."""
    cluster.start_ray()
    yield
    ray.shutdown()


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Path]:
    """Log into a file, as the actors do."""
    open_log(tmp_path / "logs", "gateway")
    yield tmp_path / "logs" / "gateway.jsonl"
    structlog.reset_defaults()


@pytest.fixture
def without_complaints(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test during which a library, gRPC above all, logged a warning or an exception."""
    yield
    said = [record for when in ("setup", "call") for record in caplog.get_records(when)]
    assert [] == [record.getMessage() for record in said if is_complaint(record)]


@pytest.fixture
def access(tmp_path: Path) -> AccessWriter:
    """Write a file with one principal a role."""
    writer = AccessWriter(tmp_path / "access.yaml")
    writer.add("viewer", "viewer")
    writer.add("trader", "trader", strategies=["one"], adapters=["paper"])
    writer.add("feed", "market_data")
    writer.add("ann", "risk")
    writer.add("root", "admin")
    writer.write()
    return writer


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """Make an authority for the test."""
    return Certificates(tmp_path / "certificates")
