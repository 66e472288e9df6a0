"""The gRPC servers of a gateway: one for each place where it listens."""

import asyncio
from typing import Any, Protocol

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from gateway.doorman import Door
from gateway.methods import MethodSpec, methods, services
from gateway.protection import Listener, Protection, listeners
from gateway.reflection import enable_reflection
from gateway.tls import server_credentials, watched_tls
from tidegate.errors import TidegateError

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
_STOP_GRACE_S = 0.5
# A process that was just killed may hold the port a moment longer.
_BIND_ATTEMPTS = 25
_BIND_PAUSE_S = 0.2


class MakeHandler(Protocol):
    """Makes the handler of a method, answered here or on another listener."""

    def __call__(self, method: MethodSpec, *, is_here: bool) -> Any:
        """Make one."""


class Listeners:
    """
    The same methods, health and reflection in every place; a method of a service that is not there says so.

    Messages of more than 4 MiB are refused by gRPC itself, with RESOURCE_EXHAUSTED.
    """

    def __init__(self, address: str, protection: Protection, door: Door, make_handler: MakeHandler) -> None:
        """Prepare; ``open`` listens."""
        tls = protection.tls
        self.tls = None if tls is None else watched_tls(tls)
        self._need_client = tls is not None and tls.client_ca is not None
        self._health = health.aio.HealthServicer()
        self._servers = [(place, self._server(place, door, make_handler)) for place in listeners(address, protection)]

    async def open(self) -> None:
        """
        Listen; the health says NOT_SERVING until it is told otherwise.

        Raises:
            TidegateError: somebody else listens there.
        """
        await self.say(serving=False)
        for place, server in self._servers:
            await self._bind(server, place)
        for _, server in self._servers:
            await server.start()

    async def close(self) -> None:
        """Take no more requests, let those under way end, end the streams."""
        await self._health.enter_graceful_shutdown()
        await asyncio.gather(*(server.stop(_STOP_GRACE_S) for _, server in self._servers))

    async def say(self, *, serving: bool) -> None:
        """Tell whoever asks for the health."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *(service.full_name for service in services())):
            await self._health.set(name, status)

    def _server(self, place: Listener, door: Door, make_handler: MakeHandler) -> grpc.aio.Server:
        server = grpc.aio.server(
            options=[
                ("grpc.so_reuseport", 0),  # two gateways must never share the port in silence
                ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
                ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            ]
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        for service in services():
            own = (method for method in methods() if method.path.startswith(f"/{service.full_name}/"))
            handlers = {
                method.name: make_handler(method, is_here=service.full_name in place.services) for method in own
            }
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
        enable_reflection(server, place.services, door)
        return server

    async def _bind(self, server: grpc.aio.Server, place: Listener) -> None:
        for attempt in range(1, _BIND_ATTEMPTS + 1):
            try:
                if place.is_secure and self.tls is not None:
                    server.add_secure_port(place.address, server_credentials(self.tls, need_client=self._need_client))
                else:
                    server.add_insecure_port(place.address)
            except RuntimeError as error:
                if attempt == _BIND_ATTEMPTS:
                    message = f"cannot listen on {place.address}: another process does, or this user may not"
                    raise TidegateError(message) from error
                await asyncio.sleep(_BIND_PAUSE_S)
            else:
                return
