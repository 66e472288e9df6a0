"""A day at the desk: many orders with fills and cancels through the gate, and memory that stays flat."""

import gc
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from gateway.testing import DEFAULT_PORTFOLIO
from tidegate.gate import Gate, Request
from tidegate.journal.sqlite import SqliteJournal
from tidegate.permissions import INTERNAL
from tidegate.times import NS_PER_S
from tidegate.v1 import common_pb2, market_data_pb2, orders_pb2

BATCH = 500
GROWTH_MAX = 1.05


class Clock:
    """A clock that the test moves: one second every so many orders."""

    def __init__(self) -> None:
        """Begin on a day of 2023."""
        self.now_ns = 1_700_000_000 * NS_PER_S

    def __call__(self, _command: object, _newest_ns: int) -> int:
        return self.now_ns


def memory_bytes() -> int:
    """Return what this process holds in memory."""
    gc.collect()
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def asked(number: int) -> orders_pb2.NewOrder:
    """Write an order: buys and sells by turns, so that the position stays small."""
    return orders_pb2.NewOrder(
        strategy_id="desk",
        client_order_id=f"d{number}",
        symbol="AAA",
        side=common_pb2.SIDE_SELL if number % 2 else common_pb2.SIDE_BUY,
        order_type=common_pb2.ORDER_TYPE_MARKET,
        quantity="1",
        route="broker",
    )


def day(gate: Gate, clock: Clock, orders: int) -> Iterator[int]:
    """Trade: each batch is submitted, then filled or canceled; yield how many orders were decided."""
    for start in range(0, orders, BATCH):
        clock.now_ns += NS_PER_S
        price = market_data_pb2.Price(symbol="AAA", price="100")
        price.time.seconds = clock.now_ns // NS_PER_S
        submit = orders_pb2.SubmitOrdersRequest(orders=map(asked, range(start, start + BATCH)))
        marks, decided = gate.process(
            [
                Request("PublishPrices", market_data_pb2.PublishPricesRequest(prices=[price]).SerializeToString()),
                Request("SubmitOrders", submit.SerializeToString()),
            ]
        ).replies
        assert not marks.reason
        report = orders_pb2.ReportExecutionsRequest(account="a", adapter="broker")
        for decision in orders_pb2.SubmitOrdersResponse.FromString(decided.body).decisions:
            assert decision.order_id, decision.reason
            execution = report.executions.add(execution_id=f"x{decision.order_id}", order_id=decision.order_id)
            # Pairs, so that what is bought is sold.
            if int(decision.order_id) // 2 % 4:
                execution.execution_type = orders_pb2.EXECUTION_TYPE_TRADE
                execution.last_quantity, execution.last_price = "1", "100"
            else:
                execution.execution_type = orders_pb2.EXECUTION_TYPE_CANCELED
        (reported,) = gate.process([Request("ReportExecutions", report.SerializeToString())]).replies
        assert not reported.reason, reported.text
        yield start + BATCH


def live(tmp_path: Path, orders: int) -> float:
    """Live through a day; return by what factor memory grew over its second half."""
    clock = Clock()
    gate = Gate(SqliteJournal(tmp_path / "journal.db"), clock)
    gate.start(DEFAULT_PORTFOLIO.to_wire())
    halfway = 0
    for done in day(gate, clock, orders):
        if done == orders // 2:
            halfway = memory_bytes()
    grown = memory_bytes() / halfway
    assert 0 == len(gate.engine.book.orders)
    gate.journal.close()
    return grown


def test_memory_is_flat_over_many_orders(tmp_path: Path) -> None:
    """Pins that nothing is kept of an order that is done."""
    assert live(tmp_path, 20_000) <= GROWTH_MAX


@pytest.mark.long
@pytest.mark.timeout(900)
def test_memory_is_flat_over_a_million_orders(tmp_path: Path) -> None:
    """The day itself."""
    grown = live(tmp_path, 1_000_000)
    size = (tmp_path / "journal.db").stat().st_size
    print(f"memory grew by {(grown - 1):.2%} over the second half; {size / 1_000_000:,.0f} bytes of journal an order")  # noqa: T201 -- figures for the docs
    assert grown <= GROWTH_MAX


@pytest.mark.control("bounded-records")
def test_a_runaway_sender_cannot_fill_the_disk(tmp_path: Path) -> None:
    """A loop that is refused 100,000 times leaves a few hundred events: a hundred a second, then one count."""
    clock = Clock()
    gate = Gate(SqliteJournal(tmp_path / "journal.db"), clock)
    gate.start(DEFAULT_PORTFOLIO.to_wire())
    numbers = iter(range(100_000))
    while batch := list(islice(numbers, BATCH)):
        clock.now_ns += NS_PER_S // 20
        submit = orders_pb2.SubmitOrdersRequest(orders=map(asked, batch))
        gate.process([Request("SubmitOrders", submit.SerializeToString())])  # nothing has a price
    clock.now_ns += NS_PER_S
    gate.process([Request("AdvanceTime", b"", INTERNAL)])
    events = list(gate.journal.read(0))
    recorded = sum(event.HasField("order_decided") for event in events)
    counted = sum(event.refusals_counted.count for event in events)
    assert 100_000 == recorded + counted
    assert len(events) < 1_500
    gate.journal.close()
