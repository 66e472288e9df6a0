"""Coalescing: one batch in flight; what arrives meanwhile forms the next one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from actors.admission import URGENT, has_room
from actors.port import UnavailableError
from tidegate.gate import Reply, Request
from tidegate.reasons import Reason

BATCH_REQUESTS_MAX = 512

Execute = Callable[[Sequence[Request]], Awaitable[list[Reply]]]


class Coalescer:
    """
    Gathers requests into batches. Low load gets low latency, high load gets large batches.

    A halt goes by itself at once; everything else keeps its order. When too many wait, orders and reads are refused
    while cancels, executions and heartbeats still find room.
    """

    def __init__(self, execute: Execute) -> None:
        """Send batches by ``execute``, on the running event loop."""
        self._execute = execute
        self._waiting: deque[tuple[Request, asyncio.Future[Reply]]] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def call(self, request: Request) -> Reply:
        """
        Have one request decided with the next batch.

        Raises:
            UnavailableError: the batch got no answer; what was asked may or may not have happened.
        """
        if request.method in URGENT:
            (reply,) = await self._execute([request])
            return reply
        if not has_room(len(self._waiting), (request,)):
            return Reply(b"", Reason.OVERLOADED, Reason.OVERLOADED.meaning)
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answered))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return await answered

    async def _send(self) -> None:
        try:
            while self._waiting:
                count = min(len(self._waiting), BATCH_REQUESTS_MAX)
                await self._send_batch([self._waiting.popleft() for _ in range(count)])
        finally:
            self._sending = None

    async def _send_batch(self, batch: list[tuple[Request, asyncio.Future[Reply]]]) -> None:
        try:
            replies = await self._execute([request for request, _ in batch])
        except UnavailableError as error:
            for _, answered in batch:
                if not answered.done():
                    answered.set_exception(error)
            return
        for (_, answered), reply in zip(batch, replies, strict=True):
            if not answered.done():
                answered.set_result(reply)
