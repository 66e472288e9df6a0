"""Deciding on cancels: what is asked of the broker, never done by our own hand."""

from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.draft import Draft, order_key
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2


def cancel_order(draft: Draft, command: orders_pb2.CancelOrderRequest) -> orders_pb2.CancelOrderResponse:
    """Mark a working order as to be canceled; asking again changes nothing."""
    strategy_id = door.identifier(command.strategy_id, "strategy_id")
    client_order_id = door.identifier(command.client_order_id, "client_order_id")
    decided = draft.archive.find(order_key(strategy_id, client_order_id))
    order_id = "" if decided is None else decided.order_decided.decision.order_id
    if not order_id:
        text = f"strategy {strategy_id} has no accepted order {client_order_id}"
        draft.refuse(Reason.ORDER_UNKNOWN, text, command="CancelOrder", subject=client_order_id)
    order = draft.book.orders.get(order_id)
    if order is None:
        text = f"order {client_order_id} is done"
        draft.refuse(Reason.ORDER_DONE, text, command="CancelOrder", subject=client_order_id)
    reply = orders_pb2.CancelOrderResponse(order=order.to_wire())
    if not order.cancel_requested:
        draft.record(cancel_requested=journal_pb2.CancelRequested(order_id=order_id, strategy_id=strategy_id))
        reply.order.status = common_pb2.ORDER_STATUS_PENDING_CANCEL
    return reply
