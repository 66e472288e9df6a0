"""The doorman: finds out who calls, turns strangers away, and shows out whose rights have ended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NamedTuple, Protocol

from gateway.authentication import Directory, Identity, UnauthenticatedError
from gateway.brake import Brake, address_of
from gateway.refusal_log import RefusalLog
from gateway.sending import Context, Stream, end, send
from gateway.status import refuse
from gateway.watched_files import WatchedFiles
from tidegate.gate import Reply
from tidegate.permissions import LOCAL, Caller, may_call
from tidegate.reasons import Reason

Answer = Callable[[Caller, bytes, Context], Awaitable[bytes]]
Handler = Callable[[bytes, Context], Awaitable[bytes]]


class Door(Protocol):
    """What stands before the methods: a doorman, or nobody."""

    async def identify(self, method: str, context: Any) -> Identity:
        """Find out who calls, or end the call."""

    def unary(self, method: str, answer: Answer) -> Handler:
        """Stand before a method that is answered at once."""

    def waiting(self, method: str, answer: Answer) -> Handler:
        """Stand before a method that may wait for its answer."""

    def stream(self, method: str, messages: Stream) -> Callable[[bytes, Context], Any]:
        """Stand before a stream, for as long as it lasts."""

    def look(self) -> None:
        """End what goes on in the name of somebody whose rights have ended or changed."""


class OpenDoor:
    """Nobody: whoever reaches a gateway without an access file may do everything, and is on this machine."""

    async def identify(self, _method: str, _context: Any) -> Identity:
        """Take everybody for the same."""
        return Identity(LOCAL)

    def unary(self, _method: str, answer: Answer) -> Handler:
        """Stand aside, and cost nothing."""
        return partial(answer, LOCAL)

    waiting = unary

    def stream(self, method: str, messages: Stream) -> Callable[[bytes, Context], Any]:
        """Stand aside."""

        async def handle(body: bytes, context: Context) -> None:
            await send(method, messages(LOCAL, body, context), context)

        return handle

    def look(self) -> None:
        """Nobody's rights ever end."""


class _Visit(NamedTuple):
    """A call that lasts, and the timeout that ends it."""

    identity: Identity
    leash: asyncio.Timeout


class Doorman:
    """Stands before every method of a gateway that has an access file."""

    def __init__(self, access: WatchedFiles[Directory], refusals: RefusalLog, brake: Brake) -> None:
        """Stand on the access file as it is at each moment."""
        self._access = access
        self._refusals = refusals
        self._brake = brake
        self._visits: set[_Visit] = set()

    async def identify(self, method: str, context: Any) -> Identity:
        """Find out who calls, or end the call; a stranger waits the longer, the more often it failed."""
        try:
            return self._access.current.identify(context)
        except UnauthenticatedError as error:
            reply = Reply(b"", Reason.UNAUTHENTICATED, str(error))
            self._note(error.who, method, context, reply)
            await self._brake.hold(address_of(context.peer()))
            await refuse(context, reply)

    async def admit(self, method: str, context: Any) -> Identity:
        """Let in who is known and has a role for the method; what the request names is the gate's question."""
        identity = await self.identify(method, context)
        if not may_call(identity.caller, method):
            reply = Reply(b"", Reason.PERMISSION_DENIED, f"{identity.caller.name} may not call {method}")
            self._note(identity.caller.name, method, context, reply)
            await refuse(context, reply)
        return identity

    def unary(self, method: str, answer: Answer) -> Handler:
        """Stand before a method that is answered at once."""

        async def handle(body: bytes, context: Context) -> bytes:
            identity = await self.admit(method, context)
            return await answer(identity.caller, body, context)

        return handle

    def waiting(self, method: str, answer: Answer) -> Handler:
        """Stand before a method that may wait for its answer."""

        async def handle(body: bytes, context: Context) -> bytes:
            identity = await self.admit(method, context)
            async with self._while_admitted(identity, method, context):
                return await answer(identity.caller, body, context)

        return handle

    def stream(self, method: str, messages: Stream) -> Callable[[bytes, Context], Awaitable[None]]:
        """Stand before a stream, for as long as it lasts."""

        async def handle(body: bytes, context: Context) -> None:
            identity = await self.admit(method, context)
            async with self._while_admitted(identity, method, context):
                await send(method, messages(identity.caller, body, context), context)

        return handle

    def look(self) -> None:
        """End what goes on in the name of somebody whose rights have ended or changed."""
        directory, now = self._access.current, asyncio.get_running_loop().time()
        for visit in list(self._visits):
            if directory.caller_of(visit.identity) != visit.identity.caller:
                self._visits.discard(visit)
                visit.leash.reschedule(now)

    @asynccontextmanager
    async def _while_admitted(self, identity: Identity, method: str, context: Context) -> AsyncIterator[None]:
        leash = asyncio.timeout(None)
        visit = _Visit(identity, leash)
        try:
            async with leash:
                self._visits.add(visit)
                try:
                    yield
                finally:
                    self._visits.discard(visit)
        except TimeoutError:
            if not leash.expired():
                raise
            reply = Reply(b"", Reason.ACCESS_CHANGED, Reason.ACCESS_CHANGED.meaning)
            if self._access.current.caller_of(identity) is None:
                reply = Reply(b"", Reason.UNAUTHENTICATED, "the token or the certificate is not valid any more")
            self._note(identity.caller.name, method, context, reply)
            await end(context, reply)

    def _note(self, who: str, method: str, context: Any, reply: Reply) -> None:
        self._refusals.note(who=who, method=method, peer=context.peer(), reason=reply.reason, text=reply.text)
