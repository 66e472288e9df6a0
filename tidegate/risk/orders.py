"""Deciding on orders: submit, cancel, claim."""

from tidegate.errors import RefusedError
from tidegate.numbers import ZERO, plain
from tidegate.orders import Order, sign_of
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.draft import Draft, order_key
from tidegate.risk.proposal import Ask, Proposal, propose
from tidegate.risk.scopes import instrument_scope, strategy_scope
from tidegate.risk.violation import Violation
from tidegate.strategy_book import StrategyBook
from tidegate.times import NS_PER_S, to_stamp
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2

_REJECT = common_pb2.ACTION_REJECT
_TIMES_IN_FORCE = frozenset(common_pb2.TimeInForce.values())


def submit_order(draft: Draft, command: orders_pb2.SubmitOrderRequest) -> orders_pb2.SubmitOrderResponse:
    """Decide one order; one that was decided before gets the same answer."""
    request = command.order
    ask = _read(request)
    earlier = draft.archive.find(order_key(request.strategy_id, request.client_order_id))
    if earlier is not None:
        if earlier.order_decided.order != request:
            text = f"client_order_id {request.client_order_id} was used before, for another order"
            subject = request.client_order_id
            draft.refuse(Reason.CLIENT_ORDER_ID_REUSED, text, command="SubmitOrder", subject=subject)
        return orders_pb2.SubmitOrderResponse(decision=earlier.order_decided.decision)
    proposal, violations = _assess(draft, request, ask)
    decision = _decision(draft, request, ask, violations)
    decided = journal_pb2.OrderDecided(order=request, decision=decision)
    if decision.order_id and proposal is not None:
        decided.valuation_price = plain(proposal.valuation_price)
        if proposal.unit_loss:
            decided.unit_loss = plain(proposal.unit_loss)
    draft.record(order_decided=decided)
    return orders_pb2.SubmitOrderResponse(decision=decision)


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


def malformed(refusal: RefusedError) -> orders_pb2.Decision:
    """Answer an order of a batch that was refused at the door: a decision without a place in the journal."""
    return orders_pb2.Decision(action=_REJECT, approved_quantity="0", reason_code=refusal.reason, reason=refusal.text)


def _read(request: orders_pb2.NewOrder) -> Ask:
    door.identifier(request.client_order_id, "order.client_order_id")
    door.identifier(request.strategy_id, "order.strategy_id")
    door.identifier(request.symbol, "order.symbol")
    if request.route:
        door.identifier(request.route, "order.route")
    sign = sign_of(request.side)
    if not sign:
        text = "order.side takes SIDE_BUY or SIDE_SELL"
        raise RefusedError(Reason.SIDE_INVALID, text, field="order.side")
    if request.order_type not in (common_pb2.ORDER_TYPE_MARKET, common_pb2.ORDER_TYPE_LIMIT):
        text = "order.order_type takes ORDER_TYPE_MARKET or ORDER_TYPE_LIMIT"
        raise RefusedError(Reason.ORDER_TYPE_INVALID, text, field="order.order_type")
    if request.time_in_force not in _TIMES_IN_FORCE:
        text = "order.time_in_force takes DAY, GTC, IOC or FOK"
        raise RefusedError(Reason.TIME_IN_FORCE_INVALID, text, field="order.time_in_force")
    quantity = door.quantity(request.quantity, "order.quantity")
    if request.order_type == common_pb2.ORDER_TYPE_LIMIT:
        return Ask(sign, quantity, door.price(request.limit_price, "order.limit_price"))
    if request.limit_price:
        text = "order.limit_price belongs to a limit order; a market order has none"
        raise RefusedError(Reason.PRICE_INVALID, text, field="order.limit_price")
    return Ask(sign, quantity, None)


def _assess(draft: Draft, request: orders_pb2.NewOrder, ask: Ask) -> tuple[Proposal | None, list[Violation]]:
    """Run every check; without a strategy, an instrument, a route or a price there is nothing to run them on."""
    strategy = draft.book.strategies.get(request.strategy_id)
    missing = _missing(draft, request)
    if missing is not None or strategy is None:
        return None, [missing] if missing is not None else []
    return _check(draft, strategy, request, ask)


def _check(
    draft: Draft, strategy: StrategyBook, request: orders_pb2.NewOrder, ask: Ask
) -> tuple[Proposal, list[Violation]]:
    proposal = propose(draft.book, strategy, request, ask, draft.now_ns)
    permission, exposure = draft.checks
    violations = [v for check in permission if (v := check.check(proposal)) is not None]
    if not proposal.reducing:
        violations += [v for check in exposure if (v := check.check(proposal)) is not None]
    return proposal, violations


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


def _missing(draft: Draft, request: orders_pb2.NewOrder) -> Violation | None:
    book = draft.book
    if request.strategy_id not in book.terms:
        text = f"no strategy is called {request.strategy_id}"
        return Violation(Reason.STRATEGY_UNKNOWN, _REJECT, text, strategy_scope(request.strategy_id))
    if request.symbol not in book.instruments:
        text = f"instrument {request.symbol} is not in the portfolio file"
        return Violation(Reason.INSTRUMENT_UNKNOWN, _REJECT, text, instrument_scope(request.symbol))
    if request.route and (book.configuration is None or request.route not in book.configuration.adapters):
        text = f"no adapter is called {request.route}"
        return Violation(Reason.ADAPTER_UNKNOWN, _REJECT, text)
    if request.symbol not in book.mark_times_ns:
        text = f"instrument {request.symbol} has no price yet"
        return Violation(Reason.PRICE_MISSING, _REJECT, text, instrument_scope(request.symbol))
    return None


def _decision(draft: Draft, request: orders_pb2.NewOrder, ask: Ask, violations: list[Violation]) -> orders_pb2.Decision:
    """Let the worst action win, and name the first violation that asks for it."""
    sequence = draft.next_sequence
    if not violations:
        decision = orders_pb2.Decision(action=common_pb2.ACTION_ALLOW, sequence=sequence)
    else:
        worst = max(violations, key=lambda violation: violation.action)
        decision = orders_pb2.Decision(
            action=worst.action,
            reason_code=worst.reason,
            reason=worst.text,
            violations=[violation.to_wire() for violation in violations],
            sequence=sequence,
        )
        if worst.action >= _REJECT:
            decision.approved_quantity = "0"
            return decision
    decision.order_id = str(sequence)
    decision.approved_quantity = plain(ask.quantity)
    if not request.route and draft.book.configuration is not None:
        decision.route_by.CopyFrom(to_stamp(draft.now_ns + draft.book.configuration.route_within_s * NS_PER_S))
    return decision
