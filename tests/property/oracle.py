"""What the gate has to find in an order or in a report, worked out on the naive model."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

from tests.property.facts import NS_PER_S, Accepted
from tests.property.naive import HALT, HALTED, REJECT, WARN, Finding, Naive
from tidegate.reasons import Reason
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2

_ABOUT_A_REPLACEMENT = (orders_pb2.EXECUTION_TYPE_REPLACED, orders_pb2.EXECUTION_TYPE_REPLACE_REJECTED)


def findings(book: Naive, order: orders_pb2.NewOrder, now_ns: int, replaced: str = "") -> set[Finding]:
    """
    Name every violation that a well-formed order has, with the action that it asks for.

    replaced: the id of the working order that it is to replace.
    """
    missing = _missing(book, order)
    if missing is not None:
        return {(missing, REJECT)}
    reducing = is_reducing(book, order, replaced)
    gone = order.strategy_id in book.removed and not order.HasField("emergency")
    found = {(Reason.STRATEGY_REMOVED, REJECT)} if gone else set[Finding]()
    found |= set(_permission(book, order, now_ns, reducing=reducing))
    found |= set(_option(book, order, now_ns, reducing=reducing))
    found |= set(_currency(book, order, now_ns, replaced, reducing=reducing))
    if not reducing:
        found |= set(_exposure(book, order, replaced)) | set(_product(book, order))
    return found


def is_reducing(book: Naive, order: orders_pb2.NewOrder, replaced: str = "") -> bool:
    """Tell whether an order only reduces: opposite to the position, and no more than the other orders leave of it."""
    held = book.held.get((order.strategy_id, order.symbol), Fraction(0))
    is_buy = order.side == common_pb2.SIDE_BUY
    opposite = held < 0 if is_buy else held > 0
    with _standing(book, order, replaced):
        return opposite and book.working(order.strategy_id, order.symbol, buys=is_buy) <= abs(held)


def _option(book: Naive, order: orders_pb2.NewOrder, now_ns: int, *, reducing: bool) -> Iterator[Finding]:
    """Ask of an option that it lives, and that its underlying's price is fresh."""
    option = book.option(order.symbol)
    if option is None:
        return
    age_ns = now_ns - book.mark_times_ns[option.underlying]
    if now_ns >= option.expiry_ns:
        yield Reason.OPTION_EXPIRED, REJECT
    elif age_ns > book.configured.limits.max_price_age_s * NS_PER_S and not (reducing and order.limit_price):
        yield Reason.PRICE_STALE, REJECT


def _currency(
    book: Naive, order: orders_pb2.NewOrder, now_ns: int, replaced: str, *, reducing: bool
) -> Iterator[Finding]:
    """Ask for fresh rates, and that a cash strategy exchanges what it has, counting what all its orders may take."""
    ages_ns = [now_ns - book.mark_times_ns[symbol] for symbol in _rates(book, order)]
    limit_ns = book.configured.limits.max_price_age_s * NS_PER_S
    is_way_out = reducing and (order.limit_price or order.HasField("emergency"))
    if max(ages_ns, default=0) > limit_ns and not is_way_out:
        yield Reason.FX_RATE_STALE, REJECT
    owner, bought = order.strategy_id, book.bought(order.symbol)
    if bought and book.terms[owner].kind == "cash":
        currency = book.currency(order.symbol) if order.side == common_pb2.SIDE_BUY else bought
        before = book.reserved_cash(owner, currency)
        with _standing(book, order, replaced):
            after = book.reserved_cash(owner, currency)
        if after > before and after > book.cash_in(owner, currency):
            yield Reason.CURRENCY_NOT_AVAILABLE, REJECT


@contextmanager
def _standing(book: Naive, order: orders_pb2.NewOrder, replaced: str) -> Iterator[Accepted]:
    """Let an order work in the book for a moment, beside the others or as what one of them is to become."""
    asked = Accepted(order, Fraction(order.quantity), unit_cost(book, order), unit_loss(book, order))
    before = dict(book.orders)
    try:
        if replaced:
            book.orders[replaced] = replace(before[replaced], replacement=asked)
        else:
            book.orders["asked"] = asked
        yield asked
    finally:
        book.orders = before


