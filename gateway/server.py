"""The gateway: every method of the wire over one port, bytes in and bytes out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import NoReturn

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from actors.port import FellBehindError, Port, UnavailableError
from gateway.addresses import require_loopback
from gateway.coalescer import Coalescer
from gateway.methods import MethodSpec, methods, services
from gateway.status import DETAILS_KEY, code_of, status_of
from tidegate.errors import TidegateError
from tidegate.gate import Reply, Request
from tidegate.journal.contract import BARS_TOPIC
from tidegate.publications import orders_topic
from tidegate.reasons import Reason
from tidegate.v1 import market_data_pb2, orders_pb2

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
_FOLLOW_TIMEOUT_S = 10.0
_AWAIT_TIMEOUT_S = 3_600.0
_HEALTH_PERIOD_S = 0.2
_STOP_GRACE_S = 0.5
# A process that was just killed may hold the port a moment longer.
_BIND_ATTEMPTS = 25
_BIND_PAUSE_S = 0.2

_Context = grpc.aio.ServicerContext[bytes, bytes]


async def open_gateway(port: Port, address: str) -> "Gateway":
    """
    Serve a port at an address that only this machine can reach.

    Raises:
        ConfigurationError: others could reach the address.
        TidegateError: somebody else listens there.
    """
    gateway = Gateway(port, require_loopback(address))
    await gateway.open()
    return gateway


class Gateway:
    """
    A gRPC server on a port. It says NOT_SERVING while the RiskManager is away or reads its journal.

    Messages of more than 4 MiB are refused by gRPC itself, with RESOURCE_EXHAUSTED.
    """

    def __init__(self, port: Port, address: str) -> None:
        """Prepare; ``open`` listens."""
        self._port = port
        self._address = address
        self._coalescer = Coalescer(port)
        self._health = health.aio.HealthServicer()
        self._watching: asyncio.Task[None] | None = None
        self._server = grpc.aio.server(
            options=[
                ("grpc.so_reuseport", 0),  # two gateways must never share the port in silence
                ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
                ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            ]
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        for service in services():
            handlers = {m.name: self._handler(m) for m in methods() if m.path.startswith(f"/{service.full_name}/")}
            generic = grpc.method_handlers_generic_handler(service.full_name, handlers)
            self._server.add_generic_rpc_handlers((generic,))
        names = [service.full_name for service in services()]
        health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
        reflection.enable_server_reflection([*names, health_name, reflection.SERVICE_NAME], self._server)

    async def open(self) -> None:
        """Listen; the health says NOT_SERVING until the RiskManager serves."""
        await self._say(serving=False)
        for attempt in range(1, _BIND_ATTEMPTS + 1):
            try:
                self._server.add_insecure_port(self._address)
                break
            except RuntimeError as error:
                if attempt == _BIND_ATTEMPTS:
                    message = f"cannot listen on {self._address}: another process does, or this user may not"
                    raise TidegateError(message) from error
                await asyncio.sleep(_BIND_PAUSE_S)
        await self._server.start()
        self._watching = asyncio.create_task(self._watch_health())

    async def close(self) -> None:
        """Take no more requests, let those under way end, end the streams."""
        if self._watching is not None:
            self._watching.cancel()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(_STOP_GRACE_S)

    async def _watch_health(self) -> None:
        said = False
        while True:
            serving = await self._port.is_serving()
            if serving is not said:
                await self._say(serving=serving)
                said = serving
            await asyncio.sleep(_HEALTH_PERIOD_S)

    async def _say(self, *, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *(service.full_name for service in services())):
            await self._health.set(name, status)

    def _handler(self, method: MethodSpec) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Choose how a method is answered; no serializers: the bytes pass through."""
        if method.is_stream:
            return grpc.unary_stream_rpc_method_handler(_STREAMS[method.name](self))
        if method.name == "AwaitBar":
            return grpc.unary_unary_rpc_method_handler(self._await_bar)
        return grpc.unary_unary_rpc_method_handler(partial(self._unary, method.name))

    async def _unary(self, name: str, body: bytes, context: _Context) -> bytes:
        return await _answer(self._coalescer.call(Request(name, body)), context)

    async def _await_bar(self, body: bytes, context: _Context) -> bytes:
        left_s = context.time_remaining()
        timeout_s = _AWAIT_TIMEOUT_S if left_s is None else left_s
        answer = await _answer(self._port.wait(Request("AwaitBar", body), timeout_s), context)
        if not answer:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the bar is not settled yet")
        return answer

    async def _watch_orders(self, body: bytes, context: _Context) -> AsyncIterator[bytes]:
        """Begin with what is to be done now, then follow."""
        request, is_cut = orders_pb2.WatchOrdersRequest(), True
        while is_cut:
            first = await _answer(self._coalescer.call(Request("WatchOrders", body)), context)
            yield first
            request.ParseFromString(body)
            message = orders_pb2.WatchOrdersResponse.FromString(first)
            request.after_sequence, is_cut = message.sequence, message.is_cut
            body = request.SerializeToString()
        async for following in self._follow(orders_topic(request.adapter), request.after_sequence, context):
            yield following

    async def _watch_bars(self, body: bytes, context: _Context) -> AsyncIterator[bytes]:
        """Begin with the bar that the adapter owes a report on, if there is one, then follow."""
        first = await _answer(self._coalescer.call(Request("WatchBars", body)), context)
        yield first
        after = market_data_pb2.WatchBarsResponse.FromString(first).sequence
        async for message in self._follow(BARS_TOPIC, after, context):
            yield message

    async def _follow(self, topic: str, after: int, context: _Context) -> AsyncIterator[bytes]:
        while True:
            try:
                publications = await self._port.follow(topic, after, _FOLLOW_TIMEOUT_S)
            except FellBehindError as error:
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"too slow: {error}; watch again")
            except UnavailableError as error:
                await _refuse(context, Reply(b"", Reason.RISK_MANAGER_UNAVAILABLE, str(error)))
            for publication in publications:
                after = publication.sequence
                yield publication.body


_Stream = Callable[[bytes, _Context], AsyncIterator[bytes]]
_STREAMS: dict[str, Callable[[Gateway], _Stream]] = {
    "WatchOrders": lambda gateway: gateway._watch_orders,  # noqa: SLF001 -- the class's own table
    "WatchBars": lambda gateway: gateway._watch_bars,  # noqa: SLF001 -- the class's own table
}


async def _answer(call: Awaitable[Reply], context: _Context) -> bytes:
    """Return the reply's bytes, or end the call with the refusal."""
    try:
        reply = await call
    except UnavailableError as error:
        reply = Reply(b"", Reason.RISK_MANAGER_UNAVAILABLE, str(error))
    if reply.reason:
        await _refuse(context, reply)
    return reply.body


async def _refuse(context: _Context, reply: Reply) -> NoReturn:
    reason = Reason[reply.reason]
    status = status_of(reason, reply.text, reply.field)
    await context.abort(code_of(reason), reply.text, ((DETAILS_KEY, status.SerializeToString()),))
