"""What the streams carry: each committed batch, sorted by who watches."""

from collections.abc import Sequence
from typing import NamedTuple

from tidegate.orders import Order, is_accepted
from tidegate.risk.book import Book
from tidegate.v1 import journal_pb2, market_data_pb2, orders_pb2

BARS_TOPIC = "bars"


class Publication(NamedTuple):
    """One message for everybody who watches a topic; the sequence says where in the journal it stands."""

    topic: str
    sequence: int
    body: bytes


def orders_topic(adapter: str) -> str:
    """Name the topic of the orders that one adapter routes."""
    return f"orders/{adapter}"


def publications_of(events: Sequence[journal_pb2.Event], book: Book) -> list[Publication]:
    """Turn a committed batch into messages; the book is the one after the batch."""
    found = []
    instructions: dict[str, list[orders_pb2.OrderInstruction]] = {}
    for event in events:
        body = event.WhichOneof("body")
        if body == "bar_published":
            bar = bar_message(event.bar_published, event.sequence)
            found.append(Publication(BARS_TOPIC, event.sequence, bar.SerializeToString()))
        elif body == "order_decided" and is_accepted(event.order_decided.decision):
            _instruct(instructions, book.orders.get(event.order_decided.decision.order_id), cancel=False)
        elif body == "cancel_requested":
            _instruct(instructions, book.orders.get(event.cancel_requested.order_id), cancel=True)
    for adapter, entries in instructions.items():
        message = orders_pb2.WatchOrdersResponse(
            sequence=book.sequence, instructions=entries, bar_sequence=book.last_bar_sequence
        )
        found.append(Publication(orders_topic(adapter), book.sequence, message.SerializeToString()))
    return found


def bar_message(bar: market_data_pb2.PublishBarsRequest, sequence: int) -> market_data_pb2.WatchBarsResponse:
    """Turn a published bar into the message that watchers get."""
    return market_data_pb2.WatchBarsResponse(bar_sequence=sequence, time=bar.time, bars=bar.bars)


def instruction_for(order: Order) -> orders_pb2.OrderInstruction | None:
    """Return what its adapter has to do about a working order now, or None."""
    if order.cancel_requested:
        return orders_pb2.OrderInstruction(cancel=order.to_wire())
    return None if order.acknowledged else orders_pb2.OrderInstruction(send=order.to_wire())


def _instruct(instructions: dict[str, list[orders_pb2.OrderInstruction]], order: Order | None, *, cancel: bool) -> None:
    # Done within the same batch, or canceled within it: the cancel's own event speaks for it.
    if order is None or not order.request.route or order.cancel_requested is not cancel:
        return
    if (instruction := instruction_for(order)) is not None:
        instructions.setdefault(order.request.route, []).append(instruction)
