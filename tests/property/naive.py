"""
A naive model of the book: facts kept one by one, everything else added up afresh, in fractions.

It folds the journal's events and shares no arithmetic with the engine. Where the engine keeps running sums, this keeps
none; where the engine decides, this says what had to be decided.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, market_data_pb2, orders_pb2, risk_pb2

Finding = tuple[str, common_pb2.Action.ValueType]
ScopeName = tuple[int, str]

PORTFOLIO: ScopeName = (common_pb2.SCOPE_KIND_PORTFOLIO, "")
SUSPENSE = ""
HALTED = common_pb2.HALT_LEVEL_HALTED
WARN, REJECT, HALT = common_pb2.ACTION_WARN, common_pb2.ACTION_REJECT, common_pb2.ACTION_HALT
NS_PER_S = 1_000_000_000

_TRADE = orders_pb2.EXECUTION_TYPE_TRADE
_ENDS = (orders_pb2.EXECUTION_TYPE_CANCELED, orders_pb2.EXECUTION_TYPE_REJECTED, orders_pb2.EXECUTION_TYPE_EXPIRED)


@dataclass
class Accepted:
    """An accepted order, working until the broker says otherwise."""

    request: orders_pb2.NewOrder
    quantity: Fraction
    unit_cost: Fraction
    unit_loss: Fraction
    filled: Fraction = Fraction(0)
    ended: bool = False
    cancel_requested: bool = False

    @property
    def is_buy(self) -> bool:
        return self.request.side == common_pb2.SIDE_BUY

    @property
    def leaves(self) -> Fraction:
        return Fraction(0) if self.ended else max(self.quantity - self.filled, Fraction(0))


class Naive:
    """Who owns what, by the journal's events alone."""

    def __init__(self, configured: journal_pb2.PortfolioConfigured) -> None:
        """Begin with the capital that the configuration gives out."""
        self.configured = configured
        self.terms = {terms.strategy_id: terms for terms in configured.strategies}
        self.instruments = {instrument.symbol: instrument for instrument in configured.instruments}
        self.owners = [*self.terms, SUSPENSE]
        self.cash = {owner: Fraction(0) for owner in self.owners}
        self.capital = {owner: Fraction(0) for owner in self.owners}
        self.reserve = Fraction(configured.capital)
        for name, terms in self.terms.items():
            self._move("", name, Fraction(terms.capital))
        self.held: dict[tuple[str, str], Fraction] = {}
        self.orders: dict[str, Accepted] = {}
        self.marks: dict[str, Fraction] = {}
        self.mark_times_ns: dict[str, int] = {}
        self.halts: dict[ScopeName, int] = {}
        self.paused: set[str] = set()
        self.peak = Fraction(configured.capital)
        self.time_ns = 0

    # Folding.

    def fold(self, event: journal_pb2.Event) -> None:
        """Take one event."""
        stamp_ns = event.time.seconds * NS_PER_S + event.time.nanos
        assert stamp_ns >= self.time_ns, "time went back"
        self.time_ns = stamp_ns
        body = event.WhichOneof("body") or ""
        if (fold := getattr(self, f"_fold_{body}", None)) is not None:
            fold(getattr(event, body))
        self.peak = max(self.peak, self.equity())

    def _fold_order_decided(self, decided: journal_pb2.OrderDecided) -> None:
        if decided.decision.order_id:
            quantity, cost = Fraction(decided.decision.approved_quantity), Fraction(decided.valuation_price)
            loss = Fraction(decided.unit_loss or 0)
            self.orders[decided.decision.order_id] = Accepted(decided.order, quantity, cost, loss)

    def _fold_cancel_requested(self, asked: journal_pb2.CancelRequested) -> None:
        order = self.orders[asked.order_id]
        assert order.leaves, "a cancel was asked for an order that is done"
        assert not order.cancel_requested, "a cancel was asked for twice"
        order.cancel_requested = True

    def _fold_bar_published(self, published: market_data_pb2.PublishBarsRequest) -> None:
        for bar in published.bars:
            self._mark(bar.symbol, bar.close, published.time.seconds)

    def _fold_prices_published(self, published: market_data_pb2.PublishPricesRequest) -> None:
        for price in published.prices:
            self._mark(price.symbol, price.price, price.time.seconds)

    def _fold_capital_transferred(self, moved: admin_pb2.TransferCapitalRequest) -> None:
        self._move(moved.from_strategy_id, moved.to_strategy_id, Fraction(moved.amount))

    def _fold_trading_halted(self, halt: risk_pb2.Halt) -> None:
        self.halts[halt.scope.kind, halt.scope.name] = halt.level

    def _fold_halt_reset(self, reset: journal_pb2.HaltReset) -> None:
        del self.halts[reset.scope.kind, reset.scope.name]
        if reset.high_water_mark == admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE:
            self.peak = self.equity()

    def _fold_strategy_paused(self, paused: journal_pb2.StrategyPaused) -> None:
        self.paused.add(paused.strategy_id)

    def _fold_strategy_resumed(self, resumed: journal_pb2.StrategyResumed) -> None:
        self.paused.remove(resumed.strategy_id)

    def _fold_execution_booked(self, booked: journal_pb2.ExecutionBooked) -> None:
        execution = booked.execution
        order = self.orders.get(execution.order_id)
        assert booked.strategy_id == (order.request.strategy_id if order is not None else SUSPENSE)
        if execution.execution_type == _TRADE:
            symbol, side = (
                (execution.symbol, execution.side) if order is None else (order.request.symbol, order.request.side)
            )
            quantity = Fraction(execution.last_quantity) * (1 if side == common_pb2.SIDE_BUY else -1)
            price = Fraction(execution.last_price)
            self.marks.setdefault(symbol, price)
            place = (booked.strategy_id, symbol)
            self.held[place] = self.held.get(place, Fraction(0)) + quantity
            self.cash[booked.strategy_id] -= quantity * price * self.multiplier(symbol) + Fraction(execution.fee or 0)
            if order is not None:
                order.filled += abs(quantity)
        elif order is not None and execution.execution_type in _ENDS:
            order.ended = True
        elif order is not None and execution.execution_type == orders_pb2.EXECUTION_TYPE_CANCEL_REJECTED:
            order.cancel_requested = False

    def _mark(self, symbol: str, price: str, seconds: int) -> None:
        if seconds * NS_PER_S >= self.mark_times_ns.get(symbol, 0):
            self.marks[symbol] = Fraction(price)
            self.mark_times_ns[symbol] = seconds * NS_PER_S

    def _move(self, source: str, target: str, amount: Fraction) -> None:
        for name, step in ((source, -amount), (target, amount)):
            if name:
                self.cash[name] += step
                self.capital[name] += step
            else:
                self.reserve += step

    # Adding up.

    def multiplier(self, symbol: str) -> Fraction:
        known = self.instruments.get(symbol)
        return Fraction(known.multiplier) if known is not None else Fraction(1)

    def price_of_unit(self, symbol: str) -> Fraction:
        return self.marks.get(symbol, Fraction(0)) * self.multiplier(symbol)

    def working(self, owner: str, symbol: str, *, buys: bool) -> Fraction:
        found = (o for o in self.orders.values() if (o.request.strategy_id, o.request.symbol) == (owner, symbol))
        return sum((order.leaves for order in found if order.is_buy is buys), Fraction(0))

    def reserved_cash(self, owner: str) -> Fraction:
        mine = (o for o in self.orders.values() if o.request.strategy_id == owner and o.is_buy)
        return sum((o.leaves * o.unit_cost * self.multiplier(o.request.symbol) for o in mine), Fraction(0))

    def reserved_loss(self, owner: str) -> Fraction:
        mine = (o for o in self.orders.values() if o.request.strategy_id == owner)
        return sum((o.leaves * o.unit_loss * self.multiplier(o.request.symbol) for o in mine), Fraction(0))

    def worst(self, owner: str, symbol: str) -> Fraction:
        held = self.held.get((owner, symbol), Fraction(0))
        buys, sells = (self.working(owner, symbol, buys=is_buy) for is_buy in (True, False))
        return max(abs(held + buys), abs(held - sells))

    def value(self, owner: str) -> Fraction:
        mine = ((symbol, quantity) for (who, symbol), quantity in self.held.items() if who == owner)
        return sum((quantity * self.price_of_unit(symbol) for symbol, quantity in mine), Fraction(0))

    def equity_of(self, owner: str) -> Fraction:
        return self.cash[owner] + self.value(owner)

    def equity(self) -> Fraction:
        return self.reserve + sum((self.equity_of(owner) for owner in self.owners), Fraction(0))

    def instrument_exposure(self, symbol: str) -> Fraction:
        worst = sum((self.worst(owner, symbol) for owner in self.owners), Fraction(0))
        return worst * self.price_of_unit(symbol)

    def gross_of(self, owner: str) -> Fraction:
        return sum((self.worst(owner, symbol) * self.price_of_unit(symbol) for symbol in self.marks), Fraction(0))

    def gross(self) -> Fraction:
        return sum((self.gross_of(owner) for owner in self.owners), Fraction(0))

    def halt_levels(self, strategy_id: str, symbol: str) -> list[int]:
        scopes = [
            PORTFOLIO,
            (common_pb2.SCOPE_KIND_STRATEGY, strategy_id),
            (common_pb2.SCOPE_KIND_INSTRUMENT, symbol),
        ]
        return [self.halts[scope] for scope in scopes if scope in self.halts]

    # What has to be.

    def drawdown(self, loss: Fraction = Fraction(0)) -> common_pb2.Action.ValueType | None:
        """Name what the fall below the peak, and a further loss, asks for."""
        limits, equity = self.configured.limits, self.equity() - loss
        for share, action in (
            (limits.halt_drawdown, HALT),
            (limits.max_drawdown, REJECT),
            (limits.warn_drawdown, WARN),
        ):
            if share and (equity <= 0 or equity < (1 - Fraction(share)) * self.peak):
                return action
        return None

    def breaches(self) -> Iterator[tuple[str, ScopeName]]:
        """Name every limit that the book is over."""
        limits, equity = self.configured.limits, self.equity()
        if self.drawdown() is not None:
            yield Reason.DRAWDOWN, PORTFOLIO
        if self.gross() > Fraction(limits.max_leverage) * equity:
            yield Reason.LEVERAGE, PORTFOLIO
        for symbol in self.marks:
            exposure = self.instrument_exposure(symbol)
            if exposure and exposure > Fraction(limits.max_concentration) * equity:
                yield Reason.CONCENTRATION, (common_pb2.SCOPE_KIND_INSTRUMENT, symbol)
        for name, terms in self.terms.items():
            if terms.kind == "cash" and self.cash[name] < 0:
                yield Reason.CASH_NEGATIVE, (common_pb2.SCOPE_KIND_STRATEGY, name)
            gross = self.gross_of(name)
            if terms.kind == "margin" and gross and gross > Fraction(terms.max_leverage) * self.equity_of(name):
                yield Reason.CAPITAL, (common_pb2.SCOPE_KIND_STRATEGY, name)
