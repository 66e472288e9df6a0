"""Deciding on a new order."""

from decimal import Decimal
from typing import Final

from tidegate.errors import RefusedError
from tidegate.numbers import plain
from tidegate.orders import DecidedOrder, sign_of
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.assessment import assess, reduce_to_fit
from tidegate.risk.book import Book
from tidegate.risk.draft import Draft, order_key
from tidegate.risk.proposal import Ask
from tidegate.risk.refusals import Sender
from tidegate.risk.violation import Violation
from tidegate.times import NS_PER_S, write_stamp
from tidegate.v1 import common_pb2, orders_pb2

_ALLOW: Final = common_pb2.ACTION_ALLOW
_REJECT: Final = common_pb2.ACTION_REJECT
_ORDER_TYPES: Final = frozenset(common_pb2.OrderType.values()) - {common_pb2.ORDER_TYPE_UNSPECIFIED}
_LIMITED: Final = (common_pb2.ORDER_TYPE_LIMIT, common_pb2.ORDER_TYPE_STOP_LIMIT)
_STOPPED: Final = (common_pb2.ORDER_TYPE_STOP, common_pb2.ORDER_TYPE_STOP_LIMIT)
_REDUCE: Final = common_pb2.ACTION_REDUCE
_TIMES_IN_FORCE: Final = frozenset(common_pb2.TimeInForce.values())


def decide_order(draft: Draft, request: orders_pb2.NewOrder) -> orders_pb2.Decision:
    """Decide one order; one that was decided before gets the same answer."""
    ask = read_order(draft.book, request)
    client_order_id, owner = request.client_order_id, ask.strategy_id
    earlier = draft.archive.find(order_key(owner, client_order_id))
    if earlier is not None:
        if earlier.order_decided.order != request:
            text = f"client_order_id {client_order_id} was used before, for another order"
            draft.refuse(
                Reason.CLIENT_ORDER_ID_REUSED, text, command="SubmitOrder", subject=client_order_id, strategy_id=owner
            )
        return earlier.order_decided.decision
    violations, proposal = assess(draft, request, ask)
    if any(violation.action == _REDUCE for violation in violations):
        ask, violations, proposal = reduce_to_fit(draft, request, ask, violations, proposal)
    event = draft.begin()
    decided = event.order_decided
    decided.order.CopyFrom(request)
    decision = decided.decision
    sequence = draft.sequence
    action = answer(draft, decision, ask.strategy_id, violations)
    draft.decided = told = DecidedOrder(
        event,
        decided.order,
        time_ns=draft.now_ns,
        sequence=sequence,
        strategy_id=ask.strategy_id,
        client_order_id=client_order_id,
        symbol=ask.symbol,
        sign=ask.sign,
        action=action,
        reason_code=decision.reason_code if violations else "",
    )
    if action >= _REJECT or proposal is None:
        return decision
    order_id, quantity, price = str(sequence), plain(ask.quantity), plain(proposal.valuation_price)
    unit_loss = plain(proposal.unit_loss) if proposal.unit_loss else ""
    decision.order_id = order_id
    decision.approved_quantity = quantity
    if not request.route:
        permit(draft, decision)
    decided.valuation_price = price
    if unit_loss:
        decided.unit_loss = unit_loss
    told.accept(order_id, quantity, price, unit_loss)
    return decision


def check_order(draft: Draft, command: orders_pb2.CheckOrderRequest) -> orders_pb2.CheckOrderResponse:
    """Say what would be decided on an order now; nothing is recorded."""
    decision = decide_order(draft, command.order)
    draft.events.clear()
    reply = orders_pb2.CheckOrderResponse(decision=decision)
    reply.decision.ClearField("order_id")
    reply.decision.ClearField("sequence")
    return reply


def malformed(refusal: RefusedError) -> orders_pb2.Decision:
    """Answer an order of a batch that was refused at the door: a decision without a place in the journal."""
    return orders_pb2.Decision(action=_REJECT, approved_quantity="0", reason_code=refusal.reason, reason=refusal.text)


def read_order(book: Book, request: orders_pb2.NewOrder) -> Ask:
    """Refuse a malformed order, naming the field at fault; a name that the book knows is well-formed."""
    strategy_id, symbol, route = request.strategy_id, request.symbol, request.route
    door.identifier(request.client_order_id, "order.client_order_id")
    if strategy_id not in book.terms:
        door.identifier(strategy_id, "order.strategy_id")
    if symbol not in book.instruments:
        door.identifier(symbol, "order.symbol")
    if route and route not in book.adapters:
        door.identifier(route, "order.route")
    if not (sign := sign_of(request.side)):
        text = "order.side takes SIDE_BUY or SIDE_SELL"
        raise RefusedError(Reason.SIDE_INVALID, text, field="order.side")
    order_type = request.order_type
    if order_type not in _ORDER_TYPES:
        text = "order.order_type takes MARKET, LIMIT, STOP or STOP_LIMIT"
        raise RefusedError(Reason.ORDER_TYPE_INVALID, text, field="order.order_type")
    if request.HasField("emergency"):
        door.identifier(request.emergency.operator, "order.emergency.operator")
        door.words(request.emergency.reason, "order.emergency.reason", required=True)
    if request.time_in_force not in _TIMES_IN_FORCE:
        text = "order.time_in_force takes DAY, GTC, IOC or FOK"
        raise RefusedError(Reason.TIME_IN_FORCE_INVALID, text, field="order.time_in_force")
    quantity = door.quantity(request.quantity, "order.quantity")
    limit_price = _price(request.limit_price, "order.limit_price", is_taken=order_type in _LIMITED)
    stop_price = _price(request.stop_price, "order.stop_price", is_taken=order_type in _STOPPED)
    return Ask(strategy_id, symbol, sign, quantity, limit_price, stop_price)


def _price(text: str, field: str, *, is_taken: bool) -> Decimal | None:
    """Take the price that an order of its type has; refuse one that it has not."""
    if is_taken:
        return door.price(text, field)
    if text:
        message = f"{field} is nothing that an order of this type has"
        raise RefusedError(Reason.PRICE_INVALID, message, field=field)
    return None


def answer(
    draft: Draft, decision: orders_pb2.Decision, strategy_id: str, violations: list[Violation]
) -> common_pb2.Action.ValueType:
    """Let the worst action win, and name the first violation that asks for it; return that action."""
    decision.sequence = draft.sequence
    if not violations:
        decision.action = _ALLOW
        return _ALLOW
    worst = max(violations, key=lambda violation: violation.action)
    decision.action, decision.reason_code, decision.reason = worst.action, worst.reason, worst.text
    decision.violations.extend(violation.to_wire() for violation in violations)
    if worst.action >= _REJECT:
        decision.approved_quantity = "0"
        known = strategy_id if strategy_id in draft.book.terms else ""
        draft.refused_sender = Sender("SubmitOrder", known)
    return worst.action


def permit(draft: Draft, decision: orders_pb2.Decision) -> None:
    """Say until when its submitter may send an order."""
    configuration = draft.book.configuration
    if configuration is not None:
        write_stamp(decision.route_by, draft.now_ns + configuration.route_within_s * NS_PER_S)
