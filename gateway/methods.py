"""The methods that the gateway serves, read off the wire contract itself."""

from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf.descriptor import ServiceDescriptor

from tidegate.v1 import admin_pb2, market_data_pb2, orders_pb2, portfolio_pb2, risk_pb2

_FILES = (orders_pb2, market_data_pb2, risk_pb2, portfolio_pb2, admin_pb2)


class MethodSpec(NamedTuple):
    """One method: its gRPC path, and its short name, by which the gate knows it."""

    path: str
    name: str
    is_stream: bool


def services() -> list[ServiceDescriptor]:
    """Return every service of the wire contract."""
    return [service for file in _FILES for service in file.DESCRIPTOR.services_by_name.values()]


def methods() -> Iterator[MethodSpec]:
    """Return every method of every service."""
    for service in services():
        for method in service.methods:
            yield MethodSpec(f"/{service.full_name}/{method.name}", method.name, method.server_streaming)
