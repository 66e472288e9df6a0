"""Money, positions and orders, added up from the journal's events alone: nothing in here is the engine's."""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import floor

from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, market_data_pb2, orders_pb2, risk_pb2

ZERO = Decimal(0)
SUSPENSE = ""
PORTFOLIO = (common_pb2.SCOPE_KIND_PORTFOLIO, "")
NS_PER_S = 1_000_000_000

_ENDS = (orders_pb2.EXECUTION_TYPE_CANCELED, orders_pb2.EXECUTION_TYPE_REJECTED, orders_pb2.EXECUTION_TYPE_EXPIRED)
_FILLS = (orders_pb2.EXECUTION_TYPE_TRADE, orders_pb2.EXECUTION_TYPE_TRADE_CORRECT)
_REVERSALS = (orders_pb2.EXECUTION_TYPE_TRADE_CANCEL, orders_pb2.EXECUTION_TYPE_TRADE_CORRECT)
# What moves neither money nor limits. An event that is neither here nor below is not passed over in silence.
NEUTRAL = frozenset(
    {
        "order_claimed", "bar_acknowledged", "bar_completed", "limit_breached", "limit_restored",
        "command_refused", "alert_raised", "refusals_counted", "order_overdue", "session_opened", "session_closed",
        "alert_acknowledged", "calendar_recorded", "flatten_requested", "flatten_ended", "reset_requested",
        "reset_expired", "throttle_tripped", "throttle_released", "gate_started", "gate_stopped",
        "risk_reported", "positions_reconciled",
    }
)  # fmt: skip


@dataclass
class Terms:
    """What an order asks for, and what a unit of it costs and loses at worst."""

    quantity: Decimal
    cost: Decimal
    loss: Decimal


@dataclass
class Working:
    """An accepted order: whose it is, and what may still come of it; ``new`` while a replacement is pending."""

    owner: str
    symbol: str
    is_buy: bool
    terms: Terms
    is_exit: bool
    filled: Decimal = ZERO
    ended: bool = False
    claimed: bool = False
    canceling: bool = False
    new: Terms | None = None
    reserved: tuple[Decimal, Decimal, Decimal] = field(default=(ZERO, ZERO, ZERO))

    @property
    def leaves(self) -> Decimal:
        """What is left of it as the broker has it."""
        return ZERO if self.ended else max(self.terms.quantity - self.filled, ZERO)

    @property
    def worst(self) -> tuple[Decimal, Decimal, Decimal]:
        """Quantity, cost and loss, whichever of old and new the broker works."""
        if self.ended or self.new is None:
            return self.leaves, self.leaves * self.terms.cost, self.leaves * self.terms.loss
        quantity = max(self.leaves, self.new.quantity - self.filled)
        return (
            quantity,
            quantity * max(self.terms.cost, self.new.cost),
            quantity * max(self.terms.loss, self.new.loss),
        )


