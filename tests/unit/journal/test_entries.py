"""What an event is found again by: the order that it is about, the senders' ids that it uses up, its stream."""

from tests.unit.builders import BUY, NEW, Desk, instrument_scope
from tidegate.journal.contract import entry_of
from tidegate.risk.alerts import ALERT_KINDS
from tidegate.v1 import admin_pb2, journal_pb2


def a_day_of_everything(desk: Desk) -> None:
    """Let everything happen once that the journal can tell of, but for bars that are completed."""
    order = desk.order("cash", BUY, "10", "A")
    order_id = desk.submit(order).order_id
    desk.claim(order_id)
    desk.replace(desk.replacement(order, "12"))
    fill = desk.trade(order_id, "2", "100")
    correction = desk.correction(fill, "3", "100")
    desk.report(desk.execution(order_id, NEW), fill, correction, desk.bust(correction))
    orphan = desk.trade("77", "1", "1")
    orphan.symbol, orphan.side = "B", BUY
    desk.report(orphan, desk.bust(orphan), bar_sequence=desk.book.last_bar_sequence)
    desk.cancel(order)
    desk.buy("cash", "99999")
    desk.deposit("5")
    desk.withdraw("5")
    transfer = admin_pb2.TransferCapitalRequest(
        transfer_id="t1", to_strategy_id="cash", amount="1", operator="ann", reason="plan"
    )
    desk.ask("TransferCapital", transfer, admin_pb2.TransferCapitalResponse)
    desk.open_session("s1")
    desk.close_session("s1")
    desk.halt(instrument_scope("B"))
    desk.tick(31)


def described(event: journal_pb2.Event) -> str:
    """Write an event's kind, the order it is about, and its keys."""
    entry = entry_of(event)
    return " | ".join([entry.kind, str(entry.order_id or ""), *entry.keys])


def test_an_event_names_its_order_and_the_ids_that_it_uses_up(desk: Desk) -> None:
    """Pins each kind's index, and that a correction uses up two ids; a stray fill is no order's."""
    a_day_of_everything(desk)
    found = [described(event) for event in desk.events() if entry_of(event).keys or entry_of(event).order_id]
    assert [
        "order_decided | 3 | order cash o1",
        "order_claimed | 3",
        "replace_decided | 3 | order cash r2",
        "execution_booked | 3 | execution u1 x5",
        "execution_booked | 3 | execution u1 x3",
        "execution_booked | 3 | execution u1 x4 | reversal u1 x3",
        "execution_booked | 3 | execution u1 x6 | reversal u1 x4",
        "execution_booked |  | execution u1 x7",
        "execution_booked |  | execution u1 x8 | reversal u1 x7",
        "cancel_requested | 3",
        "order_decided |  | order cash o9",
        "capital_moved |  | transfer d1",
        "capital_moved |  | transfer w1",
        "capital_transferred |  | transfer t1",
        "order_overdue | 3",
    ] == found


def test_bars_and_alerts_have_a_stream_of_their_own(desk: Desk) -> None:
    """Pins the topics, that every alert is in its stream, and that nothing else is."""
    a_day_of_everything(desk)
    topics = {(entry.kind, entry.topic) for entry in map(entry_of, desk.events())}
    assert {kind for kind, topic in topics if topic == "alerts"} == {kind for kind, _ in topics} & ALERT_KINDS
    assert {("bar_published", "bars")} == {(kind, topic) for kind, topic in topics if topic == "bars"}
    assert {None, "alerts", "bars"} == {topic for _, topic in topics}


def test_every_id_is_found_again_in_the_store(desk: Desk) -> None:
    """Pins that the journal keeps all keys of an event, and finds its order's events in their order."""
    a_day_of_everything(desk)
    events = desk.events()
    keys = [key for event in events for key in entry_of(event).keys]
    found = desk.gate.journal.find_all(keys)
    assert {key: event for event in events for key in entry_of(event).keys} == found
    assert len(keys) == len(set(keys)) == len(found)
    mine = [event for event in events if entry_of(event).order_id == 3]
    assert mine == desk.gate.journal.events_of_order(3)
