"""The durable past: page by page, complete, and harmless whatever is asked."""

import pytest
from google.protobuf.message import Message

from tests.callers import caller_of
from tests.unit.builders import BUY, Desk, bar, instrument_scope
from tidegate.gate import Request
from tidegate.history import HISTORY, read_past
from tidegate.journal.contract import ALERTS_TOPIC, BARS_TOPIC, link
from tidegate.publications import alerts_message, bar_message
from tidegate.v1 import actors_pb2, admin_pb2, journal_pb2, market_data_pb2, risk_pb2


def read(desk: Desk, method: str, request: Message) -> bytes:
    """Ask the past; it must not refuse."""
    reply = read_past(desk.gate.journal, Request(method, request.SerializeToString(), caller_of(method)))
    assert reply.reason == "", reply.text
    return reply.body


def journal_page(desk: Desk, after: int = 0, size: int = 0) -> admin_pb2.ReadJournalResponse:
    """Read a page as an auditor."""
    request = admin_pb2.ReadJournalRequest(after_sequence=after, page_size=size)
    return admin_pb2.ReadJournalResponse.FromString(read(desk, "ReadJournal", request))


def topic_page(desk: Desk, topic: str, after: int = 0) -> list[tuple[int, bytes]]:
    """Read a page of a stream."""
    request = actors_pb2.ReadTopicRequest(topic=topic, after_sequence=after)
    response = actors_pb2.ReadTopicResponse.FromString(read(desk, "ReadTopic", request))
    return [(message.sequence, message.body) for message in response.messages]


def history_page(desk: Desk, strategy_id: str, after: int, up_to: int) -> actors_pb2.ReadHistoryResponse:
    """Read what a strategy missed."""
    request = actors_pb2.ReadHistoryRequest(strategy_id=strategy_id, after_sequence=after, up_to_sequence=up_to)
    return actors_pb2.ReadHistoryResponse.FromString(read(desk, "ReadHistory", request))


@pytest.mark.control("records")
def test_an_auditor_reads_every_event_byte_for_byte(desk: Desk) -> None:
    """Pins pages without gap or overlap, their end, and that the chain's hash can be computed from them alone."""
    for _ in range(5):
        desk.buy("cash", "1")
    stored: list[bytes] = []
    page = journal_page(desk, 0, 2)
    while page.events:
        assert len(page.events) <= 2
        stored += page.events
        page = journal_page(desk, page.next_after_sequence, 2)
    assert [event.SerializeToString() for event in desk.events()] == stored
    head = desk.gate.journal.head()
    assert (head.sequence, head.sequence, head.hash) == (page.next_after_sequence, page.head_sequence, page.head_hash)
    recomputed = bytes(32)
    for body in stored:
        recomputed = link(recomputed, 1, [body])
    assert head.hash == recomputed


@pytest.mark.parametrize("after", [1_000, 2**63 - 1, 2**63, 2**64 - 1])
def test_behind_the_head_there_is_nothing(desk: Desk, after: int) -> None:
    """Pins that a place of any size is answered, and leads back to the head."""
    page = journal_page(desk, after)
    assert ([], desk.book.sequence) == (list(page.events), page.next_after_sequence)
    assert [] == topic_page(desk, BARS_TOPIC, after) == list(history_page(desk, "cash", after, 2**64 - 1).events)


@pytest.mark.parametrize(("size", "expected"), [(0, 1_000), (1, 1), (5_000, 5_000), (2**32 - 1, 5_000)])
def test_a_page_of_the_journal_is_bounded_in_events(desk: Desk, size: int, expected: int) -> None:
    """Pins the default and the largest page."""
    prices = [market_data_pb2.PublishPricesRequest() for _ in range(5_100)]
    desk.gate.process([Request("PublishPrices", message.SerializeToString()) for message in prices])
    page = journal_page(desk, 0, size)
    assert (expected, expected) == (len(page.events), page.next_after_sequence)


def test_a_page_of_the_journal_is_bounded_in_bytes(desk: Desk) -> None:
    """Pins that no page outgrows a message, that a large event is still given, and that pages lose nothing."""
    large = market_data_pb2.PublishPricesRequest()
    for _ in range(9_000):
        large.prices.add(symbol="A", price="100.12345678").time.seconds = 1_641_168_000
    for _ in range(12):
        desk.ask("PublishPrices", large, market_data_pb2.PublishPricesResponse)
    sizes, after = [], 0
    while after < desk.book.sequence:
        page = journal_page(desk, after, 5_000)
        sizes.append(len(page.events))
        assert page.ByteSize() < 4 * 1024 * 1024
        after = page.next_after_sequence
    assert len(sizes) > 1
    assert desk.book.sequence == sum(sizes)