class Sums:
    """Who has what, after each event. ``take`` is called with one event after the other."""

    def __init__(self, configured: journal_pb2.PortfolioConfigured) -> None:
        """Begin with the capital that the configuration gives out."""
        self.configured = configured
        self.terms = {terms.strategy_id: terms for terms in configured.strategies}
        self.multipliers = {one.symbol: Decimal(one.multiplier) for one in configured.instruments}
        self.owners = [*self.terms, SUSPENSE]
        self.cash = dict.fromkeys(self.owners, ZERO)
        self.capital = dict.fromkeys(self.owners, ZERO)
        self.fees = dict.fromkeys(self.owners, ZERO)
        self.reserve = self.deposits = self.peak = Decimal(configured.capital)
        self.held: dict[tuple[str, str], Decimal] = {}
        self.buys: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.sells: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.reserved_cash = dict.fromkeys(self.owners, ZERO)
        self.reserved_loss = dict.fromkeys(self.owners, ZERO)
        self.marks: dict[str, Decimal] = {}
        self.mark_times_ns: dict[str, int] = {}
        self.before_mark: dict[str, tuple[Decimal, int]] = {}
        self.orders: dict[str, Working] = {}
        self.fills: dict[tuple[str, str], tuple[str, str, Decimal, Decimal, Decimal, Working | None]] = {}
        self.halts: dict[tuple[int, str], int] = {}
        self.paused: set[str] = set()
        self.time_ns = 0
        for name, terms in self.terms.items():
            self._move(SUSPENSE, name, Decimal(terms.capital))

    def take(self, event: journal_pb2.Event) -> str:
        """Take one event; return why it cannot be, or nothing."""
        kind = event.WhichOneof("body") or ""
        time_ns = event.time.seconds * NS_PER_S + event.time.nanos
        found = f"event {event.sequence}: time goes back" if time_ns < self.time_ns else ""
        self.time_ns = time_ns
        take = getattr(self, f"_take_{kind}", None)
        if take is not None:
            found = take(getattr(event, kind)) or found
        elif kind not in NEUTRAL:
            found = f"event {event.sequence}: the checker does not know {kind or 'an event without a body'}"
        self.peak = max(self.peak, self.equity())
        return found

    # Figures.

    def equity_of(self, owner: str) -> Decimal:
        """Add up cash and what is held, at the marks."""
        mine = (self._value(symbol, quantity) for (who, symbol), quantity in self.held.items() if who == owner)
        return sum(mine, self.cash[owner])

    def equity(self) -> Decimal:
        """Add up everybody and the reserve."""
        held = (self._value(symbol, quantity) for (_, symbol), quantity in self.held.items())
        return sum(held, sum(self.cash.values(), self.reserve))

    def exposure(self, owner: str = "*", symbol: str = "*") -> Decimal:
        """Add up the worst that positions and working orders may come to; ``*`` for everybody's, of everything."""
        places = {*self.held, *self.buys, *self.sells}
        mine = (place for place in places if owner in ("*", place[0]) and symbol in ("*", place[1]))
        return sum((self._value(place[1], self.worst(place)) for place in mine), ZERO)

    def worst(self, place: tuple[str, str]) -> Decimal:
        """Say how large one position may become."""
        held = self.held.get(place, ZERO)
        return max(abs(held + self.buys[place]), abs(held - self.sells[place]))

    def terms_of(self, order: orders_pb2.NewOrder, quantity: str) -> Terms:
        """Say what a unit of an order costs and loses at worst: at its limit, or at its stop beyond the mark."""
        mark, is_buy = self.marks[order.symbol], order.side == common_pb2.SIDE_BUY
        worst = Decimal(order.limit_price or order.stop_price or mark)
        if order.stop_price and not order.limit_price:
            worst = max(worst, mark) if is_buy else min(worst, mark)
        factor = self.multipliers[order.symbol]
        cost = max(mark, worst) if is_buy else mark
        return Terms(Decimal(quantity), cost * factor, max(worst - mark if is_buy else mark - worst, ZERO) * factor)

    def _value(self, symbol: str, quantity: Decimal) -> Decimal:
        return quantity * self.marks[symbol] * self.multipliers.get(symbol, Decimal(1)) if quantity else ZERO

    # Orders.

    def _take_portfolio_configured(self, _: journal_pb2.PortfolioConfigured) -> str:
        return ""

    def _take_order_decided(self, decided: journal_pb2.OrderDecided) -> None:
        if not decided.decision.order_id:
            return
        asked = decided.order
        order = Working(
            asked.strategy_id,
            asked.symbol,
            asked.side == common_pb2.SIDE_BUY,
            self.terms_of(asked, decided.decision.approved_quantity),
            asked.HasField("emergency"),
        )
        self.orders[decided.decision.order_id] = order
        self._reserve(order)

    def _take_replace_decided(self, decided: journal_pb2.ReplaceDecided) -> str:
        if not decided.decision.order_id:
            return ""
        order, asked = self.orders[decided.order_id], decided.replace
        if order.ended or order.new is not None:
            return f"order {decided.order_id} was replaced, and it is done or being replaced"
        like = orders_pb2.NewOrder(
            symbol=order.symbol,
            side=common_pb2.SIDE_BUY if order.is_buy else common_pb2.SIDE_SELL,
            limit_price=asked.limit_price,
            stop_price=asked.stop_price,
        )
        order.new = self.terms_of(like, asked.quantity)
        self._reserve(order)
        return ""

    def _take_cancel_requested(self, asked: journal_pb2.CancelRequested) -> None:
        self.orders[asked.order_id].canceling = True

    def _reserve(self, order: Working) -> None:
        quantity, cost, loss = (now - before for now, before in zip(order.worst, order.reserved, strict=True))
        order.reserved = order.worst
        side = self.buys if order.is_buy else self.sells
        side[order.owner, order.symbol] += quantity
        self.reserved_cash[order.owner] += cost if order.is_buy else ZERO
        self.reserved_loss[order.owner] += loss

    # Executions.

    def _take_execution_booked(self, booked: journal_pb2.ExecutionBooked) -> str:
        execution = booked.execution
        order, found = self.orders.get(execution.order_id), ""
        owner = SUSPENSE if order is None else order.owner
        if execution.execution_type in _REVERSALS:
            taken = self.fills.pop((booked.account, execution.reference_execution_id), None)
            if taken is None:
                return f"{execution.execution_id} takes {execution.reference_execution_id} back, which does not stand"
            owner, order = taken[0], taken[5]
            self._count(*taken, sign=-1)
        if booked.strategy_id != owner:
            found = f"{execution.execution_id} is {owner or 'nobody'}'s and was booked to {booked.strategy_id!r}"
        if execution.execution_type in _FILLS:
            price = Decimal(execution.last_price)
            self.marks.setdefault(booked.symbol, price)
            signed = Decimal(execution.last_quantity) * (1 if booked.side == common_pb2.SIDE_BUY else -1)
            fill = (owner, booked.symbol, signed, price, Decimal(execution.fee or 0), order)
            self.fills[booked.account, execution.execution_id] = fill
            self._count(*fill, sign=1)
        if order is not None:
            self._report(order, execution.execution_type)
        return found

    def _count(  # noqa: PLR0913, PLR0917 -- a fill has as many parts
        self,
        owner: str,
        symbol: str,
        signed: Decimal,
        price: Decimal,
        fee: Decimal,
        order: Working | None,
        *,
        sign: int,
    ) -> None:
        quantity = sign * signed
        self.held[owner, symbol] = self.held.get((owner, symbol), ZERO) + quantity
        self.cash[owner] -= quantity * price * self.multipliers.get(symbol, Decimal(1)) + sign * fee
        self.fees[owner] += sign * fee
        if order is not None:
            order.filled += sign * abs(signed)

    def _report(self, order: Working, kind: orders_pb2.ExecutionType.ValueType) -> None:
        if kind == orders_pb2.EXECUTION_TYPE_REPLACE_REJECTED:
            order.new = None
        elif kind == orders_pb2.EXECUTION_TYPE_CANCEL_REJECTED:
            order.canceling = False
        elif kind == orders_pb2.EXECUTION_TYPE_REPLACED and order.new is not None:
            order.terms, order.new, order.is_exit = order.new, None, False
        whole = order.new is None and order.filled >= order.terms.quantity
        order.ended = order.ended or kind in _ENDS or whole
        self._reserve(order)

    # Prices, capital, operators.

    def _take_bar_published(self, published: market_data_pb2.PublishBarsRequest) -> None:
        time_ns = published.time.seconds * NS_PER_S + published.time.nanos
        for bar in published.bars:
            self._mark(bar.symbol, bar.close, time_ns)

    def _take_prices_published(self, published: market_data_pb2.PublishPricesRequest) -> None:
        for price in published.prices:
            self._mark(price.symbol, price.price, price.time.seconds * NS_PER_S + price.time.nanos)

    def _take_price_held(self, held: journal_pb2.PriceHeld) -> str:
        self.marks[held.symbol], self.mark_times_ns[held.symbol] = self.before_mark[held.symbol]
        return f"the price of {held.symbol} is held: the checker cannot judge what waits for a confirmation"

    def _mark(self, symbol: str, price: str, time_ns: int) -> None:
        marked_ns = self.mark_times_ns.get(symbol, 0)
        if time_ns >= marked_ns:
            self.before_mark[symbol] = self.marks.get(symbol, Decimal(price)), marked_ns
            self.marks[symbol], self.mark_times_ns[symbol] = Decimal(price), time_ns

    def _take_capital_transferred(self, moved: admin_pb2.TransferCapitalRequest) -> None:
        self._move(moved.from_strategy_id, moved.to_strategy_id, Decimal(moved.amount))

    def _move(self, source: str, target: str, amount: Decimal) -> None:
        for name, step in ((source, -amount), (target, amount)):
            if name:
                self.cash[name] += step
                self.capital[name] += step
            else:
                self.reserve += step

    def _take_capital_moved(self, moved: journal_pb2.CapitalMoved) -> None:
        before, amount = self.equity(), Decimal(moved.amount)
        self.reserve += amount
        self.deposits += amount
        after = before + amount
        if before <= 0 or after <= 0 or self.peak == before:
            self.peak += amount
        else:
            cents = floor(Fraction(self.peak) * Fraction(after) / Fraction(before) * 100)
            self.peak = Decimal(cents).scaleb(-2)

    def _take_trading_halted(self, halt: risk_pb2.Halt) -> None:
        self.halts[halt.scope.kind, halt.scope.name] = halt.level

    def _take_halt_reset(self, reset: journal_pb2.HaltReset) -> str:
        scope = (reset.scope.kind, reset.scope.name)
        if self.halts.pop(scope, None) is None:
            return f"{reset.operator} reset {scope}, which was not halted"
        if scope == PORTFOLIO and reset.high_water_mark == admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE:
            self.peak = self.equity()
        return ""

    def _take_strategy_paused(self, paused: journal_pb2.StrategyPaused) -> None:
        self.paused.add(paused.strategy_id)

    def _take_strategy_resumed(self, resumed: journal_pb2.StrategyResumed) -> None:
        self.paused.discard(resumed.strategy_id)
