"""Deciding who sends an order to the broker."""

from tidegate.numbers import ZERO
from tidegate.orders import Order
from tidegate.reasons import Reason
from tidegate.risk.book import Book
from tidegate.risk.draft import Draft
from tidegate.risk.refusals import Sender
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2


def claim_order(draft: Draft, command: journal_pb2.OrderClaimed) -> orders_pb2.Claim:
    """Let one adapter, and only one, take an order to send."""
    order = draft.book.orders.get(command.order_id)
    if order is None:
        known = draft.archive.events_of_order(command.order_id)
        reason = Reason.ORDER_DONE if known else Reason.ORDER_UNKNOWN
    elif order.request.route != command.adapter:
        reason = Reason.ORDER_NOT_ROUTED_HERE
    elif order.claimed_by:
        return orders_pb2.Claim(order_id=command.order_id, outcome=orders_pb2.CLAIM_OUTCOME_ALREADY_CLAIMED)
    elif order.cancel_requested:
        reason = Reason.ORDER_PENDING_CANCEL
    elif (halted := refused_by_halt(draft.book, order)) is not None:
        reason = halted
    else:
        claimed = journal_pb2.OrderClaimed(
            order_id=command.order_id, adapter=command.adapter, strategy_id=order.request.strategy_id
        )
        draft.record(order_claimed=claimed)
        return orders_pb2.Claim(order_id=command.order_id, outcome=orders_pb2.CLAIM_OUTCOME_CLAIMED)
    text = f"order {command.order_id}: {reason.meaning}"
    refused = journal_pb2.CommandRefused(
        command="ClaimOrders", subject=command.order_id, operator=command.adapter, reason_code=reason, reason=text
    )
    draft.record(command_refused=refused)
    draft.refused_sender = Sender("ClaimOrders")
    return orders_pb2.Claim(
        order_id=command.order_id, outcome=orders_pb2.CLAIM_OUTCOME_REFUSED, reason_code=reason, reason=text
    )


def refused_by_halt(book: Book, order: Order) -> Reason | None:
    """Say why a halt that came after an order or its replacement was accepted keeps it from being sent."""
    halt = book.halt_over(order.request.strategy_id, order.request.symbol)
    if halt is None:
        return None
    is_halted = halt.level == common_pb2.HALT_LEVEL_HALTED
    if is_halted and not order.is_emergency:
        return Reason.TRADING_HALTED
    strategy = book.strategies[order.request.strategy_id]
    position = strategy.ledger.positions.get(order.request.symbol)
    held = position.quantity if position is not None else ZERO
    # What may already be at the broker on this side counts first.
    sent = sum(
        (
            other.reservation.quantity
            for other in strategy.orders.values()
            if other is not order
            and other.request.symbol == order.request.symbol
            and other.sign == order.sign
            and (other.claimed_by or other.acknowledged or not other.request.route)
        ),
        ZERO,
    )
    reduces = held * order.sign < ZERO and sent + order.reservation.quantity <= abs(held)
    if reduces:
        return None
    return Reason.TRADING_HALTED if is_halted else Reason.REDUCE_ONLY
