"""For adapters: the calls that every one of them makes, in its name, cut to what the gateway takes at once."""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import grpc

from gateway.client import AsyncClient
from tidegate.times import from_datetime, to_stamp
from tidegate.v1 import common_pb2, orders_pb2, reconciliation_pb2

# At most so many entries go into one call; a longer one is refused with BATCH_TOO_LARGE.
ENTRIES_MAX = 1_000
_HEARTBEAT_S = 5

T = TypeVar("T")


class AdapterClient:
    """
    What an adapter asks of the gateway and tells it.

    Calls raise ``grpc.aio.AioRpcError``; ``gateway.status.is_away`` tells which of them are worth another try.

    Attributes:
        client: the client behind it, for every other call.
        name: the adapter's name in the portfolio file.
        account: the account at the broker that its executions belong to.
    """

    def __init__(self, client: AsyncClient, *, name: str, account: str) -> None:
        """Speak in an adapter's name."""
        self.client = client
        self.name = name
        self.account = account

    async def watch(
        self,
        *,
        cancel_on_disconnect: bool = False,
        heartbeat_s: int = 0,
        after_sequence: int = 0,
        halt_on_loss: common_pb2.HaltLevel.ValueType = common_pb2.HALT_LEVEL_UNSPECIFIED,
    ) -> AsyncGenerator[orders_pb2.WatchOrdersResponse, None]:
        """
        Watch what this adapter has to do: first all that is open now, then as it comes.

        It ends with an error only. After one, ask what works (``working_orders``) before watching again.

        cancel_on_disconnect: open a session. When the stream is lost, or three heartbeats are, the gate asks for the
        cancel of every order that this adapter routes, and alerts. The heartbeats are sent from here, every heartbeat_s
        seconds (5 when 0); so often, too, an empty message comes when nothing else does.
        after_sequence: leave out what a message with this ``sequence`` or an earlier one has told already.
        halt_on_loss: with cancel_on_disconnect, what the strategies that route here are set to when the session is
        lost, REDUCE_ONLY or HALTED, until somebody resets them.
        """
        request = orders_pb2.WatchOrdersRequest(
            adapter=self.name,
            cancel_on_disconnect=cancel_on_disconnect,
            heartbeat_s=heartbeat_s,
            after_sequence=after_sequence,
            halt_on_loss=halt_on_loss,
        )
        beating: asyncio.Task[None] | None = None
        watching = self.client.orders.WatchOrders(request)
        try:
            async for message in watching:
                if message.session_id:
                    beat = orders_pb2.HeartbeatRequest(adapter=self.name, session_id=message.session_id)
                    beating = asyncio.create_task(self._beat(beat, heartbeat_s or _HEARTBEAT_S))
                yield message
        finally:
            watching.cancel()
            if beating is not None:
                beating.cancel()

    async def _beat(self, heartbeat: orders_pb2.HeartbeatRequest, period_s: float) -> None:
        """Send heartbeats; one that fails says nothing yet, for the stream tells when the session is over."""
        while True:
            await asyncio.sleep(period_s)
            with contextlib.suppress(grpc.aio.AioRpcError):
                await self.client.orders.Heartbeat(heartbeat)

    async def working_orders(self) -> AsyncIterator[orders_pb2.Order]:
        """Return the orders that this adapter has claimed and that are not done, oldest first."""
        request = orders_pb2.ListOrdersRequest(page_size=ENTRIES_MAX)
        while True:
            page = await self.client.orders.ListOrders(request)
            for order in page.orders:
                if order.claimed_by == self.name:
                    yield order
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def claim(self, orders: Sequence[orders_pb2.Order]) -> list[orders_pb2.Claim]:
        """
        Take orders, before they are sent; return one claim an order, in their order.

        CLAIMED: send it. ALREADY_CLAIMED: by this adapter, earlier; it may have been sent, so ask the broker first.
        REFUSED: do not send it; the claim says why.
        """
        claims: list[orders_pb2.Claim] = []
        for part in _parts(orders):
            request = orders_pb2.ClaimOrdersRequest(adapter=self.name, order_ids=[order.order_id for order in part])
            claims += (await self.client.orders.ClaimOrders(request)).claims
        return claims

    async def report(self, executions: Sequence[orders_pb2.Execution], *, bar_sequence: int = 0) -> list[int]:
        """
        Tell what the broker did; return where each execution stands in the journal.

        Telling it again is safe: an ``execution_id`` is booked once an account, and has the same place again. A place
        of 0 means that the id was used before for other figures: it was not booked, and an alert was raised.

        bar_sequence: for a synchronised adapter, the bar that is dealt with once all of this is booked.
        """
        places: list[int] = []
        *parts, last = _parts(executions) or [[]]
        for part in parts:
            places += await self._report(part, 0)
        if last or bar_sequence:
            places += await self._report(last, bar_sequence)
        return places

    async def reconcile(  # noqa: PLR0913 -- a statement has as many parts
        self,
        *,
        positions: Mapping[str, str],
        cash: Mapping[str, str] | None = None,
        orders: Sequence[reconciliation_pb2.StatedOrder] | None = None,
        time: datetime | None = None,
        sequence: int = 0,
        operator: str = "",
    ) -> reconciliation_pb2.ReconcilePositionsResponse:
        """
        Hand in the broker's own statement of the account; return what differs from the gate's books.

        positions, cash: decimals by symbol and by currency, all that are not 0; cash left out is not compared, and
        neither are orders, of which all open ones belong in it.
        time: by the broker's clock; now when left out. sequence: instead of it, exactly, the newest place that
        ``report`` returned for what the statement knows.
        operator: who states it, where nobody has to show a token; the adapter when left out.
        """
        request = reconciliation_pb2.ReconcilePositionsRequest(
            account=self.account,
            adapter=self.name,
            time=to_stamp(from_datetime(time or datetime.now(UTC))),
            sequence=sequence,
            positions=[reconciliation_pb2.StatedPosition(symbol=s, quantity=q) for s, q in positions.items()],
            cash=[reconciliation_pb2.StatedCash(currency=c, amount=a) for c, a in (cash or {}).items()],
            orders=orders,
            without_orders=orders is None,
            operator=operator or ("" if self.client.credentials.are_shown else self.name),
        )
        return await self.client.admin.ReconcilePositions(request)

    async def _report(self, executions: Sequence[orders_pb2.Execution], bar_sequence: int) -> Sequence[int]:
        request = orders_pb2.ReportExecutionsRequest(
            account=self.account, adapter=self.name, executions=executions, bar_sequence=bar_sequence
        )
        return (await self.client.orders.ReportExecutions(request)).sequences


def end_with_parent() -> None:
    """
    End this process when whoever started it closes its standard input, by will or by death.

    What ``--exit-with-parent`` asks for, which ``tidegate run`` gives to the adapters that it starts.
    """
    threading.Thread(target=_end_with_parent, name="end_with_parent", daemon=True).start()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def _parts(entries: Sequence[T]) -> list[Sequence[T]]:
    return [entries[start : start + ENTRIES_MAX] for start in range(0, len(entries), ENTRIES_MAX)]
