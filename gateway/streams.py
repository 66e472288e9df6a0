"""The streams: what each begins with, and how it follows."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

from actors.port import FellBehindError, Port, StreamMessage, UnavailableError
from gateway.messages import parsed
from gateway.metrics import STREAMS
from gateway.sending import Context, Stream
from gateway.status import refuse
from tidegate.gate import Reply, Request
from tidegate.journal.contract import ALERTS_TOPIC, BARS_TOPIC
from tidegate.permissions import GATEWAY, Caller
from tidegate.publications import orders_topic
from tidegate.reasons import Reason
from tidegate.v1 import actors_pb2, market_data_pb2, orders_pb2, risk_pb2

# Open at the same time on one gateway; each costs memory and a place in the RiskManager.
STREAMS_MAX = 1_000
_FOLLOW_TIMEOUT_S = 10.0
_PERIOD_MS_DEFAULT = 1_000
_PERIOD_MS_MIN = 100
_PERIOD_MS_MAX = 60_000

# Has a request decided, and ends the call with whatever is refused.
Ask = Callable[[Request, Context], Awaitable[bytes]]


class Streams:
    """
    Every stream of the wire, on a port.

    A stream resumes from a place in the journal and loses nothing: orders from the state, for what is to be done stays
    to be done; bars and alerts from the journal. A reader that falls behind while it follows is cut off.
    """

    def __init__(self, port: Port, ask: Ask) -> None:
        """Stand on a port; ``ask`` has the first look of each stream decided like any other request."""
        self._port = port
        self._ask = ask
        self._closing: set[asyncio.Task[object]] = set()
        self._is_stopping = False
        self._open = 0
        self._methods: dict[str, Stream] = {
            "WatchOrders": self._watch_orders,
            "WatchBars": self._watch_bars,
            "WatchAlerts": self._watch_alerts,
            "WatchRiskMetrics": self._watch_risk_metrics,
        }

    def stop(self) -> None:
        """Leave the sessions open from now on: it is the gateway that goes, and the adapters come back to another."""
        self._is_stopping = True

    def of(self, method: str) -> Stream:
        """Return the stream of a method."""
        begin = self._methods[method]

        async def messages(caller: Caller, body: bytes, context: Context) -> AsyncGenerator[bytes, None]:
            async with self.place(context), aclosing(begin(caller, body, context)) as begun:
                async for message in begun:
                    yield message

        return messages

    @asynccontextmanager
    async def place(self, context: Context) -> AsyncIterator[None]:
        """Hold one of the places that a gateway has for streams and for calls that wait."""
        if self._open >= STREAMS_MAX:
            text = f"{STREAMS_MAX:,} streams and waiting calls are open already"
            await refuse(context, Reply(b"", Reason.OVERLOADED, text))
        self._open += 1
        try:
            with STREAMS.track_inprogress():
                yield
        finally:
            self._open -= 1

    async def _watch_orders(self, caller: Caller, body: bytes, context: Context) -> AsyncGenerator[bytes, None]:
        """Begin with what is to be done now, then follow; with a session, a message at least every heartbeat."""
        first = await self._ask(Request("WatchOrders", body, caller), context)
        request = orders_pb2.WatchOrdersRequest.FromString(body)
        if not request.cancel_on_disconnect:
            async for message in self._orders(request, first, caller, context, _FOLLOW_TIMEOUT_S):
                if message:
                    yield message
            return
        async with self._session(request, context) as (session_id, heartbeat_s):
            opened = orders_pb2.WatchOrdersResponse.FromString(first)
            opened.session_id = session_id
            following = self._orders(request, opened.SerializeToString(), caller, context, heartbeat_s)
            async for message in following:
                yield message or orders_pb2.WatchOrdersResponse(sequence=request.after_sequence).SerializeToString()

    async def _watch_bars(self, caller: Caller, body: bytes, context: Context) -> AsyncGenerator[bytes, None]:
        """Begin with the bar that the adapter owes a report on, or with every bar after a place; then follow."""
        first = await self._ask(Request("WatchBars", body, caller), context)
        yield first
        after = market_data_pb2.WatchBarsResponse.FromString(first).sequence
        async for _, message in self._follow(BARS_TOPIC, after, context, is_recorded=True):
            if message:
                yield message

    async def _watch_alerts(self, caller: Caller, body: bytes, context: Context) -> AsyncGenerator[bytes, None]:
        """Give every alert after a place, then follow."""
        first = await self._ask(Request("WatchAlerts", body, caller), context)
        after = risk_pb2.WatchAlertsResponse.FromString(first).sequence
        async for _, message in self._follow(ALERTS_TOPIC, after, context, is_recorded=True):
            if message:
                yield message

    async def _watch_risk_metrics(self, caller: Caller, body: bytes, context: Context) -> AsyncGenerator[bytes, None]:
        """Give the metrics whenever the journal has grown, at most once a period."""
        request = await parsed(risk_pb2.WatchRiskMetricsRequest, body, context)
        period_s = min(max(request.period_ms or _PERIOD_MS_DEFAULT, _PERIOD_MS_MIN), _PERIOD_MS_MAX) / 1_000
        while True:
            body = request.SerializeToString()
            message = await self._ask(Request("WatchRiskMetrics", body, caller), context)
            if message:
                yield message
                request.after_sequence = risk_pb2.WatchRiskMetricsResponse.FromString(message).metrics.sequence
            await asyncio.sleep(period_s)

    async def _orders(
        self, request: orders_pb2.WatchOrdersRequest, first: bytes, caller: Caller, context: Context, pause_s: float
    ) -> AsyncGenerator[bytes, None]:
        """Give the state in bounded parts, then what follows; an empty message after each pause without one."""
        while True:
            yield first
            message = orders_pb2.WatchOrdersResponse.FromString(first)
            request.after_sequence = message.sequence
            if not message.is_cut:
                break
            first = await self._ask(Request("WatchOrders", request.SerializeToString(), caller), context)
        topic = orders_topic(request.adapter)
        async for sequence, body in self._follow(topic, request.after_sequence, context, pause_s=pause_s):
            request.after_sequence = sequence
            yield body

    @asynccontextmanager
    async def _session(
        self, request: orders_pb2.WatchOrdersRequest, context: Context
    ) -> AsyncIterator[tuple[str, float]]:
        """
        Hold an adapter's session for as long as its stream lasts.

        The RiskManager closes it as well when the heartbeats stay away, so that a gateway that dies closes it too.
        """
        session_id = uuid.uuid4().hex
        opening = actors_pb2.OpenSessionRequest(
            adapter=request.adapter,
            session_id=session_id,
            heartbeat_s=request.heartbeat_s,
            halt_on_loss=request.halt_on_loss,
        )
        opened = await self._ask(Request("OpenSession", opening.SerializeToString(), GATEWAY), context)
        heartbeat_s = float(actors_pb2.OpenSessionResponse.FromString(opened).heartbeat_s)
        try:
            yield session_id, heartbeat_s
        finally:
            if not self._is_stopping:
                self._close(request.adapter, session_id)

    def _close(self, adapter: str, session_id: str) -> None:
        """Close a session beside its stream, which is being canceled itself."""
        closing = actors_pb2.CloseSessionRequest(adapter=adapter, session_id=session_id)
        call = self._port.execute([Request("CloseSession", closing.SerializeToString(), GATEWAY)])
        task: asyncio.Task[object] = asyncio.ensure_future(call)
        self._closing.add(task)
        task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[object]) -> None:
        self._closing.discard(task)
        if not task.cancelled():
            task.exception()  # the RiskManager is away: without heartbeats it closes the session itself

    async def _follow(
        self, topic: str, after: int, context: Context, *, pause_s: float = _FOLLOW_TIMEOUT_S, is_recorded: bool = False
    ) -> AsyncGenerator[tuple[int, bytes], None]:
        """
        Give what is published on a topic after a place; an empty message after each pause in which nothing came.

        What is no longer in memory when the reader begins is read from the journal, for topics that it records. A
        reader that falls behind later is too slow.
        """
        is_live = not is_recorded
        while True:
            try:
                found = await self._port.follow(topic, after, pause_s)
                is_live = True
            except FellBehindError as error:
                if is_live:
                    await refuse(context, Reply(b"", Reason.READER_TOO_SLOW, str(error)))
                page = await self._page(topic, after, context)
                found = [StreamMessage(message.sequence, message.body) for message in page.messages]
                after = after if found else page.head_sequence
            except UnavailableError as error:
                await refuse(context, Reply(b"", Reason.RISK_MANAGER_UNAVAILABLE, str(error)))
            if not found and is_live:
                yield after, b""
            for sequence, body in found:
                after = sequence
                yield sequence, body

    async def _page(self, topic: str, after: int, context: Context) -> actors_pb2.ReadTopicResponse:
        request = actors_pb2.ReadTopicRequest(topic=topic, after_sequence=after)
        try:
            reply = await self._port.read(Request("ReadTopic", request.SerializeToString(), GATEWAY))
        except UnavailableError as error:
            reply = Reply(b"", Reason.RISK_MANAGER_UNAVAILABLE, str(error))
        if reply.reason:
            await refuse(context, reply)
        return actors_pb2.ReadTopicResponse.FromString(reply.body)
