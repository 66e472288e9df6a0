"""Prices and bars: time only goes forward, and what is malformed moves no mark."""

from decimal import Decimal
from pathlib import Path

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from tests.unit.builders import BUY, Desk, bar, configuration, stamp
from tidegate.gate import Gate, Request
from tidegate.journal.sqlite import SqliteJournal
from tidegate.times import to_ns
from tidegate.v1 import actors_pb2, market_data_pb2, orders_pb2


def prices(*entries: tuple[str, str, float]) -> market_data_pb2.PublishPricesRequest:
    """Write marks: symbol, price, day."""
    return market_data_pb2.PublishPricesRequest(
        prices=[market_data_pb2.Price(symbol=symbol, price=price, time=stamp(day)) for symbol, price, day in entries]
    )


def test_a_bar_marks_all_its_instruments_at_its_time(desk: Desk) -> None:
    """Pins marks and their times; what is not in the bar keeps its own."""
    desk.bar(2, A="101.123", B="51")
    assert {"A": Decimal("101.123"), "B": Decimal(51), "F": Decimal(20)} == desk.book.marks
    assert (to_ns(stamp(2)), to_ns(stamp(1))) == (desk.book.mark_times_ns["A"], desk.book.mark_times_ns["F"])


def test_the_newest_bar_again_is_answered_again(desk: Desk) -> None:
    """Pins that a retry publishes nothing twice."""
    sequence = desk.bar(2, A="101")
    recorded = len(desk.events())
    assert (sequence, recorded) == (desk.bar(2, A="101"), len(desk.events()))


@pytest.mark.parametrize("again", [bar(2, A="102"), bar(1, A="100", B="50", F="20"), bar(1.5, A="101")])
def test_a_bar_that_is_not_newer_is_refused(desk: Desk, again: market_data_pb2.PublishBarsRequest) -> None:
    """Pins monotonic time; the refusal is recorded, the mark stays."""
    desk.bar(2, A="101")
    assert "BAR_OUT_OF_ORDER" == desk.refusal("PublishBars", again)
    assert "BAR_OUT_OF_ORDER" == desk.events("command_refused")[-1].command_refused.reason_code
    assert Decimal(101) == desk.book.marks["A"]


def entry(**fields: str) -> market_data_pb2.PublishBarsRequest:
    """Write a bar of day 2 with one entry."""
    return market_data_pb2.PublishBarsRequest(time=stamp(2), bars=[market_data_pb2.Bar(**fields)])


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (entry(symbol="Z", close="1"), "INSTRUMENT_UNKNOWN"),
        (entry(symbol="", close="1"), "INSTRUMENT_UNKNOWN"),
        (entry(symbol="A"), "PRICE_INVALID"),
        (entry(symbol="A", close="0"), "PRICE_INVALID"),
        (entry(symbol="A", close="-1"), "PRICE_INVALID"),
        (entry(symbol="A", close="NaN"), "PRICE_INVALID"),
        (entry(symbol="A", close="9" * 40), "PRICE_INVALID"),
        (entry(symbol="A", close="1", high="inf"), "PRICE_INVALID"),
        (entry(symbol="A", close="1", volume="many"), "AMOUNT_INVALID"),
        (market_data_pb2.PublishBarsRequest(time=stamp(2), bars=[*bar(2, A="1").bars] * 2), "SYMBOL_REPEATED"),
        (market_data_pb2.PublishBarsRequest(time=stamp(2), bars=[*bar(2, A="1").bars] * 10_001), "BATCH_TOO_LARGE"),
        (market_data_pb2.PublishBarsRequest(), "TIME_INVALID"),
        (market_data_pb2.PublishBarsRequest(time=Timestamp(seconds=253_402_300_799)), "TIME_INVALID"),
        (market_data_pb2.PublishBarsRequest(time=Timestamp(seconds=1, nanos=-1)), "TIME_INVALID"),
    ],
    ids=[
        *("unknown", "no symbol", "no close", "zero", "negative", "NaN", "40 digits", "infinite", "volume"),
        *("repeated", "too many", "no time", "year 9999", "negative nanoseconds"),
    ],
)
def test_a_malformed_bar_is_refused_and_not_recorded(desk: Desk, request_: Message, expected: str) -> None:
    """Pins the reason of each, and that neither marks nor time move."""
    before = (dict(desk.book.marks), desk.book.time_ns, len(desk.events()))
    assert expected == desk.refusal("PublishBars", request_)
    assert before == (desk.book.marks, desk.book.time_ns, len(desk.events()))


