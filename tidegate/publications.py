"""What the streams carry: each committed batch, sorted by who watches."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from tidegate.orders import Order
from tidegate.risk.book import Book
from tidegate.v1 import journal_pb2, market_data_pb2, orders_pb2

BARS_TOPIC = "bars"
# At most so many instructions go into one message.
INSTRUCTIONS_MAX = 1_000


class Publication(NamedTuple):
    """
    One message for everybody who watches a topic, written only when somebody reads it.

    sequence: where in the journal it brings its reader. size: how many entries it holds in memory.
    """

    topic: str
    sequence: int
    size: int
    write: Callable[[], bytes]


def orders_topic(adapter: str) -> str:
    """Name the topic of the orders that one adapter routes."""
    return f"orders/{adapter}"


def publications_of(events: Sequence[journal_pb2.Event], book: Book) -> list[Publication]:
    """Turn a committed batch into messages; the book is the one after the batch."""
    found = []
    instructions: dict[str, list[_Instruction]] = {}
    for event in events:
        match event.WhichOneof("body"):
            case "order_decided" if route := event.order_decided.order.route:
                order = book.orders.get(event.order_decided.decision.order_id)
                # Done or canceled within the same batch: nothing to send, or the cancel's own event speaks for it.
                if order is not None and not (order.acknowledged or order.cancel_requested):
                    instructions.setdefault(route, []).append(event.order_decided)
            case "cancel_requested":
                order = book.orders.get(event.cancel_requested.order_id)
                if order is not None and order.cancel_requested and order.request.route:
                    instruction = orders_pb2.OrderInstruction(cancel=order.to_wire())
                    instructions.setdefault(order.request.route, []).append(instruction)
            case "bar_published":
                found.append(Publication(BARS_TOPIC, event.sequence, 1, partial(_write_bar, event)))
    for adapter, entries in instructions.items():
        found += _in_parts(orders_topic(adapter), entries, events[0].sequence - 1, book)
    return found


def bar_message(
    bar: market_data_pb2.PublishBarsRequest, bar_sequence: int, sequence: int
) -> market_data_pb2.WatchBarsResponse:
    """Turn a published bar into the message that brings watchers to a sequence."""
    return market_data_pb2.WatchBarsResponse(bar_sequence=bar_sequence, time=bar.time, bars=bar.bars, sequence=sequence)


def instruction_for(order: Order) -> orders_pb2.OrderInstruction | None:
    """Return what its adapter has to do about a working order now, or None."""
    if order.cancel_requested:
        return orders_pb2.OrderInstruction(cancel=order.to_wire())
    return None if order.acknowledged else orders_pb2.OrderInstruction(send=order.to_wire())


# A decision is turned into its instruction only when somebody reads it.
_Instruction = journal_pb2.OrderDecided | orders_pb2.OrderInstruction


def _in_parts(topic: str, entries: list[_Instruction], before: int, book: Book) -> Iterator[Publication]:
    """Cut a batch's instructions into bounded messages; only the last one brings its reader past the batch."""
    for start in range(0, len(entries), INSTRUCTIONS_MAX):
        part = entries[start : start + INSTRUCTIONS_MAX]
        is_last = start + INSTRUCTIONS_MAX >= len(entries)
        write = partial(_write_instructions, part, book.sequence if is_last else before, book.last_bar_sequence)
        yield Publication(topic, book.sequence, len(part), write)


def _write_instructions(entries: list[_Instruction], sequence: int, bar_sequence: int) -> bytes:
    message = orders_pb2.WatchOrdersResponse(sequence=sequence, bar_sequence=bar_sequence)
    for entry in entries:
        if isinstance(entry, journal_pb2.OrderDecided):
            message.instructions.add(send=Order.from_decided(entry).to_wire())
        else:
            message.instructions.append(entry)
    return message.SerializeToString()


def _write_bar(event: journal_pb2.Event) -> bytes:
    return bar_message(event.bar_published, event.sequence, event.sequence).SerializeToString()