def test_a_stream_reads_its_own_topic_again(desk: Desk) -> None:
    """Pins that bars and alerts come as they were published, in order, after the place that is named."""
    first = desk.book.last_bar_sequence
    second = desk.bar(2, A="101")
    desk.halt(instrument_scope("A"))
    desk.buy("margin", "1", "B")
    orphan = desk.trade("", "1", "1")
    orphan.symbol, orphan.side = "B", BUY
    desk.report(orphan)
    events = {event.sequence: event for event in desk.events()}
    bars = topic_page(desk, BARS_TOPIC)
    assert [first, second] == [sequence for sequence, _ in bars]
    assert (
        bar_message(bar(2, A="101"), second, second).SerializeToString()
        == bars[1][1]
        == topic_page(desk, BARS_TOPIC, first)[0][1]
    )
    alerts = topic_page(desk, ALERTS_TOPIC)
    assert [alert.sequence for alert in desk.alerts()[::-1]] == [sequence for sequence, _ in alerts]
    for sequence, body in alerts:
        assert alerts_message([events[sequence]], sequence).SerializeToString() == body
    (last,) = risk_pb2.WatchAlertsResponse.FromString(alerts[-1][1]).alerts
    assert desk.alerts()[0] == last
    assert (
        [] == topic_page(desk, "orders/paper") == topic_page(desk, "") == topic_page(desk, ALERTS_TOPIC, last.sequence)
    )


def test_a_stream_reads_on_where_a_page_ended(desk: Desk) -> None:
    """Pins a hundred messages a page, and that following pages lose none."""
    sequences = [desk.book.last_bar_sequence] + [desk.bar(1 + day / 1_000, A="100") for day in range(1, 250)]
    found: list[int] = []
    while page := topic_page(desk, BARS_TOPIC, found[-1] if found else 0):
        assert len(page) <= 100
        found += [sequence for sequence, _ in page]
    assert sequences == found


def test_a_strategy_reads_every_bar_and_its_own_events(desk: Desk) -> None:
    """Pins that another strategy's orders stay its own, and replacements, busts and overdue orders are among them."""
    order = desk.order("cash", BUY, "10", "A")
    order_id = desk.submit(order).order_id
    desk.replace(desk.replacement(order, "11"))
    desk.hold("margin", "5", "100")
    fill = desk.trade(order_id, "2", "100")
    desk.report(fill, desk.bust(fill))
    desk.deposit("100")
    desk.wait(31)
    desk.tick()
    page = history_page(desk, "cash", 0, desk.book.sequence)
    kinds = [event.WhichOneof("body") for event in page.events]
    booked = ["execution_booked", "execution_booked"]
    assert ["bar_published", "order_decided", "replace_decided", *booked, "order_overdue"] == kinds
    assert desk.book.sequence == page.next_after_sequence
    half = history_page(desk, "cash", 0, 3)
    rest = history_page(desk, "cash", half.next_after_sequence, desk.book.sequence)
    assert list(page.events) == [*half.events, *rest.events]


@pytest.mark.parametrize("method", sorted(HISTORY))
def test_bytes_that_are_no_message_are_refused(desk: Desk, method: str) -> None:
    """Pins the reasons, for garbage and for a method that is none."""
    for name, body, expected in ((method, b"\xff", "MESSAGE_MALFORMED"), (f"{method}s", b"", "METHOD_UNKNOWN")):
        reply = read_past(desk.gate.journal, Request(name, body))
        assert (expected, b"") == (reply.reason, reply.body)


def test_what_is_not_durable_yet_is_not_read(desk: Desk) -> None:
    """Pins that the past is what the journal has, not what memory has run ahead to."""
    before = journal_page(desk)
    desk.gate.execute(desk.order("cash", BUY, "1", "A"))
    assert before == journal_page(desk)
    desk.gate.process([])
    assert journal_pb2.Event.FromString(journal_page(desk).events[-1]).HasField("order_decided")
