"""
A minimal adapter: from an order that the gate let through to a fill that the gate has booked.

``ToyBroker`` stands where your broker's library goes; ``Adapter`` is what every adapter does. docs/adapters.md walks
through it.
"""

import argparse
import asyncio
import sys
import zlib
from decimal import Decimal

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.adapter_client import AdapterClient, end_with_parent
from gateway.client import AsyncClient
from gateway.status import is_away, refusal_of
from tidegate.reasons import Reason
from tidegate.v1 import common_pb2, market_data_pb2, orders_pb2

QUOTES_PERIOD_S = 5.0
PAUSE_S = 1.0


class ToyBroker:
    """
    Fills at once what its quote allows, keeps the rest working, and remembers all that it did.

    It knows orders by the gate's order id. ``news`` is how a broker tells what happened: whenever it pleases.
    """

    def __init__(self, quotes: dict[str, str]) -> None:
        """Begin with a price for each instrument that is traded here."""
        self.quotes = quotes
        self.working: dict[str, orders_pb2.Order] = {}
        self.known: dict[str, list[orders_pb2.Execution]] = {}
        self.news: asyncio.Queue[orders_pb2.Execution] = asyncio.Queue()

    async def place(self, order: orders_pb2.Order) -> None:
        """Take an order, or reject it; fill it when its limit allows."""
        quote = self.quotes.get(order.order.symbol)
        if quote is None or order.order.stop_price:  # this toy has no stop orders
            self.say(order.order_id, orders_pb2.EXECUTION_TYPE_REJECTED)
            return
        self.working[order.order_id] = order
        self.say(order.order_id, orders_pb2.EXECUTION_TYPE_NEW)
        room = Decimal(order.order.limit_price or quote) - Decimal(quote)
        if (room if order.order.side == common_pb2.SIDE_BUY else -room) >= 0:
            self.fill(order.order_id, order.leaves_quantity, quote)

    async def cancel(self, order_id: str) -> None:
        """Cancel what still works; what does not is too late to cancel."""
        gone = self.working.pop(order_id, None) is None
        self.say(order_id, orders_pb2.EXECUTION_TYPE_CANCEL_REJECTED if gone else orders_pb2.EXECUTION_TYPE_CANCELED)

    def fill(self, order_id: str, quantity: str, price: str) -> None:
        """Fill an order, or a part of it."""
        left = Decimal(self.working[order_id].leaves_quantity) - Decimal(quantity)
        self.working[order_id].leaves_quantity = str(left)
        if not left:
            del self.working[order_id]
        self.say(order_id, orders_pb2.EXECUTION_TYPE_TRADE, quantity, price, fee="0.01")

    def say(
        self,
        order_id: str,
        kind: orders_pb2.ExecutionType.ValueType,
        quantity: str = "",
        price: str = "",
        fee: str = "",
    ) -> None:
        """Report, under an id that no other report of this account has."""
        told = self.known.setdefault(order_id, [])
        execution = orders_pb2.Execution(
            execution_id=f"{order_id}-{len(told)}",
            execution_type=kind,
            order_id=order_id,
            last_quantity=quantity,
            last_price=price,
            fee=fee,
        )
        told.append(execution)
        self.news.put_nowait(execution)


