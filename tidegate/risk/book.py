"""The book: what every event so far adds up to. It records and never decides."""

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from tidegate.accounts import Currencies
from tidegate.errors import BookError
from tidegate.instruments import Instrument
from tidegate.ledger import Ledger, Totals
from tidegate.numbers import ONE, ZERO
from tidegate.options import Options
from tidegate.orders import Order
from tidegate.risk.alerts import ALERT_KINDS, alert_of
from tidegate.risk.calendars import Calendar
from tidegate.risk.counters import Counters
from tidegate.risk.halts import Flattening, Halt, Pause, Place
from tidegate.risk.held_prices import Held, Print, Prints, judge, prints_of_bar, prints_of_prices
from tidegate.risk.high_water import HighWater
from tidegate.risk.limit import Limit, LimitKey
from tidegate.risk.limit_table import LimitTable, portfolio_limits
from tidegate.risk.limits import Limits
from tidegate.risk.order_rules import OrderRules
from tidegate.risk.price_bands import Band, PriceBands
from tidegate.risk.scopes import PORTFOLIO as PORTFOLIO_SCOPE
from tidegate.risk.scopes import Scope, groups_of, instrument_scope, strategy_scope
from tidegate.risk.session_history import SessionHistory
from tidegate.risk.terms import Terms
from tidegate.strategy_book import StrategyBook, strategies_of
from tidegate.times import to_ns
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, market_data_pb2, risk_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.risk.scenarios import Scenarios

# Bars that no allocator completed; past the bound the oldest is given up, so that memory stays flat.
PENDING_BARS_MAX = 1_000

# The newest alerts, for whoever asks what is going on; the journal has them all.
ALERTS_MAX = 1_000

# The suspense ledger is a strategy's book with no strategy.
SUSPENSE = ""


class Session(NamedTuple):
    """An adapter's session: when it is lost, the adapter's working orders are to be canceled."""

    session_id: str
    heartbeat_s: int
    halt_on_loss: common_pb2.HaltLevel.ValueType = common_pb2.HALT_LEVEL_UNSPECIFIED


