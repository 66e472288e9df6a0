"""Writing a stream to its reader."""

import asyncio
from collections.abc import AsyncIterator

import grpc

from gateway.status import refuse
from tidegate.gate import Reply
from tidegate.reasons import Reason

# A reader that takes nothing for so long is gone or stuck.
WRITE_TIMEOUT_S = 30.0

Context = grpc.aio.ServicerContext[bytes, bytes]


async def send(messages: AsyncIterator[bytes], context: Context) -> None:
    """Write every message; a reader that takes none for a while is cut off, instead of a queue that grows."""
    async for message in messages:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await context.write(message)
        except TimeoutError:
            text = f"nothing was read for {WRITE_TIMEOUT_S:g} s"
            await refuse(context, Reply(b"", Reason.READER_TOO_SLOW, text))
