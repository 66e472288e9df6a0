"""
A real gateway for the tests of whoever writes an adapter, or a program that sends orders.

Nothing in it pretends: a journal in a temporary folder, the engine on its thread, gRPC on a free loopback port. It
needs no Ray, and is up in some hundredths of a second. What it leaves out is what ``tidegate run`` starts around it:
the actors that run strategies' code, and the adapters that the portfolio file would start.

- ``running_gateway``: for asyncio tests.
- ``gateway_in_thread``: for tests without asyncio, and for adapters in any language that run as a process.
- ``gateway.testing.plugin``: the latter as a pytest fixture.
- ``python -m gateway.testing``: the same as a process, for tests in another language.
"""

from gateway.testing.in_thread import GatewayInThread, gateway_in_thread
from gateway.testing.portfolio import DEFAULT_PORTFOLIO
from gateway.testing.running import RunningGateway, free_address, running_gateway

__all__ = [
    "DEFAULT_PORTFOLIO",
    "GatewayInThread",
    "RunningGateway",
    "free_address",
    "gateway_in_thread",
    "running_gateway",
]
