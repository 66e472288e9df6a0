"""The port over Ray: for gateways apart, and for the allocator."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from ray.exceptions import RayActorError, RayError

from actors.coalescer import Coalescer
from actors.line import Line
from actors.port import FellBehindError, StreamMessage, UnavailableError
from tidegate.gate import Reply, Request

T = TypeVar("T")

_SERVING_TIMEOUT_S = 2.0


class RayPort:
    """Forwards to a RiskManager actor; a call that was lost is UNAVAILABLE, for it may have run."""

    def __init__(self, risk_manager: Any, line: Line | None = None) -> None:
        """Stand on an actor's handle; line: the shorter way to it, for as long as it is on this machine."""
        self._risk_manager = risk_manager
        self._line = line
        self._coalescer = Coalescer(self.execute)

    def call(self, request: Request) -> Awaitable[Reply]:
        """Have one request decided with whatever else arrives; one batch is under way at a time."""
        return self._coalescer.call(request)

    async def execute(self, requests: Sequence[Request]) -> list[Reply]:
        """Have a batch decided; one reply a request."""
        if self._line is not None and await self._line.is_up():
            return await self._line.execute(requests)
        return await _call(self._risk_manager.execute.remote(list(requests)))

    async def wait(self, request: Request, timeout_s: float) -> Reply:
        """Ask a read again whenever the bars have moved, until it has an answer; an empty reply at the time-out."""
        return await _call(self._risk_manager.wait.remote(request, timeout_s))

    async def follow(self, topic: str, after: int, timeout_s: float) -> list[StreamMessage]:
        """Return what was published on a topic after a sequence, waiting for it; nothing at the time-out."""
        return await _call(self._risk_manager.follow.remote(topic, after, timeout_s))

    async def read(self, request: Request) -> Reply:
        """Answer from the journal alone, beside the engine: a part of the past."""
        return await _call(self._risk_manager.read.remote(request))

    async def is_serving(self) -> bool:
        """Tell whether the RiskManager is there and has read its journal."""
        try:
            async with asyncio.timeout(_SERVING_TIMEOUT_S):
                return await _call(self._risk_manager.is_serving.remote())
        except (UnavailableError, TimeoutError):
            return False


async def _call(call: Awaitable[T]) -> T:
    try:
        return await call
    except (UnavailableError, FellBehindError):
        raise
    except RayActorError as error:
        text = "the RiskManager is away"
        raise UnavailableError(text) from error
    except RayError as error:
        text = f"the call to the RiskManager was lost: {type(error).__name__}"
        raise UnavailableError(text) from error
