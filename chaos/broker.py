"""The adapter of a run with real processes: it fills what is routed to it, and logs what it was told."""

import argparse
import asyncio
import random
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import grpc

from chaos.clients import FIRST_PRICES
from chaos.records import EXECUTION, Log
from gateway.adapter_client import AdapterClient, end_with_parent
from gateway.client import AsyncClient
from gateway.status import is_away
from tidegate.v1 import orders_pb2

_ACCOUNT = "paper"


class Broker:
    """
    Claims, acknowledges and fills at once.

    What it does with an order follows from the order's id alone, so that a killed one goes on as if nothing had been.
    """

    def __init__(self, gate: AdapterClient, log: Log) -> None:
        """Speak in an adapter's name."""
        self._gate = gate
        self._log = log

    async def run(self) -> None:
        """Do what is to be done, until ended; what the gate says again is done again, under the same ids."""
        while True:
            try:
                async for message in self._gate.watch():
                    await self._follow(message)
            except grpc.aio.AioRpcError as error:
                if not is_away(error):
                    raise
                await asyncio.sleep(0.2)

    async def _follow(self, message: orders_pb2.WatchOrdersResponse) -> None:
        sends = [entry.send for entry in message.instructions if entry.HasField("send")]
        claims = await self._gate.claim(sends)
        pairs = zip(sends, claims, strict=True)
        taken = [order for order, claim in pairs if claim.outcome != orders_pb2.CLAIM_OUTCOME_REFUSED]
        executions = [one for order in taken for one in _fate(order)]
        executions += [_cancel(entry.cancel) for entry in message.instructions if entry.HasField("cancel")]
        if executions:
            await self._report(executions)

    async def _report(self, executions: Sequence[orders_pb2.Execution]) -> None:
        self._log.asked((EXECUTION, f"{_ACCOUNT} {one.execution_id}") for one in executions)
        sequences = await self._gate.report(executions)
        self._log.answered(
            (EXECUTION, f"{_ACCOUNT} {one.execution_id}", sequence, one.SerializeToString(), b"")
            for one, sequence in zip(executions, sequences, strict=True)
        )


def _fate(order: orders_pb2.Order) -> list[orders_pb2.Execution]:
    """Acknowledge an order and fill it, whole or by half."""
    rng = random.Random(order.order_id)  # noqa: S311 -- the same for the same order
    quantity = Decimal(order.order.quantity)
    filled = quantity if rng.random() < 0.8 or quantity < 2 else quantity // 2
    fill = orders_pb2.Execution(
        execution_id=f"{order.order_id}-fill",
        execution_type=orders_pb2.EXECUTION_TYPE_TRADE,
        order_id=order.order_id,
        last_quantity=str(filled),
        last_price=str(FIRST_PRICES[order.order.symbol] + Decimal(rng.randint(-50, 50)) / 100),
        fee="0.01",
    )
    new = orders_pb2.Execution(
        execution_id=f"{order.order_id}-new", execution_type=orders_pb2.EXECUTION_TYPE_NEW, order_id=order.order_id
    )
    return [new, fill] if filled == quantity else [new, fill, _cancel(order)]


def _cancel(order: orders_pb2.Order) -> orders_pb2.Execution:
    return orders_pb2.Execution(
        execution_id=f"{order.order_id}-end",
        execution_type=orders_pb2.EXECUTION_TYPE_CANCELED,
        order_id=order.order_id,
    )


async def main() -> None:
    """Run as ``tidegate run`` starts an adapter."""
    parser = argparse.ArgumentParser(description="The broker of a chaos run.")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--adapter", required=True)
    parser.add_argument("--exit-with-parent", action="store_true")
    options = parser.parse_args()
    if options.exit_with_parent:
        end_with_parent()
    async with AsyncClient(options.address) as client:
        gate = AdapterClient(client, name=options.adapter, account=_ACCOUNT)
        await Broker(gate, Log(options.log)).run()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