def test_prices_of_one_message_apply_together(desk: Desk) -> None:
    """Pins that marks between bars revalue what is held, at their own times."""
    desk.hold("cash", "10", "100")
    desk.price(1.5, A="101", B="49")
    assert (Decimal(100_010), Decimal(49)) == (desk.book.equity, desk.book.marks["B"])
    assert to_ns(stamp(1.5)) == desk.book.mark_times_ns["A"]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([("B", "49", 1.5), ("A", "101", 0.5)], "PRICE_OUT_OF_ORDER"),
        ([("B", "49", 1.5), ("Z", "101", 1.5)], "INSTRUMENT_UNKNOWN"),
        ([("B", "49", 1.5), ("A", "0", 1.5)], "PRICE_INVALID"),
        ([("B", "49", 1.5)] * 10_001, "BATCH_TOO_LARGE"),
    ],
    ids=["older than the mark", "unknown", "zero", "too many"],
)
def test_one_bad_price_refuses_the_whole_message(
    desk: Desk, entries: list[tuple[str, str, float]], expected: str
) -> None:
    """Pins that no price of a refused message is taken."""
    assert expected == desk.refusal("PublishPrices", prices(*entries))
    assert Decimal(50) == desk.book.marks["B"]


@pytest.mark.parametrize(
    ("seconds", "expected"), [(5, ""), (6, "PRICE_OUT_OF_ORDER")], ids=["within the skew", "beyond the skew"]
)
@pytest.mark.parametrize("method", ["PublishBars", "PublishPrices"])
def test_a_price_from_the_future_is_refused(tmp_path: Path, method: str, seconds: int, expected: str) -> None:
    """Pins how far a source's clock may run ahead of ours."""
    now_s = stamp(1).seconds
    gate = Gate(SqliteJournal(tmp_path / "journal.db"), lambda _command, _newest_ns: now_s * 1_000_000_000)
    gate.start(configuration())
    day = 1 + seconds / 86_400
    request: Message = bar(day, A="100") if method == "PublishBars" else prices(("A", "100", day))
    (reply,) = gate.process([Request(method, request.SerializeToString())]).replies
    assert expected == reply.reason
    gate.journal.close()


def acknowledge(desk: Desk, bar_sequence: int) -> None:
    """Report that all executions up to a bar are in."""
    desk.report(bar_sequence=bar_sequence)


def test_an_adapter_acknowledges_a_bar_once_and_never_goes_back(desk: Desk) -> None:
    """Pins that only a newer acknowledgement is recorded."""
    first, second = desk.book.last_bar_sequence, desk.bar(2, A="100")
    for sequence in (second, second, first):
        acknowledge(desk, sequence)
    assert ({"paper": second}, 1) == (desk.book.acknowledged_bars, len(desk.events("bar_acknowledged")))


def complete(desk: Desk, bar_sequence: int, *orders: orders_pb2.NewOrder) -> str:
    """Complete a bar as the allocator does; return the reason of a refusal."""
    request = actors_pb2.CompleteBarRequest(
        bar_sequence=bar_sequence, seen_sequence=desk.book.sequence, strategy_ids=["cash"], orders=orders
    )
    return desk.refusal("CompleteBar", request)


def test_bars_are_completed_in_their_order_and_once(desk: Desk) -> None:
    """Pins that a retry changes nothing, and that no bar is left out."""
    first, second = desk.book.last_bar_sequence, desk.bar(2, A="100")
    assert "BAR_UNKNOWN" == complete(desk, second)
    assert "" == complete(desk, first)
    assert "" == complete(desk, first, desk.order("cash", BUY, "1", "A"))
    assert (1, 0) == (len(desk.events("bar_completed")), len(desk.events("order_decided")))
    assert "" == complete(desk, second)
    assert "BAR_UNKNOWN" == complete(desk, second + 5)


