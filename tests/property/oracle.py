"""What the gate has to find in an order, worked out on the naive model."""

from collections.abc import Iterator
from fractions import Fraction

from tests.property.naive import HALT, HALTED, NS_PER_S, REJECT, WARN, Accepted, Finding, Naive
from tidegate.reasons import Reason
from tidegate.v1 import common_pb2, orders_pb2


def is_reducing(book: Naive, order: orders_pb2.NewOrder) -> bool:
    """Tell whether an order only reduces: opposite to the position, and no more than working orders leave of it."""
    held = book.held.get((order.strategy_id, order.symbol), Fraction(0))
    is_buy = order.side == common_pb2.SIDE_BUY
    opposite = held < 0 if is_buy else held > 0
    left = abs(held) - book.working(order.strategy_id, order.symbol, buys=is_buy)
    return opposite and Fraction(order.quantity) <= left


def findings(book: Naive, order: orders_pb2.NewOrder, now_ns: int) -> set[Finding]:
    """Name every violation that a well-formed order has, with the action that it asks for."""
    missing = _missing(book, order)
    if missing is not None:
        return {(missing, REJECT)}
    reducing = is_reducing(book, order)
    found = set(_permission(book, order, now_ns, reducing=reducing))
    if not reducing:
        found |= set(_exposure(book, order))
    return found


def unit_cost(book: Naive, order: orders_pb2.NewOrder) -> Fraction:
    """Say what a unit costs at worst: a limit buy its limit when that is above the mark."""
    mark = book.marks[order.symbol]
    if order.limit_price and order.side == common_pb2.SIDE_BUY:
        return max(mark, Fraction(order.limit_price))
    return mark


def unit_loss(book: Naive, order: orders_pb2.NewOrder) -> Fraction:
    """Say what a unit loses against the mark when it is filled at its limit."""
    if not order.limit_price:
        return Fraction(0)
    gap = Fraction(order.limit_price) - book.marks[order.symbol]
    return max(gap if order.side == common_pb2.SIDE_BUY else -gap, Fraction(0))


def _missing(book: Naive, order: orders_pb2.NewOrder) -> str | None:
    if order.strategy_id not in book.terms:
        return Reason.STRATEGY_UNKNOWN
    if order.symbol not in book.instruments:
        return Reason.INSTRUMENT_UNKNOWN
    if order.route and order.route not in book.configured.adapters:
        return Reason.ADAPTER_UNKNOWN
    return Reason.PRICE_MISSING if order.symbol not in book.mark_times_ns else None


def _permission(book: Naive, order: orders_pb2.NewOrder, now_ns: int, *, reducing: bool) -> Iterator[Finding]:
    instrument, limits = book.instruments[order.symbol], book.configured.limits
    quantity = Fraction(order.quantity)
    levels = book.halt_levels(order.strategy_id, order.symbol)
    if HALTED in levels:
        yield Reason.TRADING_HALTED, HALT
    elif levels and not reducing:
        yield Reason.REDUCE_ONLY, REJECT
    elif order.strategy_id in book.paused and not reducing:
        yield Reason.STRATEGY_PAUSED, REJECT
    age_ns = now_ns - book.mark_times_ns[order.symbol]
    if age_ns > limits.max_price_age_s * NS_PER_S and not (reducing and order.limit_price):
        yield Reason.PRICE_STALE, REJECT
    if (quantity / Fraction(instrument.lot)).denominator != 1:
        yield Reason.QUANTITY_OFF_LOT, REJECT
    elif order.limit_price and (Fraction(order.limit_price) / Fraction(instrument.tick)).denominator != 1:
        yield Reason.PRICE_OFF_TICK, REJECT
    if order.reduce_only and not reducing:
        yield Reason.NOT_REDUCING, REJECT
    if quantity > Fraction(limits.max_order_quantity):
        yield Reason.ORDER_QUANTITY, REJECT
    elif quantity * unit_cost(book, order) * book.multiplier(order.symbol) > Fraction(limits.max_order_notional):
        yield Reason.ORDER_NOTIONAL, REJECT


def _exposure(book: Naive, order: orders_pb2.NewOrder) -> Iterator[Finding]:
    """Add the order to the working ones, and add everything up again."""
    limits, owner = book.configured.limits, order.strategy_id
    free_cash = book.cash[owner] - book.reserved_cash(owner)
    asked = Accepted(order, Fraction(order.quantity), unit_cost(book, order), unit_loss(book, order))
    own_loss = asked.quantity * asked.unit_loss * book.multiplier(order.symbol)
    loss = own_loss + sum(book.reserved_loss(one) for one in book.terms)
    equity, own_equity = book.equity() - loss, book.equity_of(owner) - own_loss - book.reserved_loss(owner)
    action = book.drawdown(loss)
    if action is not None:
        yield Reason.DRAWDOWN, REJECT if action == HALT != book.drawdown() else action
    book.orders["asked"] = asked
    gross, exposure, own = book.gross(), book.instrument_exposure(order.symbol), book.gross_of(owner)
    del book.orders["asked"]
    for reason, actual, limit, warn in (
        (Reason.LEVERAGE, gross, limits.max_leverage, limits.warn_leverage),
        (Reason.CONCENTRATION, exposure, limits.max_concentration, limits.warn_concentration),
    ):
        if actual > Fraction(limit) * equity:
            yield reason, REJECT
        elif actual > Fraction(warn) * equity:
            yield reason, WARN
    terms = book.terms[owner]
    if min(equity, own_equity) <= 0:
        yield Reason.CAPITAL, REJECT
    elif terms.kind == "margin":
        if own > Fraction(terms.max_leverage) * own_equity:
            yield Reason.CAPITAL, REJECT
    elif order.side == common_pb2.SIDE_SELL:
        yield Reason.SHORT_SALE, REJECT
    elif asked.quantity * asked.unit_cost * book.multiplier(order.symbol) > free_cash:
        yield Reason.CAPITAL, REJECT