def unit_cost(book: Naive, order: orders_pb2.NewOrder) -> Fraction:
    """Say what a unit costs at worst: a buy its worst price when that is above the mark."""
    mark = book.marks[order.symbol]
    return max(mark, worst_price(book, order)) if order.side == common_pb2.SIDE_BUY else mark


def value_at(book: Naive, order: orders_pb2.NewOrder, price: Fraction) -> Fraction:
    """Value a unit at a price, in the portfolio's currency."""
    return price * book.multiplier(order.symbol) * book.rate(book.currency(order.symbol))


def unit_loss(book: Naive, order: orders_pb2.NewOrder) -> Fraction:
    """Say what a unit loses against the mark when it is filled at its worst price."""
    gap = worst_price(book, order) - book.marks[order.symbol]
    return max(gap if order.side == common_pb2.SIDE_BUY else -gap, Fraction(0))


def worst_price(book: Naive, order: orders_pb2.NewOrder) -> Fraction:
    """Say the worst price of a fill: the limit; else as far as the collar, from the mark or a stop beyond it."""
    if order.limit_price:
        return Fraction(order.limit_price)
    mark, is_buy = book.marks[order.symbol], order.side == common_pb2.SIDE_BUY
    stop = Fraction(order.stop_price) if order.stop_price else mark
    collar = Fraction(book.configured.order_rules.collar or 0)
    if is_buy:
        return Fraction(ceil(max(mark, stop) * (1 + collar) * 10**8), 10**8)
    return Fraction(floor(min(mark, stop) * (1 - collar) * 10**8), 10**8)


def _missing(book: Naive, order: orders_pb2.NewOrder) -> str | None:
    if order.strategy_id not in book.terms:
        return Reason.STRATEGY_UNKNOWN
    if order.symbol not in book.instruments:
        return Reason.INSTRUMENT_UNKNOWN
    if order.route and order.route not in book.configured.adapters:
        return Reason.ADAPTER_UNKNOWN
    option = book.option(order.symbol)
    if not {order.symbol, option.underlying if option is not None else order.symbol} <= book.mark_times_ns.keys():
        return Reason.PRICE_MISSING
    return None if all(symbol in book.mark_times_ns for symbol in _rates(book, order)) else Reason.FX_RATE_MISSING


def _rates(book: Naive, order: orders_pb2.NewOrder) -> set[str]:
    """Name the rates, other than its own price, that an order's value depends on."""
    currencies = {book.currency(order.symbol), book.bought(order.symbol)} & set(book.rate_symbols)
    return {book.rate_symbols[currency] for currency in currencies} - {order.symbol}


def _permission(book: Naive, order: orders_pb2.NewOrder, now_ns: int, *, reducing: bool) -> Iterator[Finding]:
    instrument, limits = book.instruments[order.symbol], book.configured.limits
    quantity = Fraction(order.quantity)
    levels = book.halt_levels(order.strategy_id, order.symbol)
    is_exit = order.HasField("emergency")
    if HALTED in levels and not (reducing and is_exit):
        yield Reason.TRADING_HALTED, HALT
    elif levels and not reducing:
        yield Reason.REDUCE_ONLY, REJECT
    elif order.strategy_id in book.paused and not reducing:
        yield Reason.STRATEGY_PAUSED, REJECT
    if not (reducing and (order.limit_price or is_exit)):
        yield from _price(book, order.symbol, now_ns)
    if (quantity / Fraction(instrument.lot)).denominator != 1:
        yield Reason.QUANTITY_OFF_LOT, REJECT
    elif order.limit_price and (Fraction(order.limit_price) / Fraction(instrument.tick)).denominator != 1:
        yield Reason.PRICE_OFF_TICK, REJECT
    if (order.reduce_only or is_exit) and not reducing:
        yield Reason.NOT_REDUCING, REJECT
    if quantity > Fraction(limits.max_order_quantity):
        yield Reason.ORDER_QUANTITY, REJECT
    elif value_at(book, order, unit_cost(book, order)) * quantity > Fraction(limits.max_order_notional):
        yield Reason.ORDER_NOTIONAL, REJECT


