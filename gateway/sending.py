"""Writing a stream to its reader."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import grpc

from gateway.status import refuse
from tidegate.gate import Reply
from tidegate.permissions import Caller
from tidegate.reasons import Reason

# A reader that takes nothing for so long is gone or stuck.
WRITE_TIMEOUT_S = 30.0

Context = grpc.aio.ServicerContext[bytes, bytes]
Stream = Callable[[Caller, bytes, Context], AsyncGenerator[bytes, None]]


async def send(messages: AsyncGenerator[bytes, None], context: Context) -> None:
    """Write every message; a reader that takes none for a while is cut off, instead of a queue that grows."""
    async with aclosing(messages):
        async for message in messages:
            try:
                async with asyncio.timeout(WRITE_TIMEOUT_S):
                    await context.write(message)
            except TimeoutError:
                text = f"nothing was read for {WRITE_TIMEOUT_S:g} s"
                await refuse(context, Reply(b"", Reason.READER_TOO_SLOW, text))
