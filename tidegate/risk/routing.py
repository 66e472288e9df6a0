"""Deciding who sends an order to the broker."""

from tidegate.numbers import ZERO
from tidegate.orders import Order
from tidegate.reasons import Reason
from tidegate.risk.draft import Draft
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2


def claim_order(draft: Draft, command: journal_pb2.OrderClaimed) -> orders_pb2.Claim:
    """Let one adapter, and only one, take an order to send."""
    order = draft.book.orders.get(command.order_id)
    if order is None:
        known = draft.archive.events_of_order(command.order_id)
        reason = Reason.ORDER_DONE if known else Reason.ORDER_UNKNOWN
    elif order.request.route != command.adapter:
        reason = Reason.ORDER_NOT_ROUTED_HERE
    elif order.claimed_by == command.adapter:
        return orders_pb2.Claim(order_id=command.order_id, outcome=orders_pb2.CLAIM_OUTCOME_ALREADY_CLAIMED)
    elif order.claimed_by:
        reason = Reason.ORDER_CLAIMED
    elif order.cancel_requested:
        reason = Reason.ORDER_PENDING_CANCEL
    elif (halted := _halted(draft, order)) is not None:
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
    return orders_pb2.Claim(
        order_id=command.order_id, outcome=orders_pb2.CLAIM_OUTCOME_REFUSED, reason_code=reason, reason=text
    )


def _halted(draft: Draft, order: Order) -> Reason | None:
    """Say why a halt that came after the order was accepted keeps it from being sent."""
    halt = draft.book.halt_over(order.request.strategy_id, order.request.symbol)
    if halt is None:
        return None
    if halt.level == common_pb2.HALT_LEVEL_HALTED:
        return Reason.TRADING_HALTED
    strategy = draft.book.strategies[order.request.strategy_id]
    held = strategy.ledger.positions[order.request.symbol].quantity
    # What may already be at the broker on this side counts first.
    sent = sum(
        (
            other.leaves_quantity
            for other in strategy.orders.values()
            if other.request.symbol == order.request.symbol
            and other.sign == order.sign
            and (other.claimed_by or not other.request.route)
        ),
        ZERO,
    )
    reduces = held * order.sign < ZERO and sent + order.leaves_quantity <= abs(held)
    return None if reduces else Reason.REDUCE_ONLY
