"""The line: batches between two processes of one machine over a socket, without Ray in between."""

import asyncio
import os
import pickle
import struct
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from actors.port import UnavailableError
from tidegate.errors import TidegateError
from tidegate.gate import Reply, Request

Execute = Callable[[Sequence[Request]], Awaitable[list[Reply]]]

# Before each body: its length, and the number of the call that it belongs to.
_HEADER = struct.Struct("!IQ")
_OTHERS = 0o077
_AWAY = "the RiskManager is away"


def line_of(run: str) -> Path:
    """
    Say where the RiskManager of a run is reached on its machine: a socket in a folder of this user alone.

    By the run and not by its journal, of which two URLs may not show that they are two.

    Raises:
        TidegateError: others may enter that folder.
    """
    folder = Path(tempfile.gettempdir()) / f"tidegate-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.getuid() or found.st_mode & _OTHERS:
        message = f"{folder}: others may enter this folder, and so reach the RiskManager; remove it"
        raise TidegateError(message)
    return folder / f"{run}.sock"


async def serve_line(path: Path, execute: Execute) -> asyncio.Server:
    """Answer whoever connects, each batch as it comes; a socket that was left behind there is replaced."""
    return await asyncio.get_running_loop().create_unix_server(lambda: _Answering(execute), str(path))


class Line:
    """The asking end. It connects when needed; a call whose connection ends is UNAVAILABLE, for it may have run."""

    def __init__(self, path: Path) -> None:
        """Stand on a path where somebody may serve."""
        self._path = path
        self._asking: _Asking | None = None

    async def is_up(self) -> bool:
        """Tell whether somebody serves at the other end; connect if so."""
        if self._asking is None or self._asking.is_over:
            self._asking = None
            with suppress(OSError):  # nobody: the RiskManager is away, or on another machine
                _, self._asking = await asyncio.get_running_loop().create_unix_connection(_Asking, str(self._path))
        return self._asking is not None

    async def execute(self, requests: Sequence[Request]) -> list[Reply]:
        """
        Have a batch decided; one reply a request.

        Raises:
            UnavailableError: nobody serves, or the connection ended before the answer.
        """
        if self._asking is None or self._asking.is_over:
            raise UnavailableError(_AWAY)
        return await self._asking.call(requests)


class _Framed(asyncio.Protocol):
    """Takes frames apart, and puts them together. Both ends are processes of one user, as with Ray's own pickles."""

    # Not every event loop derives its transports from asyncio's.
    transport: Any

    def __init__(self, take: Callable[[int, Any], None]) -> None:
        self._take = take
        self._unread = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while len(self._unread) >= _HEADER.size:
            size, number = _HEADER.unpack_from(self._unread)
            end = _HEADER.size + size
            if len(self._unread) < end:
                return
            body = bytes(self._unread[_HEADER.size : end])
            del self._unread[:end]
            self._take(number, pickle.loads(body))  # noqa: S301 -- from a folder that only this user can enter

    def send(self, number: int, body: object) -> None:
        text = pickle.dumps(body, pickle.HIGHEST_PROTOCOL)
        self.transport.write(_HEADER.pack(len(text), number) + text)


class _Asking(_Framed):
    def __init__(self) -> None:
        super().__init__(self._settle)
        self.is_over = False
        self._number = 0
        self._calls: dict[int, asyncio.Future[list[Reply]]] = {}

    def call(self, requests: Sequence[Request]) -> asyncio.Future[list[Reply]]:
        self._number += 1
        self._calls[self._number] = answered = asyncio.get_running_loop().create_future()
        self.send(self._number, [tuple(request) for request in requests])
        return answered

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_over = True
        for number in list(self._calls):
            self._settle(number, _AWAY)

    def _settle(self, number: int, body: str | list[tuple[Any, ...]]) -> None:
        answered = self._calls.pop(number)
        if answered.done():
            return  # who asked has gone
        if isinstance(body, str):
            answered.set_exception(UnavailableError(body))
        else:
            answered.set_result([Reply(*reply) for reply in body])


class _Answering(_Framed):
    def __init__(self, execute: Execute) -> None:
        super().__init__(self._begin)
        self._execute = execute
        # The event loop keeps only weak references to its tasks.
        self._tasks: set[asyncio.Task[None]] = set()

    def _begin(self, number: int, body: list[tuple[Any, ...]]) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(number, [Request(*part) for part in body]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, number: int, requests: list[Request]) -> None:
        try:
            replies = await self._execute(requests)
        except UnavailableError as error:
            self.send(number, str(error))
        except BaseException:
            self.transport.abort()  # who waits for the answer learns that there is none
            raise
        else:
            self.send(number, [tuple(reply) for reply in replies])
