"""Deciding on cancels: what is asked of the broker, never done by our own hand."""

from collections.abc import Iterable

from tidegate.orders import Order
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.draft import Draft, order_key
from tidegate.risk.operators import read_scope
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2


def cancel_order(draft: Draft, command: orders_pb2.CancelOrderRequest) -> orders_pb2.CancelOrderResponse:
    """Mark a working order as to be canceled; asking again changes nothing."""
    strategy_id = door.identifier(command.strategy_id, "strategy_id")
    client_order_id = door.identifier(command.client_order_id, "client_order_id")
    order = working_order(draft, strategy_id, client_order_id, "CancelOrder")
    reply = orders_pb2.CancelOrderResponse(order=order.to_wire())
    if not order.cancel_requested:
        draft.record(cancel_requested=journal_pb2.CancelRequested(order_id=order.order_id, strategy_id=strategy_id))
        reply.order.status = common_pb2.ORDER_STATUS_PENDING_CANCEL
    return reply


def cancel_all_orders(draft: Draft, command: orders_pb2.CancelAllOrdersRequest) -> orders_pb2.CancelAllOrdersResponse:
    """Mark every working order of a scope as to be canceled."""
    scope = read_scope(draft.book, command.scope)
    count = request_cancels(draft, draft.book.orders_in(scope), Reason.CANCEL_ALL)
    return orders_pb2.CancelAllOrdersResponse(cancels_requested=count)


def request_cancels(draft: Draft, orders: Iterable[Order], reason: str) -> int:
    """Record the cancel of each order that has none yet, in the book or in this draft; return how many."""
    count = 0
    asked = {event.cancel_requested.order_id for event in draft.events if event.HasField("cancel_requested")}
    for order in orders:
        if not order.cancel_requested and order.order_id not in asked:
            cancel = journal_pb2.CancelRequested(
                order_id=order.order_id, strategy_id=order.request.strategy_id, reason_code=reason
            )
            draft.record(cancel_requested=cancel)
            count += 1
    return count


def working_order(draft: Draft, strategy_id: str, client_order_id: str, command: str) -> Order:
    """Return a working order by any client_order_id that it has or had; refuse what is unknown or done."""
    decided = draft.archive.find(order_key(strategy_id, client_order_id))
    order_id = "" if decided is None else accepted_order_id(decided)
    if not order_id:
        text = f"strategy {strategy_id} has no accepted order {client_order_id}"
        draft.refuse(Reason.ORDER_UNKNOWN, text, command=command, subject=client_order_id, strategy_id=strategy_id)
    order = draft.book.orders.get(order_id)
    if order is None:
        text = f"order {client_order_id} is done"
        draft.refuse(Reason.ORDER_DONE, text, command=command, subject=client_order_id, strategy_id=strategy_id)
    return order


def accepted_order_id(decided: journal_pb2.Event) -> str:
    """Return the id of the order that a decision, on it or on its replacement, accepted; empty when it refused."""
    kind = decided.WhichOneof("body")
    body = decided.order_decided if kind == "order_decided" else decided.replace_decided
    return body.decision.order_id
