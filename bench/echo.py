"""The yardstick: a gRPC asyncio server that answers every order with the same bytes, and does nothing else."""

import asyncio
import signal

import grpc
import uvloop

from bench.load import SUBMIT_ORDER

_, _SERVICE, _METHOD = SUBMIT_ORDER.split("/")


def serve(address: str, reply: bytes, *, on_uvloop: bool) -> None:
    """Serve until the process is ended, on asyncio's own event loop, or on uvloop as Ray's async actors do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    run = uvloop.run if on_uvloop else asyncio.run
    run(_serve(address, reply))


async def _serve(address: str, reply: bytes) -> None:
    async def answer(_body: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return reply

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {_METHOD: grpc.unary_unary_rpc_method_handler(answer)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()
