"""Server reflection: a client without our files finds out what a listener serves."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from gateway.doorman import Door

_METHOD = "ServerReflectionInfo"
_HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name


class _GuardedReflection:
    """Answers whoever the door lets in."""

    def __init__(self, names: Iterable[str], door: Door) -> None:
        self._servicer: Any = reflection.aio.ReflectionServicer(names)
        self._door = door

    async def ServerReflectionInfo(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 -- gRPC's name
        await self._door.identify(_METHOD, context)
        async for response in self._servicer.ServerReflectionInfo(requests, context):
            yield response


def enable_reflection(server: grpc.aio.Server, services: Iterable[str], door: Door) -> None:
    """List some services, and health."""
    names = [*sorted(services), _HEALTH, reflection.SERVICE_NAME]
    add: Any = reflection_pb2_grpc.add_ServerReflectionServicer_to_server
    add(_GuardedReflection(names, door), server)
