"""The gRPC servers of a gateway: one for each place where it listens."""

import asyncio
from typing import Any, Protocol

import grpc

from actors.admission import URGENT
from gateway.connections import server_options
from gateway.doorman import Door
from gateway.health import Health
from gateway.methods import MethodSpec, methods, services
from gateway.protection import Listener, Protection, listeners
from gateway.reflection import enable_reflection
from gateway.tls import server_credentials, watched_tls
from tidegate.errors import TidegateError

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

    What is over a bound of gateway/connections.py gRPC refuses itself, before any handler is asked.
    """

    def __init__(self, address: str, protection: Protection, door: Door, make_handler: MakeHandler) -> None:
        """Prepare; ``open`` listens."""
        tls = protection.tls
        self.tls = None if tls is None else watched_tls(tls)
        self._need_client = tls is not None and tls.client_ca is not None
        self._health = Health()
        self._servers = [(place, self._server(place, door, make_handler)) for place in listeners(address, protection)]

    async def open(self) -> None:
        """
        Listen; the health says NOT_SERVING until it is told otherwise.

        Raises:
            TidegateError: somebody else listens there.
        """
        for place, server in self._servers:
            await self._bind(server, place)
        for _, server in self._servers:
            await server.start()

    async def close(self) -> None:
        """Take no more requests, let those under way end, end the streams."""
        self._health.say(serving=False)
        await asyncio.gather(*(server.stop(_STOP_GRACE_S) for _, server in self._servers))

    def say(self, *, serving: bool) -> None:
        """Tell whoever asks for the health."""
        self._health.say(serving=serving)

    def _server(self, place: Listener, door: Door, make_handler: MakeHandler) -> grpc.aio.Server:
        server = grpc.aio.server(options=server_options())
        self._health.add_to(server)
        for service in services():
            own = (method for method in methods() if method.path.startswith(f"/{service.full_name}/"))
            handlers = {
                method.name: make_handler(method, is_here=service.full_name in place.services) for method in own
            }
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
            # gRPC keeps a queue of its own for these: they do not wait behind what no handler has begun yet.
            urgent = {name: handler for name, handler in handlers.items() if name in URGENT}
            server.add_registered_method_handlers(service.full_name, urgent)
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