def test_a_bars_faults_pause_before_its_orders_are_decided(desk: Desk) -> None:
    """Pins that a late strategy's orders are void, and its ledger's difference halts it."""
    fault = actors_pb2.StrategyFault(strategy_id="cash", reason_code="LEDGER_DIFFERS", reason="differs")
    request = actors_pb2.CompleteBarRequest(
        bar_sequence=desk.book.last_bar_sequence,
        seen_sequence=desk.book.sequence,
        faults=[fault],
        orders=[desk.order("cash", BUY, "1", "A"), desk.order("margin", BUY, "1", "A")],
    )
    decisions = desk.ask("CompleteBar", request, actors_pb2.CompleteBarResponse).decisions
    assert ["TRADING_HALTED", ""] == [decision.reason_code for decision in decisions]
    assert "tidegate" == desk.book.pauses["cash"].operator


@pytest.mark.parametrize("waits_for", ["the report on the bar", "the report on an order"])
def test_the_strategies_wait_for_the_synchronised_adapter(desk: Desk, waits_for: str) -> None:
    """Pins that a bar is given out once its executions are in and every routed order is confirmed."""
    order_id = desk.buy("cash", "1").order_id
    sequence = desk.book.last_bar_sequence
    reports = [[desk.execution(order_id, orders_pb2.EXECUTION_TYPE_NEW)], []]
    numbers = [0, sequence]
    if waits_for == "the report on an order":
        reports, numbers = reports[::-1], numbers[::-1]
    for executions, number in zip(reports, numbers, strict=True):
        assert 0 == desk.ask("NextBar", actors_pb2.NextBarRequest(), actors_pb2.BarUpdate).sequence
        desk.report(*executions, bar_sequence=number)
    update = desk.ask("NextBar", actors_pb2.NextBarRequest(), actors_pb2.BarUpdate)
    assert (desk.book.sequence, sequence) == (update.sequence, update.bar.sequence)
    own = {entry.strategy_id: [e.WhichOneof("body") for e in entry.events] for entry in update.strategies}
    assert {"cash": ["order_decided", "execution_booked"], "margin": []} == own


def test_a_bar_is_settled_when_completed_and_its_orders_are_confirmed(desk: Desk) -> None:
    """Pins what a publisher of bars waits for."""
    sequence = desk.book.last_bar_sequence
    request = market_data_pb2.AwaitBarRequest(bar_sequence=sequence)

    def settled() -> int:
        return desk.ask("AwaitBar", request, market_data_pb2.AwaitBarResponse).sequence

    assert 0 == settled()
    assert "" == complete(desk, sequence, desk.order("cash", BUY, "1", "A"))
    assert 0 == settled()
    (order_id,) = desk.book.orders
    desk.report(desk.execution(order_id, orders_pb2.EXECUTION_TYPE_NEW))
    assert desk.book.sequence == settled()


def test_an_adapter_that_begins_to_watch_gets_the_bar_it_owes(desk: Desk) -> None:
    """Pins that a reconnecting adapter sees the newest bar until it has reported on it."""

    def watched(adapter: str) -> market_data_pb2.WatchBarsResponse:
        request = market_data_pb2.WatchBarsRequest(adapter=adapter)
        return desk.ask("WatchBars", request, market_data_pb2.WatchBarsResponse)

    assert (3, 0) == (len(watched("paper").bars), len(watched("").bars))
    acknowledge(desk, desk.book.last_bar_sequence)
    assert (0, desk.book.last_bar_sequence) == (len(watched("paper").bars), watched("paper").bar_sequence)


def test_a_bar_without_prices_is_refused(desk: Desk) -> None:
    """Pins that no bar is published that its adapters would never see."""
    request = market_data_pb2.PublishBarsRequest(time=stamp(2))
    assert "BAR_EMPTY" == desk.refusal("PublishBars", request)
