"""Health, as grpc.health.v1 has it: for probes, and for clients that wait until the gateway serves."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import grpc
from grpc_health.v1.health_pb2 import DESCRIPTOR, HealthCheckRequest, HealthCheckResponse

from gateway.messages import parsed
from gateway.methods import services
from gateway.sending import Context, send

NAME = DESCRIPTOR.services_by_name["Health"].full_name


class Health:
    """
    One status for the gateway and all its services. Anybody may ask.

    gRPC's own servicer writes to its watchers while it holds a lock, so that one that never reads stops everybody.
    """

    def __init__(self) -> None:
        """Begin with NOT_SERVING."""
        self._names = frozenset({"", *(service.full_name for service in services())})
        self._serving = False
        self._changed = asyncio.Event()

    def say(self, *, serving: bool) -> None:
        """Change the status, and tell whoever watches."""
        self._serving = serving
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def add_to(self, server: grpc.aio.Server) -> None:
        """Answer on a server; a probe's question does not wait behind other calls."""
        handlers: dict[str, Any] = {
            "Check": grpc.unary_unary_rpc_method_handler(self._check),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))
        server.add_registered_method_handlers(NAME, {"Check": handlers["Check"]})

    async def _check(self, body: bytes, context: Context) -> bytes:
        name = (await parsed(HealthCheckRequest, body, context)).service
        if name not in self._names:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return self._status(name)

    async def _watch(self, body: bytes, context: Context) -> None:
        name = (await parsed(HealthCheckRequest, body, context)).service
        await send("Watch", self._statuses(name), context)

    async def _statuses(self, name: str) -> AsyncGenerator[bytes, None]:
        said = b"nothing yet"
        while True:
            changed, status = self._changed, self._status(name)
            if status != said:
                yield status
                said = status
            await changed.wait()

    def _status(self, name: str) -> bytes:
        status = HealthCheckResponse.SERVING if self._serving else HealthCheckResponse.NOT_SERVING
        known = status if name in self._names else HealthCheckResponse.SERVICE_UNKNOWN
        return HealthCheckResponse(status=known).SerializeToString()
