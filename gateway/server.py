"""The gateway: every method of the wire over one port, bytes in and bytes out."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

import grpc
import structlog

from actors.port import Port, UnavailableError
from gateway.access_file import read_access_file
from gateway.authentication import Directory
from gateway.brake import Brake
from gateway.doorman import Answer, Door, Doorman, OpenDoor
from gateway.listeners import Listeners
from gateway.methods import MethodSpec
from gateway.metrics import CALL_SECONDS, REFUSALS, MetricsEndpoint
from gateway.protection import Protection
from gateway.refusal_log import RefusalLog
from gateway.request_ids import log_call, request_id_of
from gateway.sending import Context
from gateway.status import refuse
from gateway.streams import Streams
from gateway.watched_files import WatchedFiles
from tidegate.gate import Reply, Request
from tidegate.history import HISTORY
from tidegate.permissions import Caller
from tidegate.reasons import Reason

_FOLLOW_TIMEOUT_S = 10.0
_AWAIT_TIMEOUT_S = 3_600.0
_HEALTH_PERIOD_S = 0.2
_LOOK_PERIOD_S = 1.0
_DENIED = frozenset({Reason.PERMISSION_DENIED, Reason.OPERATOR_NOT_CALLER})
_NO_PROTECTION = Protection()


async def open_gateway(
    port: Port, address: str, protection: Protection = _NO_PROTECTION, metrics: MetricsEndpoint | None = None
) -> "Gateway":
    """
    Serve a port: on loopback, or with TLS and an access file anywhere.

    Raises:
        ConfigurationError: others could reach the address unprotected, or a file cannot be used.
        TidegateError: somebody else listens there.
    """
    protection.check(address)
    if metrics is not None:
        metrics.open()
    gateway = Gateway(port, address, protection)
    await gateway.open()
    return gateway


class Gateway:
    """Every method on a port. It says NOT_SERVING while the RiskManager is away or reads its journal."""

    def __init__(self, port: Port, address: str, protection: Protection) -> None:
        """Prepare; ``open`` listens."""
        self._port = port
        self._refusals = RefusalLog(time.monotonic)
        self._access = _watched_access(protection)
        self._door = _door(self._access, self._refusals)
        self._streams = Streams(port, self._ask)
        self._listeners = Listeners(address, protection, self._door, self._handler)
        self._watching: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Listen; the health says NOT_SERVING until the RiskManager serves."""
        await self._listeners.open()
        self._watching = [asyncio.create_task(self._watch_health()), asyncio.create_task(self._look())]

    async def close(self) -> None:
        """Take no more requests, let those under way end, end the streams."""
        for watching in self._watching:
            watching.cancel()
        self._streams.stop()
        await self._listeners.close()
        self._refusals.write_counts(at_once=True)

    async def _look(self) -> None:
        """Look at the files and at who is still admitted, once a second; whatever fails, it goes on looking."""
        while True:
            await asyncio.sleep(_LOOK_PERIOD_S)
            try:
                for files in (self._access, self._listeners.tls):
                    if files is not None:
                        await asyncio.to_thread(files.look)
                self._door.look()
                self._refusals.write_counts()
            except Exception as error:  # noqa: BLE001 -- revoking must not end with one look that failed
                structlog.get_logger().critical("look_failed", exc_info=error)

    async def _watch_health(self) -> None:
        said = False
        while True:
            serving = await self._port.is_serving()
            if serving is not said:
                self._listeners.say(serving=serving)
                said = serving
            await asyncio.sleep(_HEALTH_PERIOD_S)

    def _handler(self, method: MethodSpec, *, is_here: bool) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Choose how a method is answered; no serializers: the bytes pass through."""
        name = method.name
        if not is_here:
            return grpc.unary_unary_rpc_method_handler(self._door.unary(name, partial(_elsewhere, name)))
        if method.is_stream:
            return grpc.unary_stream_rpc_method_handler(self._door.stream(name, self._streams.of(name)))
        if name == "AwaitBar":
            return grpc.unary_unary_rpc_method_handler(self._door.waiting(name, self._await_bar))
        return grpc.unary_unary_rpc_method_handler(self._door.unary(name, self._unary(name)))

    def _unary(self, name: str) -> Answer:
        """Answer a method from the journal if that is enough, else by the engine."""
        answer = self._port.read if name in HISTORY else self._port.call
        seconds = CALL_SECONDS.labels(name)

        async def handle(caller: Caller, body: bytes, context: Context) -> bytes:
            began = time.perf_counter()
            request = Request(name, body, caller, request_id_of(context))
            try:
                reply = await answer(request)
            except UnavailableError as error:
                reply = _unavailable(error)
            finally:
                seconds.observe(time.perf_counter() - began)
            if reply.reason or request.request_id:
                await self._note(request, reply, context)
            return reply.body

        return handle

    async def _ask(self, request: Request, context: Context) -> bytes:
        return await self._answer(request, self._port.call, context)

    async def _await_bar(self, caller: Caller, body: bytes, context: Context) -> bytes:
        left_s = context.time_remaining()
        timeout_s = _AWAIT_TIMEOUT_S if left_s is None else left_s
        request = Request("AwaitBar", body, caller)
        async with self._streams.place(context):
            answer = await self._answer(request, partial(self._port.wait, timeout_s=timeout_s), context)
        if not answer:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the bar is not settled yet")
        return answer

    async def _answer(self, request: Request, call: Callable[[Request], Awaitable[Reply]], context: Context) -> bytes:
        """Return the reply's bytes, or end the call with the refusal."""
        try:
            reply = await call(request)
        except UnavailableError as error:
            reply = _unavailable(error)
        if reply.reason or request.request_id:
            await self._note(request, reply, context)
        return reply.body

    async def _note(self, request: Request, reply: Reply, context: Context) -> None:
        """Log and count what became of a request, and end its call if it is refused."""
        if request.request_id:
            log_call(request, reply, context)
        if not reply.reason:
            return
        if reply.reason in _DENIED:
            who, peer = request.caller.name, context.peer()
            self._refusals.note(who=who, method=request.method, peer=peer, reason=reply.reason, text=reply.text)
        REFUSALS.labels(request.method, reply.reason).inc()
        await refuse(context, reply)


def _unavailable(error: UnavailableError) -> Reply:
    return Reply(b"", Reason.RISK_MANAGER_UNAVAILABLE, str(error))


async def _elsewhere(name: str, _caller: Caller, _body: bytes, context: Context) -> bytes:
    text = f"{name} is answered on another listener of this gateway"
    await refuse(context, Reply(b"", Reason.METHOD_ELSEWHERE, text))


def _door(access: WatchedFiles[Directory] | None, refusals: RefusalLog) -> Door:
    return OpenDoor() if access is None else Doorman(access, refusals, Brake(time.monotonic))


def _watched_access(protection: Protection) -> WatchedFiles[Directory] | None:
    """Read the access file, with whom the run made up for itself; None without one."""
    path = protection.access
    if path is None:
        return None
    own = () if protection.inner is None else protection.inner.principals
    return WatchedFiles([path], lambda: Directory([*read_access_file(path).principals, *own], time.time))
