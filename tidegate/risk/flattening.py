"""Flattening: every position of a scope is closed at market, one place at a time, until it is closed or cannot be."""

from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal

from tidegate.numbers import ZERO, plain
from tidegate.reasons import Reason
from tidegate.risk.book import Book
from tidegate.risk.cancels import request_cancels
from tidegate.risk.draft import Draft
from tidegate.risk.halts import Place
from tidegate.risk.operators import read_operator, read_scope
from tidegate.risk.scopes import Scope
from tidegate.strategy_book import SUSPENSE
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, orders_pb2, risk_pb2

# So many orders at most go out for one place at once; what is left goes out with the next report.
ORDERS_MAX = 100

_ENDS = frozenset(
    {orders_pb2.EXECUTION_TYPE_CANCELED, orders_pb2.EXECUTION_TYPE_REJECTED, orders_pb2.EXECUTION_TYPE_EXPIRED}
)
# What a smaller order passes; the violation says by how much smaller.
_SIZES = frozenset({Reason.ORDER_QUANTITY, Reason.ORDER_NOTIONAL})


def flatten(draft: Draft, command: admin_pb2.FlattenRequest) -> admin_pb2.FlattenResponse:
    """Close a scope's positions; it stays REDUCE_ONLY at least, so that nothing fills what is being emptied."""
    scope = read_scope(draft.book, command.scope)
    read_operator(command.operator, command.reason)
    if scope not in draft.book.halts:
        body = risk_pb2.Halt(
            scope=scope.to_wire(),
            level=common_pb2.HALT_LEVEL_REDUCE_ONLY,
            operator=command.operator,
            reason_code=Reason.FLATTEN,
            reason=command.reason,
        )
        draft.record(trading_halted=body)
    cancels = request_flatten(draft, scope, command.operator, command.reason)
    return admin_pb2.FlattenResponse(cancels_requested=cancels)


def request_flatten(draft: Draft, scope: Scope, operator: str, reason: str) -> int:
    """Record that a scope is to be flattened, and the cancels that this asks for; return how many."""
    book = draft.book
    # An emergency exit that works already closes what it was meant to.
    others = [order for order in book.orders_in(scope) if not order.is_emergency]
    cancels = request_cancels(draft, others, Reason.FLATTEN)
    places = [
        journal_pb2.FlattenPlace(strategy_id=strategy_id, symbol=symbol)
        for strategy_id, strategy in book.strategies.items()
        for symbol in sorted(strategy.ledger.positions)
        if scope.covers(strategy_id, symbol)
    ]
    wire = scope.to_wire()
    draft.record(
        flatten_requested=journal_pb2.FlattenRequested(scope=wire, operator=operator, reason=reason, places=places)
    )
    return cancels


def touched(book: Book, events: list[journal_pb2.Event]) -> list[tuple[Place, str]]:
    """Name the places to look at after some events, each with what ended it: an order of its own that did not fill."""
    found: dict[Place, str] = {}
    for event in events:
        kind = event.WhichOneof("body")
        if kind == "flatten_requested":
            for entry in event.flatten_requested.places:
                found.setdefault((entry.strategy_id, entry.symbol), "")
        elif kind == "suspense_assigned":
            found.setdefault((event.suspense_assigned.strategy_id, event.suspense_assigned.fill.symbol), "")
        elif kind == "execution_booked":
            booked = event.execution_booked
            place = (booked.strategy_id, booked.symbol)
            standing = book.flattenings.get(place)
            if standing is not None:
                execution = booked.execution
                is_end = execution.execution_type in _ENDS and execution.order_id in standing.order_ids
                found[place] = execution.order_id if is_end else found.get(place, "")
    return [(place, ended) for place, ended in found.items() if place in book.flattenings]


