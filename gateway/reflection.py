"""Server reflection: a client without our files finds out what a listener serves."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest

from gateway import health
from gateway.doorman import Door
from gateway.messages import parsed
from gateway.sending import Context, send

_METHOD = "ServerReflectionInfo"


def enable_reflection(server: grpc.aio.Server, services: Iterable[str], door: Door) -> None:
    """List some services, and health; answer whoever the door lets in."""
    servicer: Any = reflection.aio.ReflectionServicer([*sorted(services), health.NAME, reflection.SERVICE_NAME])

    async def answers(requests: AsyncIterable[bytes], context: Context) -> AsyncGenerator[bytes, None]:
        read = (await parsed(ServerReflectionRequest, body, context) async for body in requests)
        async for response in servicer.ServerReflectionInfo(read, context):
            yield response.SerializeToString()

    async def handle(requests: AsyncIterable[bytes], context: Context) -> None:
        await door.identify(_METHOD, context)
        await send(_METHOD, answers(requests, context), context)

    handler: Any = grpc.stream_stream_rpc_method_handler(handle)
    handlers = grpc.method_handlers_generic_handler(reflection.SERVICE_NAME, {_METHOD: handler})
    server.add_generic_rpc_handlers((handlers,))