class Book:
    """
    All positions, working orders, marks and halts, with running sums over strategies.

    ``apply`` is the only way to change it, one event at a time, in sequence. Deciding costs the same with one position
    or ten thousand, because equity and exposures are sums kept up to date, never recomputed.
    """

    def __init__(self) -> None:
        """Begin empty: the first event configures the portfolio."""
        self.sequence = 0
        self.time_ns = 0
        self.configuration: journal_pb2.PortfolioConfigured | None = None
        self.currency = ""
        self.limits = Limits()
        self.limits_in_force = LimitTable()
        self.order_rules = OrderRules()
        self.calendars: dict[str, Calendar] = {}
        self.counters = Counters(self.order_rules)
        # Why a strategy is throttled: as a whole, or in one instrument.
        self.throttles: dict[tuple[str, str], str] = {}
        self.instruments: dict[str, Instrument] = {}
        self.terms: dict[str, Terms] = {}
        self.adapters: frozenset[str] = frozenset()
        self.routes: dict[str, str] = {}
        self.strategies: dict[str, StrategyBook] = {}
        self.orders: dict[str, Order] = {}
        # Those on which an adapter owes a report; and, until they are alerted, those on which their submitter does.
        self.awaiting: dict[str, Order] = {}
        self.unreported: dict[str, Order] = {}
        self.sessions: dict[str, Session] = {}
        self.alerts: dict[int, risk_pb2.Alert] = {}
        self.reserve = ZERO
        self.deposits = ZERO

        self.marks: dict[str, Decimal] = {}
        self.mark_times_ns: dict[str, int] = {}
        self.currencies = Currencies()
        self.options = Options()
        # By symbol; and when a person was last told that an instrument's price is held.
        self.price_bands = PriceBands()
        self.held_prices: dict[str, Held] = {}
        self.held_alerts_ns: dict[str, int] = {}
        self.totals = Totals()
        self.high_water = HighWater("")
        self.history = SessionHistory()
        # Worked out only while a limit needs them.
        self.scenarios: Scenarios | None = None

        self.halts: dict[Scope, Halt] = {}
        self.pauses: dict[str, Pause] = {}
        # Resets that wait for a second person, as they were recorded; and positions that are being closed.
        self.reset_requests: dict[Scope, journal_pb2.Event] = {}
        self.flattenings: dict[Place, Flattening] = {}
        self.breaches: dict[tuple[str, Scope], common_pb2.Violation] = {}

        self.last_bar = market_data_pb2.PublishBarsRequest()
        self.last_bar_sequence = 0
        self.pending_bars: dict[int, int] = {}
        self.completed_bar_sequence = 0
        self.completed_bar_time_ns = 0
        self.seen_sequence = 0
        self.acknowledged_bars: dict[str, int] = {}

        self._appliers: dict[str, Callable[[journal_pb2.Event], None]] = {
            "portfolio_configured": self._configure,
            "order_decided": self._decide,
            "replace_decided": self._decide_replace,
            "order_claimed": self._apply_to_order,
            "cancel_requested": self._apply_to_order,
            "order_overdue": self._apply_to_order,
            "execution_booked": self._book_execution,
            "bar_published": self._publish_bar,
            "prices_published": self._publish_prices,
            "bar_acknowledged": self._acknowledge_bar,
            "bar_completed": self._complete_bar,
            "trading_halted": self._halt,
            "halt_reset": self._reset,
            "capital_transferred": self._transfer,
            "strategy_paused": self._pause,
            "strategy_resumed": self._resume,
            "limit_breached": self._breach,
            "limit_restored": self._restore,
            "session_opened": self._open_session,
            "session_closed": self._close_session,
            "capital_moved": self._move_capital,
            "alert_acknowledged": self._acknowledge_alert,
            "limit_changed": self._change_limit,
            "limit_expired": self._expire_limit,
            "calendar_recorded": self._record_calendar,
            "throttle_tripped": self._throttle,
            "throttle_released": self._release,
            "price_held": self._note_held_price,
            "flatten_requested": self._request_flatten,
            "flatten_ended": self._end_flatten,
            "reset_requested": self._request_reset,
            "reset_expired": self._expire_reset,
            "command_refused": _ignore,
            "alert_raised": _ignore,
            "refusals_counted": _ignore,
        }

    def apply(self, event: journal_pb2.Event, kind: str | None) -> None:
        """
        Take the next event; kind names its body.

        Raises:
            BookError: it is not the next one, or cannot have happened; the book must not be used any more.
        """
        sequence = event.sequence
        if sequence != self.sequence + 1:
            text = f"event {sequence} does not follow {self.sequence}"
            raise BookError(text)
        if kind is None or (self.configuration is None) is not (kind == "portfolio_configured"):
            text = f"event {sequence} ({kind}) has no place here"
            raise BookError(text)
        time_ns = to_ns(event.time)
        if time_ns >= self.high_water.day_ends_ns:
            self.high_water.begin_day(time_ns, self._equities())
        self._appliers[kind](event)
        self.counters.take(event, kind, self)
        if kind in ALERT_KINDS:
            self._alert(event)
        self.sequence = sequence
        self.time_ns = max(self.time_ns, time_ns)

    # What the checks and the views ask.

    @property
    def equity(self) -> Decimal:
        """What all ledgers and the reserve are worth at the marks."""
        return self.reserve + self.totals.cash + self.totals.market_value

    @property
    def high_water_mark(self) -> Decimal:
        """The portfolio's high-water mark."""
        return self.high_water.peak_of(PORTFOLIO_SCOPE)

    def equity_of(self, scope: Scope) -> Decimal:
        """Return the equity of the portfolio or of a strategy."""
        return self.equity if scope == PORTFOLIO_SCOPE else self.strategies[scope.name].ledger.equity

    def scenarios_needed(self) -> "Scenarios":
        """Return the scenarios, from now on kept up to date."""
        if self.scenarios is None:
            from tidegate.risk.scenarios import Scenarios  # noqa: PLC0415 -- numpy, only where a limit asks for it

            self.scenarios = Scenarios(self, self.history)
        return self.scenarios

    @property
    def next_bar_sequence(self) -> int:
        """The oldest bar that is not completed; 0 when there is none."""
        return next(iter(self.pending_bars), 0)

    def instrument_exposure(self, symbol: str) -> Decimal:
        """Return the instrument's worst-case exposure over all strategies, in the portfolio's currency."""
        worst = self.totals.worst_quantities.get(symbol)
        if worst is None:
            return ZERO
        known = self.instruments.get(symbol)
        if known is None:
            return worst * self.marks.get(symbol, ZERO)
        if known.option is None:
            exposure = worst * self.marks.get(symbol, ZERO) * known.multiplier
        else:
            exposure = self.totals.option_exposures[symbol]
        return exposure if known.currency == self.currency else exposure * self.rate(known.currency)

    def rate(self, currency: str) -> Decimal:
        """Return what a unit of a currency is worth in the portfolio's; 0 while nobody knows."""
        return ONE if currency == self.currency else self.currencies.rates.get(currency, ZERO)

    def halt_over(self, strategy_id: str, symbol: str) -> Halt | None:
        """Return the most severe halt over an order, the widest scope first among equals."""
        if not self.halts:
            return None
        scopes = (PORTFOLIO_SCOPE, strategy_scope(strategy_id), instrument_scope(symbol))
        found = [halt for scope in scopes if (halt := self.halts.get(scope)) is not None]
        return max(found, key=lambda halt: halt.level, default=None)

    @property
    def bar_state(self) -> tuple[int, int, bool, tuple[int, ...]]:
        """How far the bars are: what whoever waits for a bar waits to see changed."""
        acknowledged = tuple(self.acknowledged_bars.values())
        return self.next_bar_sequence, self.completed_bar_sequence, self.is_settled(), acknowledged

    def orders_in(self, scope: Scope) -> list[Order]:
        """Return the working orders that a scope covers, oldest first."""
        orders = self.orders
        if scope.kind == common_pb2.SCOPE_KIND_STRATEGY:
            orders = self.strategies[scope.name].orders
        return [order for order in orders.values() if scope.covers(order.request.strategy_id, order.request.symbol)]

    def is_settled(self) -> bool:
        """Whether every adapter has reported on every order that was routed to it."""
        return not self.awaiting

    # How each event changes it.

    def _configure(self, event: journal_pb2.Event) -> None:
        configured = event.portfolio_configured
        self.configuration = configured
        self.currency = configured.currency
        self.limits = Limits.from_wire(configured.limits)
        self.order_rules = OrderRules.from_wire(configured)
        self.counters = Counters(self.order_rules)
        self.price_bands = PriceBands(map(Band.from_wire, configured.price_bands))
        self.instruments = {i.symbol: Instrument.from_wire(i) for i in configured.instruments}
        self.currencies.configure(configured.currency_rates, self.instruments)
        self.options.configure(self.instruments)
        self.terms = {s.strategy_id: Terms.from_wire(s) for s in configured.strategies}
        self.adapters = frozenset(configured.adapters)
        self.routes = {route.strategy_id: route.adapter for route in configured.routes}
        self.limits_in_force = LimitTable(portfolio_limits(self.limits))
        for message in configured.further_limits:
            self.limits_in_force.set(Limit.from_wire(message))
        self.high_water = HighWater(configured.currency)
        self.deposits = self.reserve = Decimal(configured.capital)
        for strategy_id in (*self.terms, SUSPENSE):
            ledger = Ledger(configured.currency, self.totals, self.currencies.rates, self.options)
            self.strategies[strategy_id] = StrategyBook(strategy_id, ledger, self.instruments, self.marks)
        for strategy_id, terms in self.terms.items():
            self.strategies[strategy_id].ledger.transfer(terms.capital)
            self.reserve -= terms.capital
        self._group()
        self._raise_high_water(self._equities())
        self.high_water.begin_day(to_ns(event.time), self._equities())

    def _decide(self, event: journal_pb2.Event) -> None:
        decided = event.order_decided
        if decided.decision.order_id:
            order = self.strategies[decided.order.strategy_id].accept(event)
            self.orders[order.order_id] = order
            if self.scenarios is not None:
                self.scenarios.touch(decided.order.strategy_id, decided.order.symbol)
            (self.awaiting if decided.order.route else self.unreported)[order.order_id] = order
            if self.flattenings and order.is_emergency:
                self._note_exit(order)

    def _decide_replace(self, event: journal_pb2.Event) -> None:
        decided = event.replace_decided
        if decided.decision.order_id:
            self.strategies[decided.replace.strategy_id].apply(event)
            if self.scenarios is not None:
                self.scenarios.touch(decided.replace.strategy_id, self.orders[decided.order_id].request.symbol)
            self._track(decided.order_id)

    def _apply_to_order(self, event: journal_pb2.Event) -> None:
        order_id: str = getattr(event, event.WhichOneof("body") or "").order_id
        self.orders[order_id].apply(event)
        self._track(order_id)

    def _track(self, order_id: str) -> None:
        """Note whether an order still works, and whether a report on it is owed."""
        order = self.orders.get(order_id)
        if order is None:
            return
        if order.is_done:
            del self.orders[order_id]
        if order.request.route:
            owed, is_owed = self.awaiting, order.awaits_report
        else:
            owed, is_owed = self.unreported, order.awaits_report and not order.overdue
        if not is_owed or order.instructed_sequence > self.sequence:
            owed.pop(order_id, None)  # done with, or told anew: then it is the newest
        if is_owed:
            owed[order_id] = order

    def _book_execution(self, event: journal_pb2.Event) -> None:
        booked = event.execution_booked
        if booked.execution.last_price and booked.symbol not in self.marks:
            # Never priced: worth what it cost, until a price comes. Orders stay refused, for it has no mark time.
            self.marks[booked.symbol] = Decimal(booked.execution.last_price)
            self._translate(booked.symbol, self.marks[booked.symbol])
        self.strategies[booked.strategy_id].apply(event)
        if self.scenarios is not None:
            self.scenarios.touch(booked.strategy_id, booked.symbol)
        self._track(booked.execution.order_id)
        scopes = [PORTFOLIO_SCOPE, strategy_scope(booked.strategy_id)] if booked.strategy_id else [PORTFOLIO_SCOPE]
        self._raise_high_water({scope: self.equity_of(scope) for scope in scopes})

    def _publish_bar(self, event: journal_pb2.Event) -> None:
        bar = event.bar_published
        self._mark_all(prints_of_bar(bar))
        self.last_bar = bar
        self.last_bar_sequence = event.sequence
        self.pending_bars[event.sequence] = to_ns(bar.time)
        if len(self.pending_bars) > PENDING_BARS_MAX:
            del self.pending_bars[next(iter(self.pending_bars))]

    def _publish_prices(self, event: journal_pb2.Event) -> None:
        self._mark_all(prints_of_prices(event.prices_published))

    def _mark_all(self, prints: Prints) -> None:
        for symbol, new in prints.by_symbol.items():
            self._mark(symbol, new, self.price_bands.over(symbol, prints.feed, prints.interval))
        self._raise_high_water(self._equities())

    def _mark(self, symbol: str, new: Print, band: Band) -> None:
        marked_ns = self.mark_times_ns.get(symbol)
        if marked_ns is not None:
            if new.time_ns < marked_ns:
                return  # a bar may be older than a price that came between bars
            if self.price_bands.is_on:
                mark = Print(self.marks[symbol], marked_ns)
                new, held = judge(mark, self.held_prices.pop(symbol, ()), new, band)
                if held:
                    self.held_prices[symbol] = held
                if new is mark:
                    return
        self.marks[symbol], self.mark_times_ns[symbol] = new
        self.history.mark(symbol, *new)
        self._revalue(symbol, new)

    def _revalue(self, symbol: str, new: Print) -> None:
        """Value everything that a mark is the price of: positions in it, options on it, a currency by its rate."""
        if symbol in self.totals.worst_quantities:
            for strategy_id, strategy in self.strategies.items():
                strategy.ledger.mark(symbol, new.price)
                if self.scenarios is not None:
                    self.scenarios.touch(strategy_id, symbol)
        for option in self.options.take(symbol, *new):
            if option.symbol in self.totals.worst_quantities:
                for strategy in self.strategies.values():
                    strategy.ledger.weigh(option)
        self._translate(symbol, new.price)

    def _translate(self, symbol: str, price: Decimal) -> None:
        """Value a foreign currency anew, if the price is its rate."""
        currency, step = self.currencies.take(symbol, price)
        if currency:
            self.totals.translate(currency, step)
            for strategy in self.strategies.values():
                strategy.ledger.translate(currency, price)

    def _note_held_price(self, event: journal_pb2.Event) -> None:
        self.held_alerts_ns[event.price_held.symbol] = to_ns(event.time)

    def _acknowledge_bar(self, event: journal_pb2.Event) -> None:
        self.acknowledged_bars[event.bar_acknowledged.adapter] = event.bar_acknowledged.bar_sequence

    def _complete_bar(self, event: journal_pb2.Event) -> None:
        self.completed_bar_sequence = event.bar_completed.bar_sequence
        self.seen_sequence = event.bar_completed.seen_sequence
        self.completed_bar_time_ns = self.pending_bars.pop(self.completed_bar_sequence, self.completed_bar_time_ns)
        for halt in self.halts.values():
            halt.bars += 1

    def _halt(self, event: journal_pb2.Event) -> None:
        halt = Halt.from_event(event)
        self.halts[halt.scope] = halt
        self.reset_requests.pop(halt.scope, None)  # whoever asked for it has not seen this halt

    def _reset(self, event: journal_pb2.Event) -> None:
        scope = Scope.from_wire(event.halt_reset.scope)
        self.halts.pop(scope, None)
        self.reset_requests.pop(scope, None)
        self.flattenings = {place: one for place, one in self.flattenings.items() if one.scope != scope}
        if event.halt_reset.high_water_mark == admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE:
            self.high_water.rebase(scope, self.equity_of(scope))

    def _transfer(self, event: journal_pb2.Event) -> None:
        transfer = event.capital_transferred
        amount = Decimal(transfer.amount)
        if not transfer.from_strategy_id:
            self.reserve -= amount
        if not transfer.to_strategy_id:
            self.reserve += amount
        for strategy_id in strategies_of(event):
            strategy, before = self.strategies[strategy_id], self.strategies[strategy_id].ledger.equity
            strategy.apply(event)
            self.high_water.move(strategy_scope(strategy_id), before, strategy.ledger.equity - before)

    def _pause(self, event: journal_pb2.Event) -> None:
        paused = event.strategy_paused
        self.pauses[paused.strategy_id] = Pause(paused.operator, paused.reason_code, paused.reason)

    def _resume(self, event: journal_pb2.Event) -> None:
        self.pauses.pop(event.strategy_resumed.strategy_id, None)

    def _breach(self, event: journal_pb2.Event) -> None:
        violation = event.limit_breached.violation
        self.breaches[violation.reason_code, Scope.from_wire(violation.scope)] = violation

    def _restore(self, event: journal_pb2.Event) -> None:
        restored = event.limit_restored
        self.breaches.pop((restored.reason_code, Scope.from_wire(restored.scope)), None)

    def _open_session(self, event: journal_pb2.Event) -> None:
        opened = event.session_opened
        self.sessions[opened.adapter] = Session(opened.session_id, opened.heartbeat_s, opened.halt_on_loss)

    def _close_session(self, event: journal_pb2.Event) -> None:
        self.sessions.pop(event.session_closed.adapter, None)

    def _move_capital(self, event: journal_pb2.Event) -> None:
        amount = Decimal(event.capital_moved.amount)
        self.high_water.move(PORTFOLIO_SCOPE, self.equity, amount)
        self.reserve += amount
        self.deposits += amount

    def _change_limit(self, event: journal_pb2.Event) -> None:
        self.limits_in_force.set(Limit.from_wire(event.limit_changed))
        self._group()

    def _expire_limit(self, event: journal_pb2.Event) -> None:
        expired = event.limit_expired
        self.limits_in_force.expire(LimitKey(expired.figure, Scope.from_wire(expired.scope), expired.action))
        self._group()

    def _group(self) -> None:
        """Keep running sums of the sectors and asset classes that have a limit, and of no others."""
        limited = {limit.scope for limit in self.limits_in_force}
        groups = {symbol: limited.intersection(groups_of(i)) for symbol, i in self.instruments.items()}
        self.totals.group({symbol: tuple(found) for symbol, found in groups.items() if found})
        for strategy in self.strategies.values():
            strategy.ledger.count_groups()

    def _equities(self) -> dict[Scope, Decimal]:
        equities = {
            strategy_scope(strategy_id): self.strategies[strategy_id].ledger.equity for strategy_id in self.terms
        }
        return {PORTFOLIO_SCOPE: self.equity, **equities}

    def _raise_high_water(self, equities: dict[Scope, Decimal]) -> None:
        for scope, equity in equities.items():
            self.high_water.raise_to(scope, equity)

    def _request_flatten(self, event: journal_pb2.Event) -> None:
        asked = event.flatten_requested
        scope = Scope.from_wire(asked.scope)
        for entry in asked.places:
            place = (entry.strategy_id, entry.symbol)
            standing = self.flattenings.get(place)
            fresh = Flattening(scope, asked.operator, asked.reason, event.sequence)
            if standing is not None:
                fresh.order_ids |= standing.order_ids
            self.flattenings[place] = fresh

    def _note_exit(self, order: Order) -> None:
        standing = self.flattenings.get((order.request.strategy_id, order.request.symbol))
        if standing is not None and order.request.client_order_id.startswith("flatten-"):
            standing.order_ids.add(order.order_id)

    def _end_flatten(self, event: journal_pb2.Event) -> None:
        self.flattenings.pop((event.flatten_ended.strategy_id, event.flatten_ended.symbol), None)

    def _request_reset(self, event: journal_pb2.Event) -> None:
        self.reset_requests[Scope.from_wire(event.reset_requested.scope)] = event

    def _expire_reset(self, event: journal_pb2.Event) -> None:
        self.reset_requests.pop(Scope.from_wire(event.reset_expired.scope), None)

    def _acknowledge_alert(self, event: journal_pb2.Event) -> None:
        alert = self.alerts.get(event.alert_acknowledged.alert_sequence)
        if alert is not None:
            alert.acknowledged_by = event.alert_acknowledged.operator

    def _record_calendar(self, event: journal_pb2.Event) -> None:
        self.calendars[event.calendar_recorded.name] = Calendar(event.calendar_recorded)

    def _throttle(self, event: journal_pb2.Event) -> None:
        tripped = event.throttle_tripped
        self.throttles[tripped.strategy_id, tripped.symbol] = tripped.reason

    def _release(self, event: journal_pb2.Event) -> None:
        released = event.throttle_released
        for strategy_id, symbol in list(self.throttles):
            if strategy_id == released.strategy_id and released.symbol in ("", symbol):
                del self.throttles[strategy_id, symbol]

    def _alert(self, event: journal_pb2.Event) -> None:
        self.alerts[event.sequence] = alert_of(event)
        if len(self.alerts) > ALERTS_MAX:
            del self.alerts[next(iter(self.alerts))]


def _ignore(_event: journal_pb2.Event) -> None:
    """Take an event that is a record only."""
