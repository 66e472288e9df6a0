"""Deciding on replacements of working orders."""

from decimal import Decimal

from tidegate.errors import RefusedError
from tidegate.numbers import plain
from tidegate.orders import Order, is_accepted
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.assessment import assess, refuse_instead
from tidegate.risk.cancels import working_order
from tidegate.risk.draft import Draft, order_key
from tidegate.risk.orders import answer, permit
from tidegate.risk.proposal import Ask
from tidegate.risk.refusals import Sender
from tidegate.v1 import orders_pb2


def replace_order(draft: Draft, request: orders_pb2.ReplaceOrderRequest) -> orders_pb2.Decision:
    """
    Decide whether a working order may become another quantity or limit.

    It is held against every check as if it were new and the old one gone, but for what the broker may still do: the
    larger of old and new stays reserved until it reports. Repeated, it gets the first answer.
    """
    door.identifier(request.strategy_id, "strategy_id")
    door.identifier(request.orig_client_order_id, "orig_client_order_id")
    door.identifier(request.client_order_id, "client_order_id")
    quantity = door.quantity(request.quantity, "quantity")
    price = door.price(request.limit_price, "limit_price") if request.limit_price else None
    stop = door.price(request.stop_price, "stop_price") if request.stop_price else None
    earlier = draft.archive.find(order_key(request.strategy_id, request.client_order_id))
    if earlier is not None:
        if earlier.replace_decided.replace != request:
            text = f"client_order_id {request.client_order_id} was used before, for another order"
            subject, owner = request.client_order_id, request.strategy_id
            draft.refuse(
                Reason.CLIENT_ORDER_ID_REUSED, text, command="ReplaceOrder", subject=subject, strategy_id=owner
            )
        return earlier.replace_decided.decision
    order = working_order(draft, request.strategy_id, request.orig_client_order_id, "ReplaceOrder")
    if (price is None) is bool(order.request.limit_price):
        text = "limit_price is what a limit order needs and a market order must not have"
        raise RefusedError(Reason.PRICE_INVALID, text, field="limit_price")
    if (stop is None) is bool(order.request.stop_price):
        text = "stop_price is what a stop order needs and another must not have"
        raise RefusedError(Reason.PRICE_INVALID, text, field="stop_price")
    ask = Ask(request.strategy_id, order.request.symbol, order.sign, quantity, price, stop)
    reason = _impossible(order, ask)
    if reason is not None:
        text = f"order {request.orig_client_order_id}: {reason.meaning}"
        subject, owner = request.client_order_id, request.strategy_id
        draft.refuse(reason, text, command="ReplaceOrder", subject=subject, strategy_id=owner)
    found, proposal = assess(draft, as_replaced(order, request), ask, replaced=order)
    violations = refuse_instead(found)
    event = draft.begin()
    decided = event.replace_decided
    decided.replace.CopyFrom(request)
    decided.order_id = order.order_id
    decision = decided.decision
    answer(draft, decision, ask.strategy_id, violations)
    if proposal is None or not is_accepted(decision):
        draft.refused_sender = Sender("ReplaceOrder", ask.strategy_id)
    else:
        decision.order_id = order.order_id
        decision.approved_quantity = plain(ask.quantity)
        if not order.request.route:
            permit(draft, decision)
        decided.valuation_price = plain(proposal.valuation_price)
        if proposal.unit_loss:
            decided.unit_loss = plain(proposal.unit_loss)
    return decision


def as_replaced(order: Order, request: orders_pb2.ReplaceOrderRequest) -> orders_pb2.NewOrder:
    """Write the order that a replacement asks for."""
    new = orders_pb2.NewOrder()
    new.CopyFrom(order.request)
    new.client_order_id, new.quantity, new.limit_price = request.client_order_id, request.quantity, request.limit_price
    new.stop_price = request.stop_price
    new.ClearField("emergency")  # who replaces it is not who called for it
    return new


def _impossible(order: Order, ask: Ask) -> Reason | None:
    """Say why an order can be replaced by nothing now, or not by this."""
    if order.cancel_requested:
        return Reason.ORDER_PENDING_CANCEL
    if order.replacement is not None:
        return Reason.REPLACE_PENDING
    if ask.quantity <= order.cumulative_quantity:
        return Reason.REPLACE_BELOW_FILLED
    limit = Decimal(order.request.limit_price) if order.request.limit_price else None
    stop = Decimal(order.request.stop_price) if order.request.stop_price else None
    is_same = (ask.quantity, ask.limit_price, ask.stop_price) == (order.quantity, limit, stop)
    return Reason.REPLACE_CHANGES_NOTHING if is_same else None
