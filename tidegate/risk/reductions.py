"""The orders by which capital gets free: a strategy's positions become smaller, each by the same share."""

from collections.abc import Iterable, Iterator
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal

from tidegate.instruments import IN_FULL
from tidegate.numbers import ONE, ZERO, plain
from tidegate.positions import Position
from tidegate.reasons import Reason
from tidegate.risk.book import Book
from tidegate.risk.draft import Draft
from tidegate.risk.scopes import strategy_scope
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, orders_pb2


def due(book: Book, events: Iterable[journal_pb2.Event]) -> Iterator[str]:
    """
    Name the strategies whose positions are to be looked at after some events: new ones to reduce, or another fill.

    An order that the broker rejects is not sent again by itself: only a fill makes the gate look once more.
    """
    standing = book.rebalance
    if standing is None:
        return
    owing = {strategy_id for strategy_id, amount in standing.pending.items() if amount < ZERO}
    found: set[str] = set()
    for event in events:
        if event.HasField("rebalanced"):
            found |= owing
        elif event.execution_booked.execution.execution_type == orders_pb2.EXECUTION_TYPE_TRADE:
            found |= owing & {event.execution_booked.strategy_id}
    yield from sorted(found)


def reductions(book: Book, strategy_id: str, wanted: Decimal) -> Iterator[admin_pb2.Reduction]:
    """Say what is to be sold, or bought back, until so much may leave; nothing when what works already is enough."""
    of_cash, of_all = _shares(book, strategy_id, wanted)
    for symbol, position in sorted(book.strategies[strategy_id].ledger.positions.items()):
        instrument, left = book.instruments.get(symbol), _left(position)
        if instrument is None or not left or (strategy_id, symbol) in book.flattenings:
            continue
        share = max(of_cash, of_all) if _cash_from(position) > ZERO else of_all
        lots = (abs(left) * share / instrument.lot).to_integral_value(rounding=ROUND_CEILING)
        most = (abs(left) / instrument.lot).to_integral_value(rounding=ROUND_DOWN)
        if quantity := min(lots, most) * instrument.lot:
            side = common_pb2.SIDE_SELL if left > ZERO else common_pb2.SIDE_BUY
            yield admin_pb2.Reduction(symbol=symbol, side=side, quantity=plain(quantity))


def wanted(book: Book, strategy_id: str) -> list[admin_pb2.Reduction]:
    """Say what is to be sold, or bought back, for what a strategy still owes to a rebalance."""
    owed = ZERO if book.rebalance is None else -book.rebalance.pending.get(strategy_id, ZERO)
    return list(reductions(book, strategy_id, owed)) if owed > ZERO else []


def blocked(order: orders_pb2.NewOrder, submitted: Draft) -> journal_pb2.AlertRaised | None:
    """Write the alert of an order that nobody will send; None when it goes out."""
    code, why = Reason.ROUTE_MISSING.value, "no adapter sends the strategy's orders"
    if submitted.refusal is not None:
        code, why = submitted.refusal.reason, submitted.refusal.text
    elif order.route:
        if submitted.reply.order_id:
            return None
        code, why = submitted.reply.reason_code, submitted.reply.reason
    text = f"{order.quantity} {order.symbol} of {order.strategy_id} are not closed for a rebalance: {code}: {why}"
    scope = strategy_scope(order.strategy_id).to_wire()
    return journal_pb2.AlertRaised(reason_code=Reason.REBALANCE_BLOCKED, scope=scope, text=text)


def order_of(book: Book, strategy_id: str, reduction: admin_pb2.Reduction) -> orders_pb2.NewOrder:
    """Write the order that reduces a position; it has no rights that others have not."""
    return orders_pb2.NewOrder(
        strategy_id=strategy_id,
        client_order_id=f"rebalance-{book.sequence + 1}-{reduction.symbol}",
        symbol=reduction.symbol,
        side=reduction.side,
        order_type=common_pb2.ORDER_TYPE_MARKET,
        quantity=reduction.quantity,
        time_in_force=common_pb2.TIME_IN_FORCE_DAY,
        reduce_only=True,
        route=book.routes.get(strategy_id, ""),
    )


def _shares(book: Book, strategy_id: str, wanted: Decimal) -> tuple[Decimal, Decimal]:
    """
    Return the share that has to go of what brings cash, and the share of everything, by the strategy's own leverage.

    Cash that working buys have reserved gets free, or becomes a position whose fill asks again; so neither it nor what
    is on its way out is counted twice.
    """
    strategy, terms = book.strategies[strategy_id], book.terms[strategy_id]
    ledger, positions = strategy.ledger, list(strategy.ledger.positions.values())
    coming = sum((_cash_from(p) * (ONE - _share_left(p)) for p in positions), ledger.reserved_cash)
    lacking = wanted - strategy.cash_available - coming
    available = sum((max(_cash_from(p), ZERO) * _share_left(p) for p in positions), ZERO)
    of_cash = lacking / available if lacking > ZERO and available > ZERO else ZERO
    if not terms.is_margin:
        return min(of_cash, ONE), ZERO
    exposure = sum((abs(p.net_exposure) * p.rate * _share_left(p) for p in positions), ZERO)
    excess = exposure - (ledger.equity - wanted) * terms.max_leverage
    of_all = excess / exposure if excess > ZERO and exposure > ZERO else ZERO
    return min(of_cash, ONE), min(of_all, ONE)


def _left(position: Position) -> Decimal:
    """Return what working orders leave of a position, signed."""
    if position.quantity > ZERO:
        return max(position.quantity - position.working_sells, ZERO)
    return min(position.quantity + position.working_buys, ZERO)


def _share_left(position: Position) -> Decimal:
    return _left(position) / position.quantity if position.quantity else ZERO


def _cash_from(position: Position) -> Decimal:
    """Return the transferable cash that closing a position brings: of a short one only what it has earned."""
    if position.settlement != IN_FULL or position.account is not None:
        return ZERO
    return position.market_value if position.quantity > ZERO else position.unrealised_pnl
