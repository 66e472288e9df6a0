"""Writing a stream to its reader."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

import grpc

from gateway.metrics import STREAM_LAG_SECONDS
from gateway.status import refuse
from tidegate.gate import Reply
from tidegate.permissions import Caller
from tidegate.reasons import Reason

# A reader that takes nothing for so long is gone or stuck.
WRITE_TIMEOUT_S = 30.0
# For so long the last word to a reader is waited for; after that it lies ready for as long as the connection lasts.
_LAST_WORD_TIMEOUT_S = 1.0

Context = grpc.aio.ServicerContext[bytes, bytes]
Stream = Callable[[Caller, bytes, Context], AsyncGenerator[bytes, None]]


async def send(method: str, messages: AsyncGenerator[bytes, None], context: Context) -> None:
    """
    Write every message; a reader that takes none for a while is cut off, instead of a queue that grows.

    Whatever the messages hold is let go first: their place, an adapter's session. gRPC keeps one message and the
    refusal until the reader takes them, or its connection ends.
    """
    # Before the first message: gRPC refuses to end a stream whose first write is stuck.
    await context.send_initial_metadata(())
    lag = STREAM_LAG_SECONDS.labels(method)
    async with aclosing(messages):
        async for message in messages:
            try:
                with lag.time():
                    async with asyncio.timeout(WRITE_TIMEOUT_S):
                        await context.write(message)
            except TimeoutError:
                break
        else:
            return
    await end(context, Reply(b"", Reason.READER_TOO_SLOW, f"nothing was read for {WRITE_TIMEOUT_S:g} s"))


async def end(context: Context, reply: Reply) -> None:
    """End a stream with a refusal; it lies behind what was not read, so a stuck reader is not waited for."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORD_TIMEOUT_S):
            await refuse(context, reply)