class Adapter:
    """Carries orders from the gate to the broker, and what the broker did back to the gate."""

    def __init__(self, gate: AdapterClient, broker: ToyBroker) -> None:
        """Connect a broker to the gate."""
        self.gate = gate
        self.broker = broker

    async def run(self) -> None:
        """Work until the gateway goes away; then begin anew, with what the broker did meanwhile."""
        while True:
            try:
                await self.recover()
                async with asyncio.TaskGroup() as group:
                    group.create_task(self.follow_orders())
                    group.create_task(self.forward_news())
                    group.create_task(self.publish_quotes())
            except* grpc.aio.AioRpcError as errors:
                if not all(is_away(error) for error in errors.exceptions):
                    raise  # a mistake, which repeating does not mend
                print(f"gateway away: {errors.exceptions[0]}", file=sys.stderr)
                await asyncio.sleep(PAUSE_S)

    async def recover(self) -> None:
        """Tell again all that the broker did to orders that the gate believes working."""
        working = [order async for order in self.gate.working_orders()]
        await self.report([done for order in working for done in self.broker.known.get(order.order_id, [])])

    async def follow_orders(self) -> None:
        """Claim what is to be sent, then send it; have canceled what is to be canceled; replace nothing."""
        async for message in self.gate.watch():
            orders = [entry.send for entry in message.instructions if entry.HasField("send")]
            for order, claim in zip(orders, await self.gate.claim(orders), strict=True):
                if claim.outcome == orders_pb2.CLAIM_OUTCOME_REFUSED:
                    print(f"not sent: {claim.reason_code}: {claim.reason}", file=sys.stderr)
                elif order.order_id not in self.broker.known:  # claimed before, it may have been sent: ask first
                    await self.broker.place(order)
            for order in [entry.cancel for entry in message.instructions if entry.HasField("cancel")]:
                if order.order_id in self.broker.known:
                    await self.broker.cancel(order.order_id)
                else:
                    await self.report([never_sent(order)])
            replaces = [entry.replace for entry in message.instructions if entry.HasField("replace")]
            await self.report([not_replaced(order) for order in replaces])

    async def forward_news(self) -> None:
        """Report what the broker does, as it does it."""
        while True:
            await self.report([await self.broker.news.get()])

    async def publish_quotes(self) -> None:
        """Keep the gate's prices fresh: without one it refuses every order."""
        while True:
            now = Timestamp()
            now.GetCurrentTime()
            prices = [market_data_pb2.Price(symbol=s, price=p, time=now) for s, p in self.broker.quotes.items()]
            try:
                await self.gate.client.market_data.PublishPrices(market_data_pb2.PublishPricesRequest(prices=prices))
            except grpc.aio.AioRpcError as error:
                if refusal_of(error).reason != Reason.PRICE_OUT_OF_ORDER:  # another source was quicker: no loss
                    raise
            await asyncio.sleep(QUOTES_PERIOD_S)

    async def report(self, executions: list[orders_pb2.Execution]) -> None:
        """Report, and do not let an execution pass that the gate would not book."""
        places = await self.gate.report(executions)
        for execution, place in zip(executions, places, strict=True):
            if not place:
                print(f"not booked, its id was used before: {execution}", file=sys.stderr)


def never_sent(order: orders_pb2.Order) -> orders_pb2.Execution:
    """Report an order canceled that the broker never had."""
    canceled = orders_pb2.EXECUTION_TYPE_CANCELED
    return orders_pb2.Execution(
        execution_id=f"{order.order_id}-never-sent", execution_type=canceled, order_id=order.order_id
    )


def not_replaced(order: orders_pb2.Order) -> orders_pb2.Execution:
    """Report that the order works on as it was: this broker replaces nothing."""
    number = zlib.crc32(order.replacement.client_order_id.encode())
    return orders_pb2.Execution(
        execution_id=f"{order.order_id}-not-replaced-{number}",
        execution_type=orders_pb2.EXECUTION_TYPE_REPLACE_REJECTED,
        order_id=order.order_id,
    )


async def main() -> None:
    """Run until ended; together with the parent, when asked to."""
    parser = argparse.ArgumentParser(description="A minimal adapter for Tidegate.")
    parser.add_argument("--address", default="127.0.0.1:50051")
    parser.add_argument("--adapter", default="broker")
    parser.add_argument("--account", default="demo")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when standard input is closed")
    options = parser.parse_args()
    if options.exit_with_parent:
        end_with_parent()
    async with AsyncClient(options.address) as client:
        gate = AdapterClient(client, name=options.adapter, account=options.account)
        print(f"adapter {options.adapter} works for the gate at {options.address}", flush=True)
        await Adapter(gate, ToyBroker({"AAA": "100.00"})).run()


if __name__ == "__main__":
    asyncio.run(main())
