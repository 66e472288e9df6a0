"""
A paper broker: an adapter in the form a user would write it, an ordinary client of the gateway.

It watches the orders routed to it, claims them, reports them NEW, and fills them at the next bar's close, with slippage
and commission. What it draws by lot depends on the seed, the order and the bar alone, so that it keeps nothing: after a
restart it asks the gate what works, and goes on as if nothing had happened.
"""

import argparse
import asyncio
import random
import sys
import zlib
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

import grpc

from gateway.adapter_client import AdapterClient, end_with_parent
from gateway.client import AsyncClient
from gateway.credentials import add_credential_options
from gateway.status import is_away
from tidegate.numbers import plain
from tidegate.v1 import common_pb2, market_data_pb2, orders_pb2

BASIS_POINTS = Decimal(10_000)
PRICE_DIGITS = Decimal("0.0001")
FEE_DIGITS = Decimal("0.01")
FOR_ONE_BAR = {
    common_pb2.TIME_IN_FORCE_UNSPECIFIED: orders_pb2.EXECUTION_TYPE_EXPIRED,
    common_pb2.TIME_IN_FORCE_DAY: orders_pb2.EXECUTION_TYPE_EXPIRED,
    common_pb2.TIME_IN_FORCE_IOC: orders_pb2.EXECUTION_TYPE_CANCELED,
    common_pb2.TIME_IN_FORCE_FOK: orders_pb2.EXECUTION_TYPE_CANCELED,
}


class PaperBroker:
    """The broker's side of every order that works: nothing but the order, and the bars it waits for."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Take the command line's options."""
        self.options = options
        self.working: dict[str, orders_pb2.Order] = {}
        self.bar_sequence = 0

    def accept(self, order: orders_pb2.Order) -> orders_pb2.Execution:
        """Take a new order, or reject it by lot."""
        if self._lot("reject", order) < self.options.reject:
            return self._execution(order, orders_pb2.EXECUTION_TYPE_REJECTED, "reject", text="rejected by lot")
        self.keep(order)
        return self._execution(order, orders_pb2.EXECUTION_TYPE_NEW, "new")

    def keep(self, order: orders_pb2.Order) -> None:
        """Work an order from the next bar on."""
        self.working[order.order_id] = order

    def cancel(self, order: orders_pb2.Order) -> orders_pb2.Execution:
        """Cancel an order, known here or not: what never came here is as good as canceled."""
        self.working.pop(order.order_id, None)
        return self._execution(order, orders_pb2.EXECUTION_TYPE_CANCELED, "cancel")

    def replace(self, order: orders_pb2.Order) -> orders_pb2.Execution:
        """Work an order as it is to be replaced; one that is done, or filled further than that, works on as it was."""
        new, working = order.replacement, self.working.get(order.order_id)
        number = zlib.crc32(new.client_order_id.encode())
        left = Decimal(0)
        if working is not None:
            left = Decimal(working.leaves_quantity) + Decimal(new.quantity) - Decimal(working.order.quantity)
        if working is None or left <= 0:
            return self._execution(order, orders_pb2.EXECUTION_TYPE_REPLACE_REJECTED, f"not-replaced-{number}")
        working.leaves_quantity = plain(left)
        working.order.quantity, working.order.limit_price = new.quantity, new.limit_price
        working.order.stop_price = new.stop_price
        return self._execution(order, orders_pb2.EXECUTION_TYPE_REPLACED, f"replaced-{number}")

    def fill(self, bar: market_data_pb2.WatchBarsResponse) -> list[orders_pb2.Execution]:
        """Fill what works at the bar's close."""
        at = bar.time.ToJsonString()
        closes = {entry.symbol: Decimal(entry.close) for entry in bar.bars}
        executions = []
        for order in sorted(self.working.values(), key=lambda order: int(order.order_id)):
            close = closes.get(order.order.symbol)
            if close is None:
                continue
            if self._lot(f"delay {at}", order) >= self.options.delay:
                execution = self._trade(order, close, bar)
                executions += [execution] if execution is not None else []
                if execution is not None and self._lot(f"duplicate {at}", order) < self.options.duplicate:
                    executions.append(execution)
            if order.order_id in self.working and order.order.time_in_force in FOR_ONE_BAR:
                del self.working[order.order_id]
                executions.append(self._execution(order, FOR_ONE_BAR[order.order.time_in_force], "end"))
        return executions

    def _trade(
        self, order: orders_pb2.Order, close: Decimal, bar: market_data_pb2.WatchBarsResponse
    ) -> orders_pb2.Execution | None:
        buys, at = order.order.side == common_pb2.SIDE_BUY, bar.time.ToJsonString()
        slip = Decimal(str(self._lot(f"slip {at}", order))) * self.options.slippage_bp / BASIS_POINTS
        if order.order.stop_price:
            stop = Decimal(order.order.stop_price)
            if close < stop if buys else close > stop:
                return None
            order.order.stop_price = ""  # reached: from here on it is a market or a limit order
        price = (close * (1 + slip if buys else 1 - slip)).quantize(PRICE_DIGITS, rounding=ROUND_HALF_EVEN)
        if order.order.limit_price:
            limit = Decimal(order.order.limit_price)
            if close > limit if buys else close < limit:
                return None
            price = min(price, limit) if buys else max(price, limit)
        quantity = left = Decimal(order.leaves_quantity)
        whole = order.order.time_in_force == common_pb2.TIME_IN_FORCE_FOK
        if not whole and self._lot(f"partial {at}", order) < self.options.partial and left > 1:
            quantity = (left / 2).to_integral_value(rounding=ROUND_DOWN)
        order.leaves_quantity = plain(left - quantity)
        if quantity == left:
            del self.working[order.order_id]
        fee = (quantity * price * self.options.commission_bp / BASIS_POINTS).quantize(FEE_DIGITS)
        execution = self._execution(order, orders_pb2.EXECUTION_TYPE_TRADE, f"fill-{bar.bar_sequence}")
        execution.last_quantity, execution.last_price, execution.fee = plain(quantity), plain(price), plain(fee)
        execution.time.CopyFrom(bar.time)
        return execution

    def _execution(
        self, order: orders_pb2.Order, kind: orders_pb2.ExecutionType.ValueType, name: str, text: str = ""
    ) -> orders_pb2.Execution:
        """Report on an order; the same report always has the same id."""
        return orders_pb2.Execution(
            execution_id=f"{order.order_id}-{name}", execution_type=kind, order_id=order.order_id, text=text
        )

    def _lot(self, what: str, order: orders_pb2.Order) -> float:
        """Draw a number from 0 to 1 that is the same whenever the same thing is drawn for."""
        return random.Random(f"{self.options.seed} {what} {order.order.client_order_id}").random()  # noqa: S311 -- a simulation


