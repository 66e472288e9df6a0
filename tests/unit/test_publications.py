"""What the streams carry of a committed batch."""

from tests.unit.builders import BUY, Desk, bar
from tidegate.gate import Request
from tidegate.journal.contract import ALERTS_TOPIC, BARS_TOPIC
from tidegate.publications import Publication, orders_topic
from tidegate.v1 import admin_pb2, market_data_pb2, orders_pb2


def publish(desk: Desk, *requests: tuple[str, bytes]) -> list[Publication]:
    """Process a batch; return what it publishes."""
    return desk.gate.process([Request(*request) for request in requests]).publications


def instructions(publication: Publication) -> list[tuple[str, str]]:
    """Return what an adapter is told: the word, and the order's client_order_id."""
    message = orders_pb2.WatchOrdersResponse.FromString(publication.write())
    pairs = [(i.WhichOneof("instruction") or "", i) for i in message.instructions]
    return [(word, (i.send if word == "send" else i.cancel).order.client_order_id) for word, i in pairs]


def submit(order: orders_pb2.NewOrder) -> tuple[str, bytes]:
    """Write a submission."""
    return "SubmitOrder", orders_pb2.SubmitOrderRequest(order=order).SerializeToString()


def cancel(order: orders_pb2.NewOrder) -> tuple[str, bytes]:
    """Write a cancel."""
    request = orders_pb2.CancelOrderRequest(strategy_id=order.strategy_id, client_order_id=order.client_order_id)
    return "CancelOrder", request.SerializeToString()


def test_a_bar_is_published_with_its_sequence(desk: Desk) -> None:
    """Pins what watchers of bars get."""
    request = bar(2, A="101")
    (published,) = publish(desk, ("PublishBars", request.SerializeToString()))
    message = market_data_pb2.WatchBarsResponse.FromString(published.write())
    assert (BARS_TOPIC, desk.book.last_bar_sequence) == (published.topic, message.bar_sequence)
    assert (request.time, request.bars) == (message.time, message.bars)


def test_each_adapter_gets_its_own_accepted_orders(desk: Desk) -> None:
    """Pins that neither a refused order nor one that its submitter sends is published."""
    orders = [desk.order("cash", BUY, quantity, "A") for quantity in ("1", "2", "9999", "3")]
    orders[1].route, orders[3].route = "other", ""
    published = publish(desk, *map(submit, orders))
    assert [orders_topic("paper"), orders_topic("other")] == [publication.topic for publication in published]
    assert [[("send", "o1")], [("send", "o2")]] == [instructions(publication) for publication in published]
    assert [desk.book.sequence] * 2 == [publication.sequence for publication in published]


def test_an_order_canceled_in_its_own_batch_is_only_canceled(desk: Desk) -> None:
    """Pins that nobody is told to send what must not be sent."""
    order = desk.order("cash", BUY, "1", "A")
    (published,) = publish(desk, submit(order), cancel(order))
    assert [("cancel", "o1")] == instructions(published)


def test_an_order_filled_in_its_own_batch_is_not_published(desk: Desk) -> None:
    """Pins that the state after the batch counts."""
    order = desk.order("cash", BUY, "1", "A")
    execution = desk.trade(str(desk.book.sequence + 1), "1", "100")
    report = orders_pb2.ReportExecutionsRequest(account="u1", adapter="paper", executions=[execution])
    assert [] == publish(desk, submit(order), ("ReportExecutions", report.SerializeToString()))
    assert 1 == desk.position("cash")


def test_a_halt_tells_the_adapter_to_cancel(desk: Desk) -> None:
    """Pins that a halt reaches the broker."""
    order = desk.order("cash", BUY, "1", "A")
    desk.submit(order)
    request = admin_pb2.HaltRequest(operator="ann", reason="drill")
    published, alert = publish(desk, ("Halt", request.SerializeToString()))
    assert [("cancel", order.client_order_id)] == instructions(published)
    assert ALERTS_TOPIC == alert.topic


def test_an_adapter_that_begins_to_watch_gets_what_is_to_be_done_now(desk: Desk) -> None:
    """Pins sends and cancels of working orders; what the broker has confirmed needs nothing."""
    orders = [desk.order("cash", BUY, "1", "A") for _ in range(3)]
    order_ids = [desk.submit(order).order_id for order in orders]
    desk.report(desk.execution(order_ids[1], orders_pb2.EXECUTION_TYPE_NEW))
    desk.cancel(orders[2])
    body = desk.reply("WatchOrders", orders_pb2.WatchOrdersRequest(adapter="paper")).body
    ids = [order.client_order_id for order in orders]
    assert [("send", ids[0]), ("cancel", ids[2])] == instructions(Publication("", 0, 0, lambda: body))
    assert "ADAPTER_UNKNOWN" == desk.refusal("WatchOrders", orders_pb2.WatchOrdersRequest(adapter="stranger"))
