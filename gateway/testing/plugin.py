"""
Pytest fixtures. Put ``pytest_plugins = ["gateway.testing.plugin"]`` into the ``conftest.py`` of your tests' root.

A test that takes ``tidegate_gateway`` has a gateway of its own; a fixture of yours called ``tidegate_portfolio``
gives it a portfolio of yours.
"""

from collections.abc import Iterator

import pytest

from gateway.testing.in_thread import GatewayInThread, gateway_in_thread
from gateway.testing.portfolio import DEFAULT_PORTFOLIO
from gateway.testing.running import Portfolio


@pytest.fixture
def tidegate_portfolio() -> Portfolio:
    """Name the portfolio: a path of a portfolio file, or a ``PortfolioFile``."""
    return DEFAULT_PORTFOLIO


@pytest.fixture
def tidegate_gateway(tidegate_portfolio: Portfolio) -> Iterator[GatewayInThread]:
    """Run a gateway on a fresh journal for one test."""
    with gateway_in_thread(tidegate_portfolio) as gateway:
        yield gateway