def step(book: Book, place: Place, ended_by: str) -> orders_pb2.NewOrder | journal_pb2.FlattenEnded | None:
    """Return what is to be done about a place now: the next order, its end, or nothing until a report comes."""
    strategy_id, symbol = place
    position, standing = book.strategies[strategy_id].ledger.positions.get(symbol), book.flattenings[place]
    if position is None:
        return journal_pb2.FlattenEnded(strategy_id=strategy_id, symbol=symbol, quantity="0")
    route, instrument = book.routes.get(strategy_id), book.instruments.get(symbol)
    if ended_by or route is None or instrument is None:
        return _impossible(book, place, ended_by)
    held = position.quantity
    # What working orders may still fill on this side is on its way out already.
    left = abs(held) - (position.working_sells if held > ZERO else position.working_buys)
    lots = (left / instrument.lot).to_integral_value(rounding=ROUND_DOWN)
    if lots > ZERO:
        return orders_pb2.NewOrder(
            strategy_id=strategy_id,
            client_order_id=f"flatten-{book.sequence + 1}-{symbol}",
            symbol=symbol,
            side=common_pb2.SIDE_SELL if held > ZERO else common_pb2.SIDE_BUY,
            order_type=common_pb2.ORDER_TYPE_MARKET,
            quantity=plain(lots * instrument.lot),
            time_in_force=common_pb2.TIME_IN_FORCE_DAY,
            route=route,
            emergency=orders_pb2.EmergencyExit(operator=standing.operator, reason=standing.reason),
        )
    if held and not (position.working_buys or position.working_sells):
        text = f"{plain(held)} {symbol} are less than the lot of {plain(instrument.lot)}"
        return ended(book, place, Reason.QUANTITY_OFF_LOT, text)
    return None


def _impossible(book: Book, place: Place, ended_by: str) -> journal_pb2.FlattenEnded:
    strategy_id, symbol = place
    if ended_by:
        return ended(book, place, Reason.FLATTEN_INCOMPLETE, f"order {ended_by} ended before it was filled")
    if strategy_id not in book.routes:
        text = f"strategy {strategy_id} has no route" if strategy_id != SUSPENSE else "the suspense ledger has no route"
        return ended(book, place, Reason.ROUTE_MISSING, text)
    return ended(book, place, Reason.INSTRUMENT_UNKNOWN, f"instrument {symbol} is not in the portfolio file")


def ended(book: Book, place: Place, reason: str, text: str) -> journal_pb2.FlattenEnded:
    """Say that nothing more is done about a place."""
    strategy_id, symbol = place
    position = book.strategies[strategy_id].ledger.positions.get(symbol)
    quantity = ZERO if position is None else position.quantity
    return journal_pb2.FlattenEnded(
        strategy_id=strategy_id, symbol=symbol, quantity=plain(quantity), reason_code=reason, reason=text
    )


def smaller(book: Book, order: orders_pb2.NewOrder, refused: Draft) -> str:
    """Return the quantity, in whole lots, that the limits of one order leave of a refused one; empty when none does."""
    decision, share = refused.reply, Decimal(1)
    for violation in decision.violations if decision is not None else ():
        if violation.action >= common_pb2.ACTION_REJECT:
            if violation.reason_code not in _SIZES:
                return ""
            share = min(share, Decimal(violation.limit) / Decimal(violation.actual))
    lot = book.instruments[order.symbol].lot
    lots = (Decimal(order.quantity) * share / lot).to_integral_value(rounding=ROUND_DOWN)
    return plain(lots * lot) if ZERO < lots * lot < Decimal(order.quantity) else ""


def report(book: Book, events: list[journal_pb2.Event]) -> Iterator[admin_pb2.FlattenedPosition]:
    """Tell what the events of a Flatten did about each place."""
    sent: dict[Place, Decimal] = {}
    for event in events:
        order = event.order_decided.order
        if event.HasField("order_decided") and event.order_decided.decision.order_id:
            place = (order.strategy_id, order.symbol)
            sent[place] = sent.get(place, ZERO) + Decimal(event.order_decided.decision.approved_quantity)
    ends = {
        (e.flatten_ended.strategy_id, e.flatten_ended.symbol): e.flatten_ended
        for e in events
        if e.HasField("flatten_ended")
    }
    (requested,) = (e.flatten_requested for e in events if e.HasField("flatten_requested"))
    for entry in requested.places:
        place = (entry.strategy_id, entry.symbol)
        end, submitted = ends.get(place), sent.get(place, ZERO)
        position = book.strategies[entry.strategy_id].ledger.positions[entry.symbol]
        waiting = (position.working_sells if position.quantity >= ZERO else position.working_buys) - submitted
        yield admin_pb2.FlattenedPosition(
            strategy_id=entry.strategy_id,
            symbol=entry.symbol,
            quantity=plain(position.quantity),
            submitted_quantity=plain(submitted),
            waiting_quantity=plain(waiting),
            reason_code=end.reason_code if end is not None else "",
            reason=end.reason if end is not None else "",
        )
