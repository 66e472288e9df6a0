"""What the streams carry: each committed batch, sorted by who watches."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

from tidegate.journal.contract import ALERTS_TOPIC, BARS_TOPIC, Entry
from tidegate.orders import DecidedOrder, Order
from tidegate.risk.alerts import ALERT_KINDS, alert_of
from tidegate.risk.book import Book
from tidegate.risk.routing import refused_by_halt
from tidegate.v1 import journal_pb2, market_data_pb2, orders_pb2, risk_pb2

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


def publications_of(events: Sequence[journal_pb2.Event], entries: Sequence[Entry], book: Book) -> list[Publication]:
    """Turn a committed batch, with its entries in the journal, into messages; the book is the one after the batch."""
    found, alerts = [], []
    instructions: dict[str, list[_Instruction]] = {}
    for event, entry in zip(events, entries, strict=True):
        kind = entry.kind
        if kind in _INSTRUCTIONS:
            order = None if entry.order_id is None else book.awaiting.get(str(entry.order_id))
            if order is not None:
                instruction = _instruction(kind, event, order, book)
                if instruction is not None:
                    instructions.setdefault(order.request.route, []).append(instruction)
        elif kind == "bar_published":
            found.append(Publication(BARS_TOPIC, event.sequence, 1, partial(_write_bar, event)))
        elif kind in ALERT_KINDS:
            alerts.append(event)
    for adapter, parts in instructions.items():
        found += _in_parts(orders_topic(adapter), parts, events[0].sequence - 1, book)
    if alerts:
        write = partial(_write_alerts, alerts, book.sequence)
        found.append(Publication(ALERTS_TOPIC, book.sequence, len(alerts), write))
    return found


def bar_message(
    bar: market_data_pb2.PublishBarsRequest, bar_sequence: int, sequence: int
) -> market_data_pb2.WatchBarsResponse:
    """Turn a published bar into the message that brings watchers to a sequence."""
    return market_data_pb2.WatchBarsResponse(bar_sequence=bar_sequence, time=bar.time, bars=bar.bars, sequence=sequence)


def alerts_message(events: Sequence[journal_pb2.Event], sequence: int) -> risk_pb2.WatchAlertsResponse:
    """Turn events that are alerts into the message that watchers get."""
    return risk_pb2.WatchAlertsResponse(sequence=sequence, alerts=map(alert_of, events))


def instructions_for(order: Order, book: Book) -> Iterator[orders_pb2.OrderInstruction]:
    """
    Return what its adapter has to do about a working order now.

    A send is claimed first, and a halt refuses the claim; a replacement is not, so a halt holds it back here.
    """
    if order.cancel_requested:
        yield orders_pb2.OrderInstruction(cancel=order.to_wire())
        return
    if not order.acknowledged:
        yield orders_pb2.OrderInstruction(send=order.to_wire())
    if order.replacement is not None and refused_by_halt(book, order) is None:
        yield orders_pb2.OrderInstruction(replace=order.to_wire())


# A decision is turned into its instruction only when somebody reads it.
_Instruction = journal_pb2.Event | orders_pb2.OrderInstruction

_INSTRUCTIONS: Final = frozenset({"order_decided", "cancel_requested", "replace_decided"})


def _instruction(kind: str, event: journal_pb2.Event, order: Order, book: Book) -> _Instruction | None:
    """Return what an event tells the adapter of a working order, unless a later one of the batch has overtaken it."""
    if kind == "cancel_requested":
        return orders_pb2.OrderInstruction(cancel=order.to_wire()) if order.cancel_requested else None
    if order.cancel_requested:
        return None
    if kind == "replace_decided":
        is_accepted = bool(event.replace_decided.decision.order_id)
        is_due = is_accepted and order.replacement is not None and refused_by_halt(book, order) is None
        return orders_pb2.OrderInstruction(replace=order.to_wire()) if is_due else None
    return None if order.acknowledged else event


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
        if isinstance(entry, journal_pb2.Event):
            message.instructions.add(send=Order.from_decided(DecidedOrder.read(entry)).to_wire())
        else:
            message.instructions.append(entry)
    return message.SerializeToString()


def _write_alerts(events: Sequence[journal_pb2.Event], sequence: int) -> bytes:
    return alerts_message(events, sequence).SerializeToString()


def _write_bar(event: journal_pb2.Event) -> bytes:
    return bar_message(event.bar_published, event.sequence, event.sequence).SerializeToString()
