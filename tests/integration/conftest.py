"""A real gateway in process, and one Ray for the whole session."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import ray

from actors import cluster
from gateway.testing import RunningGateway as Running
from gateway.testing import free_address, running_gateway
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
