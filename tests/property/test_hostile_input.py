"""Hostile bytes: whatever arrives is answered, the gate goes on, and what the door refused leaves no trace."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property import garbage
from tests.property.day import day, with_one_odd_field
from tests.property.rig import (
    DOOR_REASONS,
    RECORDED_REASONS,
    STRICT,
    SYMBOLS,
    close_gate,
    event_bytes,
    open_gate,
    replay_fresh,
    request,
    scratch,
)
from tests.property.wire import FIRST_PRICES
from tidegate.gate import Gate, Reply, Request
from tidegate.history import HISTORY, read_past
from tidegate.journal.reports import ReportFile, ReportStore, beside
from tidegate.journal.sqlite import SqliteJournal
from tidegate.reasons import Reason
from tidegate.v1 import common_pb2, market_data_pb2, orders_pb2, risk_pb2
from tidegate.views import conservation


def seed() -> list[Request]:
    """Begin a day: a bar, and two orders of which one is routed."""
    bar = market_data_pb2.PublishBarsRequest(
        bars=[market_data_pb2.Bar(symbol=symbol, close=FIRST_PRICES[symbol]) for symbol in SYMBOLS]
    )
    bar.time.seconds = 1_000_000_000
    orders = [
        orders_pb2.NewOrder(
            strategy_id="saver",
            client_order_id=f"seed-{number}",
            symbol="ONE",
            side=common_pb2.SIDE_BUY,
            order_type=common_pb2.ORDER_TYPE_MARKET,
            quantity="10",
            route=route,
        )
        for number, route in enumerate(("paper", ""), start=1)
    ]
    return [
        request("PublishBars", bar),
        request("SubmitOrders", orders_pb2.SubmitOrdersRequest(orders=orders)),
    ]


@contextmanager
def seeded() -> Iterator[tuple[Gate, Path]]:
    """Open a gate in the middle of a day, and in the end open it again: what it journaled can be replayed."""
    with scratch() as folder:
        path = Path(folder) / "journal.db"
        gate = open_gate(path, STRICT)
        gate.process(seed())
        store = ReportStore(beside(path, path.parent))
        store.add(2, 0, risk_pb2.RiskReport(end_sequence=2).SerializeToString())
        store.close()
        yield gate, Path(folder)
        digests = [strategy.ledger.digest() for strategy in gate.engine.book.strategies.values()]
        recorded = event_bytes(gate)
        close_gate(gate)
        again = open_gate(path, STRICT)
        assert [strategy.ledger.digest() for strategy in again.engine.book.strategies.values()] == digests
        assert event_bytes(again) == recorded
        close_gate(again)


def answer(gate: Gate, one: Request) -> Reply:
    """Have one request answered as a port does: the past from the journal, all else by the gate."""
    if one.method in HISTORY:
        journal = gate.journal
        assert isinstance(journal, SqliteJournal)
        return read_past(journal, one, ReportFile(beside(journal._path, journal._path.parent)))
    batch = gate.process([one])
    assert not batch.failures, batch.failures
    (reply,) = batch.replies
    return reply


def check_answered(gate: Gate, one: Request) -> None:
    """Send one request: a valid reply or a documented reason, and no trace of what the door refused."""
    head = gate.journal.head()
    reply = answer(gate, one)
    if one.method not in garbage.REQUEST_TYPES:
        assert reply.reason == Reason.METHOD_UNKNOWN
    if reply.reason:
        assert reply.reason in DOOR_REASONS | RECORDED_REASONS
        assert reply.text
        assert reply.body == b""
    if reply.reason in DOOR_REASONS or one.method in garbage.READS:
        assert gate.journal.head() == head
    assert conservation(gate.engine.book).difference == "0"


@given(st.lists(st.one_of(garbage.raw(), garbage.damaged()), min_size=1, max_size=10))
def test_random_bytes_are_answered_and_leave_no_trace(requests: list[Request]) -> None:
    """No bytes, for any method, raise; a refusal at the door changes nothing."""
    with seeded() as (gate, _):
        for one in requests:
            check_answered(gate, one)


@pytest.mark.control("well-formed")
@given(st.lists(garbage.structured(), min_size=1, max_size=10))
def test_garbage_in_any_field_is_answered_and_leaves_no_trace(requests: list[Request]) -> None:
    """No value in any field raises; a refusal at the door changes nothing."""
    with seeded() as (gate, _):
        for one in requests:
            check_answered(gate, one)


@given(st.lists(st.one_of(garbage.structured(), garbage.damaged(), garbage.raw()), min_size=1, max_size=12))
def test_garbage_is_journaled_the_same_however_it_is_batched(requests: list[Request]) -> None:
    """Batch borders change no event, also when half of a batch is garbage."""
    with seeded() as (gate, folder):
        gate.process(requests)
        alone, _ = replay_fresh(folder / "alone.db", [*seed(), *requests], 1, configuration=STRICT)
        assert alone == event_bytes(gate)


def test_the_day_touches_every_method_and_is_good() -> None:
    """What the next test makes odd is in order before; otherwise it would be refused for another reason."""
    with seeded() as (gate, _):
        refused = [(one.method, reply) for one in day() if (reply := answer(gate, one)).reason]
    assert [] == refused
    assert garbage.REQUEST_TYPES.keys() == {one.method for one in day()}


@given(st.data())
def test_one_odd_field_anywhere_in_a_good_day_is_answered(data: st.DataObject) -> None:
    """Deep in a day, where the rest of a request is right, a field that hardly fits is refused or borne."""
    requests = day()
    places = data.draw(st.lists(st.integers(0, len(requests) - 1), min_size=1, max_size=8))
    with seeded() as (gate, _):
        for place, one in enumerate(requests):
            for _ in range(places.count(place)):
                check_answered(gate, data.draw(with_one_odd_field(one)))
            check_answered(gate, one)
