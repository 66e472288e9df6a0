"""
The facts by the journal's events alone, kept one by one, in fractions.

It shares no arithmetic with the engine: an order keeps what it asked for and what was filled, a fill stands until it is
taken back, and then it is as if it had never been.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from tests.property.waiting import Seen, band_of, believe
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, market_data_pb2, orders_pb2, risk_pb2

ScopeName = tuple[int, str]

PORTFOLIO: ScopeName = (common_pb2.SCOPE_KIND_PORTFOLIO, "")
SUSPENSE = ""
NS_PER_S = 1_000_000_000

_ENDS = (orders_pb2.EXECUTION_TYPE_CANCELED, orders_pb2.EXECUTION_TYPE_REJECTED, orders_pb2.EXECUTION_TYPE_EXPIRED)
_FILLS = (orders_pb2.EXECUTION_TYPE_TRADE, orders_pb2.EXECUTION_TYPE_TRADE_CORRECT)
_REVERSALS = (orders_pb2.EXECUTION_TYPE_TRADE_CANCEL, orders_pb2.EXECUTION_TYPE_TRADE_CORRECT)


@dataclass
class Accepted:
    """
    An accepted order, working until the broker says otherwise; and what it is to become.

    names: every client_order_id that reaches it. told, told_ns: the event that last told its adapter what to do.
    """

    request: orders_pb2.NewOrder
    quantity: Fraction
    unit_cost: Fraction
    unit_loss: Fraction
    filled: Fraction = Fraction(0)
    ended: bool = False
    cancel_requested: bool = False
    acknowledged: bool = False
    claimed: bool = False
    overdue: bool = False
    told: int = 0
    told_ns: int = 0
    replacement: "Accepted | None" = None
    names: list[str] = field(default_factory=list)

    @property
    def is_exit(self) -> bool:
        """Tell whether it passes a halt, for as long as nobody else has changed it."""
        return self.request.HasField("emergency") and self.replacement is None

    @property
    def is_buy(self) -> bool:
        return self.request.side == common_pb2.SIDE_BUY

    @property
    def leaves(self) -> Fraction:
        """Say what is left of the order as the broker has it."""
        return Fraction(0) if self.ended else max(self.quantity - self.filled, Fraction(0))

    @property
    def may_fill(self) -> Fraction:
        """Say what may still be filled, whichever of old and new the broker works."""
        if self.ended or self.replacement is None:
            return self.leaves
        return max(self.leaves, self.replacement.quantity - self.filled)

    @property
    def worst_cost(self) -> Fraction:
        return self.unit_cost if self.replacement is None else max(self.unit_cost, self.replacement.unit_cost)

    @property
    def worst_loss(self) -> Fraction:
        return self.unit_loss if self.replacement is None else max(self.unit_loss, self.replacement.unit_loss)

    @property
    def awaits(self) -> bool:
        """Tell whether the broker owes a report."""
        return not self.ended and (not self.acknowledged or self.cancel_requested or self.replacement is not None)


class Booked(NamedTuple):
    """A fill that stands: whose, in what, how much (signed), at which price and fee, of which order."""

    owner: str
    symbol: str
    quantity: Fraction
    price: Fraction
    fee: Fraction
    order: Accepted | None


class Facts:
    """Who ordered, filled, moved and halted what."""

    def __init__(self, configured: journal_pb2.PortfolioConfigured) -> None:
        """Begin with the capital that the configuration gives out."""
        self.configured = configured
        self.terms = {terms.strategy_id: terms for terms in configured.strategies}
        self.instruments = {instrument.symbol: instrument for instrument in configured.instruments}
        self.owners = [*self.terms, SUSPENSE]
        self.routes = {route.strategy_id: route.adapter for route in configured.routes}
        self.removed: set[str] = set()
        self.leaving: set[str] = set()
        # What a rebalance still has to move, by strategy; negative where it is to come from it.
        self.pending: dict[str, Fraction] = {}
        self.cash = {owner: Fraction(0) for owner in self.owners}
        self.fees: dict[tuple[str, str], Fraction] = {}
        # By owner and currency; of the portfolio's own, ``cash`` tells.
        self.foreign_cash: dict[tuple[str, str], Fraction] = {}
        self.rate_symbols = {rate.currency: rate.symbol for rate in configured.currency_rates}
        self.touched: set[str] = set()
        self.capital = {owner: Fraction(0) for owner in self.owners}
        self.reserve = self.deposits = Fraction(configured.capital)
        for name, terms in self.terms.items():
            self._move("", name, Fraction(terms.capital))
        self.held: dict[tuple[str, str], Fraction] = {}
        self.orders: dict[str, Accepted] = {}
        self.fills: dict[str, Booked] = {}
        self.references: list[str] = []
        self.marks: dict[str, Fraction] = {}
        self.mark_times_ns: dict[str, int] = {}
        self.waiting: dict[str, list[Seen]] = {}
        self.told_of: dict[str, int] = {}
        self.halts: dict[ScopeName, int] = {}
        self.paused: set[str] = set()
        self.sessions: dict[str, tuple[str, int, int]] = {}
        self.time_ns = 0
        self.sequence = 1

    def take(self, event: journal_pb2.Event) -> None:
        """Take one event."""
        stamp_ns = event.time.seconds * NS_PER_S + event.time.nanos
        assert stamp_ns >= self.time_ns, "time went back"
        self.time_ns, self.sequence = stamp_ns, event.sequence
        body = event.WhichOneof("body") or ""
        if (take := getattr(self, f"_take_{body}", None)) is not None:
            take(getattr(event, body))

    def multiplier(self, symbol: str) -> Fraction:
        known = self.instruments.get(symbol)
        return Fraction(known.multiplier) if known is not None else Fraction(1)

    def currency(self, symbol: str) -> str:
        known = self.instruments.get(symbol)
        return known.currency if known is not None else self.configured.currency

    def bought(self, symbol: str) -> str:
        """Name the currency that a unit of an fx instrument is; nothing for other instruments."""
        known = self.instruments.get(symbol)
        return known.buys if known is not None else ""

    def is_future(self, symbol: str) -> bool:
        known = self.instruments.get(symbol)
        return known is not None and known.asset_class == "future"

    def rate(self, currency: str) -> Fraction:
        if currency == self.configured.currency:
            return Fraction(1)
        return self.marks.get(self.rate_symbols[currency], Fraction(0))

    def cash_in(self, owner: str, currency: str) -> Fraction:
        """Say what there is of a currency, if futures were paid for in full like everything else."""
        if currency == self.configured.currency:
            return self.cash[owner]
        return self.foreign_cash.get((owner, currency), Fraction(0))

    def _pay(self, owner: str, currency: str, amount: Fraction) -> None:
        if currency == self.configured.currency:
            self.cash[owner] -= amount
        else:
            self.foreign_cash[owner, currency] = self.cash_in(owner, currency) - amount

    def _touch(self, symbol: str) -> None:
        self.touched |= {self.currency(symbol), self.bought(symbol)} & set(self.rate_symbols)

    def named(self, strategy_id: str, client_order_id: str) -> str:
        """Return the id of the order that a name reaches; empty when there is none."""
        mine = ((o, order) for o, order in self.orders.items() if order.request.strategy_id == strategy_id)
        return next((order_id for order_id, order in mine if client_order_id in order.names), "")

    def working_orders(self) -> Iterator[tuple[str, Accepted]]:
        return ((order_id, order) for order_id, order in self.orders.items() if not order.ended)

    def _take_instrument_upserted(self, upserted: journal_pb2.InstrumentUpserted) -> None:
        self.instruments[upserted.instrument.symbol] = upserted.instrument

    # Orders.

    def _take_order_decided(self, decided: journal_pb2.OrderDecided) -> None:
        if decided.decision.order_id:
            quantity = Fraction(decided.decision.approved_quantity)
            order = _accepted(decided.order, quantity, decided.valuation_price, decided.unit_loss)
            order.names.append(decided.order.client_order_id)
            self.orders[decided.decision.order_id] = order
            self._touch(decided.order.symbol)
            self._tell(order)

    def _take_replace_decided(self, decided: journal_pb2.ReplaceDecided) -> None:
        if not decided.decision.order_id:
            return
        order, asked = self.orders[decided.order_id], decided.replace
        assert not order.ended, "a done order was replaced"
        assert not order.cancel_requested, "an order was replaced while being canceled"
        assert order.replacement is None, "an order was replaced twice at once"
        request = orders_pb2.NewOrder.FromString(order.request.SerializeToString())
        request.client_order_id, request.quantity = asked.client_order_id, asked.quantity
        request.limit_price, request.stop_price = asked.limit_price, asked.stop_price
        request.ClearField("emergency")
        order.replacement = _accepted(request, Fraction(asked.quantity), decided.valuation_price, decided.unit_loss)
        order.names.append(asked.client_order_id)
        self._tell(order)

    def _take_cancel_requested(self, asked: journal_pb2.CancelRequested) -> None:
        order = self.orders[asked.order_id]
        assert not order.ended, "a cancel was asked for an order that is done"
        assert not order.cancel_requested, "a cancel was asked for twice"
        order.cancel_requested = True
        self._tell(order)

    def _take_order_claimed(self, claimed: journal_pb2.OrderClaimed) -> None:
        self.orders[claimed.order_id].claimed = True

    def _take_order_overdue(self, overdue: journal_pb2.OrderOverdue) -> None:
        order = self.orders[overdue.order_id]
        assert order.awaits, "overdue, and nothing is owed"
        assert not order.overdue, "overdue twice"
        order.overdue = True

    def _tell(self, order: Accepted) -> None:
        order.told, order.told_ns, order.overdue = self.sequence, self.time_ns, False

    # Executions.

    def _take_execution_booked(self, booked: journal_pb2.ExecutionBooked) -> None:
        execution = booked.execution
        order = self.orders.get(execution.order_id)
        owner = SUSPENSE if order is None else order.request.strategy_id
        if execution.execution_type in _REVERSALS:
            taken = self.fills.pop(execution.reference_execution_id)
            order, owner = taken.order, taken.owner
            self._count(taken, -1)
        assert booked.strategy_id == owner
        if execution.execution_type in _FILLS:
            self._fill(booked, order, owner)
        if order is not None:
            self._report(order, execution.execution_type)

    def _fill(self, booked: journal_pb2.ExecutionBooked, order: Accepted | None, owner: str) -> None:
        execution = booked.execution
        symbol, side = booked.symbol, booked.side
        if order is not None:
            assert (symbol, side) == (order.request.symbol, order.request.side)
        elif execution.execution_type == orders_pb2.EXECUTION_TYPE_TRADE:
            assert (symbol, side) == (execution.symbol, execution.side)
        price = Fraction(execution.last_price)
        self.marks.setdefault(symbol, price)
        quantity = Fraction(execution.last_quantity) * (1 if side == common_pb2.SIDE_BUY else -1)
        fill = Booked(owner, symbol, quantity, price, Fraction(execution.fee or 0), order)
        self.fills[execution.execution_id] = fill
        self.references.append(execution.execution_id)
        self._count(fill, 1)

    def _count(self, fill: Booked, sign: int) -> None:
        place, quantity = (fill.owner, fill.symbol), sign * fill.quantity
        self.held[place] = self.held.get(place, Fraction(0)) + quantity
        currency, bought, fee = self.currency(fill.symbol), self.bought(fill.symbol), sign * fill.fee
        self._touch(fill.symbol)
        self._pay(fill.owner, currency, quantity * fill.price * self.multiplier(fill.symbol) + fee)
        if bought:
            self._pay(fill.owner, bought, -quantity)
        self.fees[fill.owner, currency] = self.fees.get((fill.owner, currency), Fraction(0)) + fee
        if fill.order is not None:
            fill.order.filled += sign * abs(fill.quantity)

    def _take_suspense_assigned(self, assigned: journal_pb2.SuspenseAssigned) -> None:
        name = assigned.fill.execution.execution_id
        fill = self.fills[name]
        assert fill.owner == SUSPENSE, "assigned, and it was somebody's already"
        self._count(fill, -1)
        # The order that its report named was none of the gate's.
        self.fills[name] = fill._replace(owner=assigned.strategy_id)
        self._count(self.fills[name], 1)

    def _report(self, order: Accepted, kind: orders_pb2.ExecutionType.ValueType) -> None:
        order.acknowledged = True
        if kind == orders_pb2.EXECUTION_TYPE_CANCEL_REJECTED:
            order.cancel_requested = False
        elif kind == orders_pb2.EXECUTION_TYPE_REPLACE_REJECTED:
            order.replacement = None
        elif kind == orders_pb2.EXECUTION_TYPE_REPLACED and (new := order.replacement) is not None:
            order.request, order.quantity = new.request, new.quantity
            order.unit_cost, order.unit_loss, order.replacement = new.unit_cost, new.unit_loss, None
        whole = order.filled >= order.quantity and order.replacement is None
        order.ended = order.ended or kind in _ENDS or whole

    # Prices, operators, capital, sessions.

    def _take_bar_published(self, published: market_data_pb2.PublishBarsRequest) -> None:
        for bar in published.bars:
            self._mark(bar.symbol, Seen(published.time.seconds, Fraction(bar.close)), "", published.interval or "1d")

    def _take_prices_published(self, published: market_data_pb2.PublishPricesRequest) -> None:
        for symbol in dict.fromkeys(price.symbol for price in published.prices):
            mine = [price for price in published.prices if price.symbol == symbol]
            newest = max(reversed(mine), key=lambda price: price.time.seconds)
            self._mark(symbol, Seen(newest.time.seconds, Fraction(newest.price)), published.feed, "")

    def _mark(self, symbol: str, new: Seen, feed: str, interval: str) -> None:
        marked_ns = self.mark_times_ns.get(symbol)
        if marked_ns is not None:
            mark = Seen(marked_ns // NS_PER_S, self.marks[symbol])
            if new.seconds < mark.seconds:
                return
            band = band_of(self.configured, symbol, feed, interval)
            new, waiting = believe(mark, self.waiting.pop(symbol, []), new, band)
            if waiting:
                self.waiting[symbol] = waiting
        self.marks[symbol], self.mark_times_ns[symbol] = new.price, new.seconds * NS_PER_S

    def _take_price_held(self, told: journal_pb2.PriceHeld) -> None:
        assert told.symbol in self.waiting, "told of a price that nobody holds"
        assert self.time_ns - self.told_of.get(told.symbol, 0) >= 60 * NS_PER_S, "told too often"
        self.told_of[told.symbol] = self.time_ns

    def _take_capital_transferred(self, moved: admin_pb2.TransferCapitalRequest) -> None:
        self._move(moved.from_strategy_id, moved.to_strategy_id, Fraction(moved.amount))

    def _move(self, source: str, target: str, amount: Fraction) -> None:
        for name, step in ((source, -amount), (target, amount)):
            if name:
                self.cash[name] += step
                self.capital[name] += step
            else:
                self.reserve += step

    def _take_strategy_added(self, added: journal_pb2.StrategyAdded) -> None:
        name = added.terms.strategy_id
        assert name not in self.terms, "added twice"
        self.terms[name] = added.terms
        self.owners.append(name)
        self.cash[name] = self.capital[name] = Fraction(0)
        if added.request.route:
            self.routes[name] = added.request.route
        self._move("", name, Fraction(added.terms.capital))

    def _take_strategy_leaving(self, leaving: journal_pb2.StrategyLeaving) -> None:
        self.leaving.add(leaving.strategy_id)

    def _take_strategy_removed(self, removed: journal_pb2.StrategyRemoved) -> None:
        name = removed.strategy_id
        assert self.is_flat(name), "removed with something left"
        assert Fraction(removed.amount) == self.cash[name], "removed, and not with all its cash"
        assert name not in self.pending, "a rebalance waits for what has gone"
        self._move(name, "", Fraction(removed.amount))
        self.leaving.discard(name)
        self.paused.discard(name)
        self.halts.pop((common_pb2.SCOPE_KIND_STRATEGY, name), None)
        self.removed.add(name)

    def is_flat(self, name: str) -> bool:
        """Tell whether a strategy has nothing but cash of its own."""
        works = any(order.request.strategy_id == name for _, order in self.working_orders())
        holds = any(quantity for (owner, _), quantity in self.held.items() if owner == name)
        foreign = any(amount for (owner, _), amount in self.foreign_cash.items() if owner == name)
        return not (works or holds or foreign) and self.cash[name] >= 0

    def _take_rebalanced(self, rebalanced: journal_pb2.Rebalanced) -> None:
        assert not self.pending, "one takes the place of another that has not ended"
        self._move_all(rebalanced.moves)
        self.pending = {move.strategy_id: Fraction(move.amount) for move in rebalanced.pending}

    def _take_rebalance_advanced(self, advanced: journal_pb2.RebalanceAdvanced) -> None:
        self._move_all(advanced.moves)
        for move in advanced.moves:
            left = self.pending[move.strategy_id] - Fraction(move.amount)
            assert left * self.pending[move.strategy_id] >= 0, "more has moved than was pending"
            self.pending[move.strategy_id] = left

    def _take_rebalance_ended(self, ended: journal_pb2.RebalanceEnded) -> None:
        left = {name: amount for name, amount in self.pending.items() if amount}
        assert left == {move.strategy_id: Fraction(move.amount) for move in ended.given_up}
        self.pending = {}

    def _move_all(self, moves: Iterable[journal_pb2.CapitalMove]) -> None:
        for move in moves:
            self._move("", move.strategy_id, Fraction(move.amount))

    def _take_capital_moved(self, moved: journal_pb2.CapitalMoved) -> None:
        self.reserve += Fraction(moved.amount)
        self.deposits += Fraction(moved.amount)

    def _take_trading_halted(self, halt: risk_pb2.Halt) -> None:
        self.halts[halt.scope.kind, halt.scope.name] = halt.level

    def _take_halt_reset(self, reset: journal_pb2.HaltReset) -> None:
        del self.halts[reset.scope.kind, reset.scope.name]
        if reset.scope.kind == common_pb2.SCOPE_KIND_STRATEGY:
            self.leaving.discard(reset.scope.name)

    def _take_strategy_paused(self, paused: journal_pb2.StrategyPaused) -> None:
        self.paused.add(paused.strategy_id)

    def _take_strategy_resumed(self, resumed: journal_pb2.StrategyResumed) -> None:
        self.paused.remove(resumed.strategy_id)

    def _take_session_opened(self, opened: journal_pb2.SessionOpened) -> None:
        self.sessions[opened.adapter] = opened.session_id, opened.heartbeat_s, opened.halt_on_loss

    def _take_session_closed(self, closed: journal_pb2.SessionClosed) -> None:
        assert self.sessions.pop(closed.adapter)[0] == closed.session_id, "closed, and it was another one"


def _accepted(order: orders_pb2.NewOrder, quantity: Fraction, price: str, unit_loss: str) -> Accepted:
    return Accepted(order, quantity, Fraction(price), Fraction(unit_loss or 0))
