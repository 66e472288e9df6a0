"""The port that a gateway stands on: it does not know whether the RiskManager is beside it or far away."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from tidegate.errors import TidegateError
from tidegate.gate import Reply, Request


class UnavailableError(TidegateError):
    """The RiskManager is away, or has not read its journal yet. What was asked may or may not have happened."""


class FellBehindError(TidegateError):
    """A reader asked to go on from a place that is no longer in memory: it must begin again."""


class StreamMessage(NamedTuple):
    """A stream's next message, and the place in the journal that it brings its reader to."""

    sequence: int
    body: bytes


class Port(Protocol):
    """Bytes in, bytes out."""

    def call(self, request: Request) -> Awaitable[Reply]:
        """Have one request decided with whatever else arrives; in the order of the calls. Raises UnavailableError."""

    async def execute(self, requests: Sequence[Request]) -> list[Reply]:
        """Have a batch decided; one reply a request. Raises UnavailableError."""

    async def wait(self, request: Request, timeout_s: float) -> Reply:
        """Ask a read again whenever the bars have moved, until it has an answer; an empty reply at the time-out."""

    async def follow(self, topic: str, after: int, timeout_s: float) -> list[StreamMessage]:
        """Return what was published on a topic after a sequence, waiting for it; nothing at the time-out."""

    async def read(self, request: Request) -> Reply:
        """Answer from the journal alone, beside the engine: a part of the past."""

    async def is_serving(self) -> bool:
        """Tell whether the RiskManager has read its journal and decides."""


class FrontDoor(Protocol):
    """A gateway that stands on a port."""

    async def close(self) -> None:
        """Stop taking requests, and end the streams."""


# Opens a gateway on a port: handed down by the floor above, so that this floor need not know it.
OpenFrontDoor = Callable[[Port], Awaitable[FrontDoor]]