def _price(book: Naive, symbol: str, now_ns: int) -> Iterator[Finding]:
    if now_ns - book.mark_times_ns[symbol] > book.configured.limits.max_price_age_s * NS_PER_S:
        yield Reason.PRICE_STALE, REJECT
    if symbol in book.waiting:
        yield Reason.PRICE_UNCONFIRMED, REJECT


def _exposure(book: Naive, order: orders_pb2.NewOrder, replaced: str) -> Iterator[Finding]:
    """Add the order to the working ones, and add everything up again."""
    limits, owner = book.configured.limits, order.strategy_id
    terms, halted = book.terms[owner], book.drawdown() == HALT
    with _standing(book, order, replaced):
        loss = sum((book.reserved_loss(one) for one in book.terms), Fraction(0))
        equity, own_equity = book.equity() - loss, book.equity_of(owner) - book.reserved_loss(owner)
        action = book.drawdown(loss)
        gross, exposure, own = book.gross(), book.instrument_exposure(order.symbol), book.gross_of(owner)
        currency = book.currency(order.symbol)
        is_paid = book.reserved_cash(owner, currency) <= book.cash_in(owner, currency)
    if action is not None:
        yield Reason.DRAWDOWN, REJECT if action == HALT and not halted else action
    for reason, actual, limit, warn in (
        (Reason.LEVERAGE, gross, limits.max_leverage, limits.warn_leverage),
        (Reason.CONCENTRATION, exposure, limits.max_concentration, limits.warn_concentration),
    ):
        if actual > Fraction(limit) * equity:
            yield reason, REJECT
        elif actual > Fraction(warn) * equity:
            yield reason, WARN
    if min(equity, own_equity) <= 0:
        yield Reason.CAPITAL, REJECT
    elif terms.kind == "margin":
        if own > Fraction(terms.max_leverage) * own_equity:
            yield Reason.CAPITAL, REJECT
    elif not (book.is_future(order.symbol) or book.bought(order.symbol)):
        yield from _cash(order, is_paid=is_paid)


def _cash(order: orders_pb2.NewOrder, *, is_paid: bool) -> Iterator[Finding]:
    if order.side == common_pb2.SIDE_SELL:
        yield Reason.SHORT_SALE, REJECT
    elif not is_paid:
        yield Reason.CAPITAL, REJECT


def _product(book: Naive, order: orders_pb2.NewOrder) -> Iterator[Finding]:
    """Ask for what the instrument's kind asks of who adds to it."""
    if any(book.rate_symbols[currency] not in book.mark_times_ns for currency in book.touched):
        yield Reason.FX_RATE_MISSING, REJECT
    if book.is_future(order.symbol) and book.terms[order.strategy_id].kind == "cash":
        yield Reason.MARGIN_NEEDED, REJECT


def odd(book: Naive, booked: journal_pb2.ExecutionBooked) -> Iterator[str]:
    """Name what is to be alerted about a report that is booked."""
    execution = booked.execution
    taken = book.fills.get(execution.reference_execution_id)
    order = book.orders.get(execution.order_id) if taken is None else taken.order
    if order is None:
        if execution.execution_type == orders_pb2.EXECUTION_TYPE_TRADE:
            yield Reason.EXECUTION_OF_UNKNOWN_ORDER
        return
    if not order.ended and order.request.route not in ("", booked.adapter):
        yield Reason.EXECUTION_BY_OTHER_ADAPTER
    if execution.last_quantity:
        yield from _odd_fill(
            order, Fraction(execution.last_quantity), abs(taken.quantity) if taken is not None else None
        )
    elif execution.execution_type in _ABOUT_A_REPLACEMENT:
        is_late = order.ended and execution.execution_type == orders_pb2.EXECUTION_TYPE_REPLACED
        if order.replacement is None or is_late:
            yield Reason.EXECUTION_OF_UNKNOWN_REPLACEMENT


def _odd_fill(order: Accepted, quantity: Fraction, corrected: Fraction | None) -> Iterator[str]:
    if corrected is not None:
        if quantity > corrected and order.filled - corrected + quantity > order.quantity:
            yield Reason.EXECUTION_OVERFILL
    elif order.ended:
        yield Reason.EXECUTION_AFTER_DONE
    elif quantity > order.may_fill:
        yield Reason.EXECUTION_OVERFILL