class Adapter:
    """Carries messages between the gateway and the broker, one after the other."""

    def __init__(self, gate: AdapterClient, broker: PaperBroker) -> None:
        """Connect a broker to the gate."""
        self.gate = gate
        self.broker = broker
        self.bar_came = asyncio.Condition()

    async def run(self) -> None:
        """Watch orders and bars until the gateway goes away; then begin anew with what the gate says."""
        while True:
            try:
                await self.recover()
                async with asyncio.TaskGroup() as group:
                    group.create_task(self.watch_orders())
                    group.create_task(self.watch_bars())
            except* grpc.aio.AioRpcError as errors:
                if not all(is_away(error) for error in errors.exceptions):
                    raise  # a mistake, which repeating does not mend
                print(f"gateway away: {errors.exceptions[0]}", file=sys.stderr)
                await asyncio.sleep(0.2)

    async def recover(self) -> None:
        """Ask the gate which orders work here."""
        self.broker.working.clear()
        async for order in self.gate.working_orders():
            if not order.possibly_sent:
                self.broker.keep(order)

    async def watch_orders(self) -> None:
        """Claim and acknowledge what is to be sent, cancel and replace what is to be canceled and replaced."""
        async for message in self.gate.watch():
            async with self.bar_came:
                # The bar that came before these instructions is filled first, as it would be at an exchange.
                while self.broker.bar_sequence < message.bar_sequence:
                    await self.bar_came.wait()
                await self.follow(message)

    async def follow(self, message: orders_pb2.WatchOrdersResponse) -> None:
        """Do what one message asks for."""
        sends = [entry.send for entry in message.instructions if entry.HasField("send")]
        claims = await self.gate.claim(sends)
        # One claimed before a restart and never reported: this broker would know it, and does not.
        taken = (c.outcome != orders_pb2.CLAIM_OUTCOME_REFUSED for c in claims)
        executions = [self.broker.accept(order) for order, is_taken in zip(sends, taken, strict=True) if is_taken]
        executions += [self.broker.cancel(entry.cancel) for entry in message.instructions if entry.HasField("cancel")]
        replaces = (entry.replace for entry in message.instructions if entry.HasField("replace"))
        executions += [self.broker.replace(order) for order in replaces]
        await self.gate.report(executions)

    async def watch_bars(self) -> None:
        """Fill at each bar's close, and say that the bar is dealt with."""
        request = market_data_pb2.WatchBarsRequest(adapter=self.gate.name)
        async for bar in self.gate.client.market_data.WatchBars(request):
            async with self.bar_came:
                if bar.bars:
                    await self.gate.report(self.broker.fill(bar), bar_sequence=bar.bar_sequence)
                self.broker.bar_sequence = bar.bar_sequence
                self.bar_came.notify_all()


async def main(options: argparse.Namespace) -> None:
    """Run until ended; together with the parent, when asked to."""
    if options.exit_with_parent:
        end_with_parent()
    own = {"token": options.token, "ca": options.ca, "certificate": options.certificate, "key": options.key}
    async with AsyncClient(options.address, **own) as client:
        gate = AdapterClient(client, name=options.adapter, account=options.account)
        await Adapter(gate, PaperBroker(options)).run()


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="A paper broker for Tidegate.")
    parser.add_argument("--address", default="127.0.0.1:50051")
    parser.add_argument("--adapter", default="paper")
    parser.add_argument("--account", default="paper")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--slippage-bp", type=Decimal, default=Decimal(2), help="at most, in basis points")
    parser.add_argument("--commission-bp", type=Decimal, default=Decimal(1), help="of the value, in basis points")
    parser.add_argument("--partial", type=float, default=0.0, help="share of fills that are partial")
    parser.add_argument("--reject", type=float, default=0.0, help="share of orders rejected")
    parser.add_argument("--delay", type=float, default=0.0, help="share of fills that wait for another bar")
    parser.add_argument("--duplicate", type=float, default=0.0, help="share of fills that are reported twice")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when standard input is closed")
    add_credential_options(parser)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(parse_options()))
