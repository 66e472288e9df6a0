"""The book: what every event so far adds up to. It records and never decides."""

from decimal import Decimal
from typing import TYPE_CHECKING

from tidegate.accounts import Currencies
from tidegate.errors import BookError
from tidegate.numbers import ONE, ZERO
from tidegate.options import Options
from tidegate.orders import DecidedOrder, Order
from tidegate.risk.correlation_breaches import CorrelationBreaches
from tidegate.risk.counters import Counters
from tidegate.risk.folding import fold
from tidegate.risk.halts import Flattening, Halt, Pause, Place
from tidegate.risk.high_water import HighWater
from tidegate.risk.limit_table import LimitTable
from tidegate.risk.limits import Limits
from tidegate.risk.order_rules import OrderRules
from tidegate.risk.price_bands import PriceBands
from tidegate.risk.restarts import Restarts
from tidegate.risk.roster import PendingRebalance, Roster
from tidegate.risk.scopes import PORTFOLIO as PORTFOLIO_SCOPE
from tidegate.risk.scopes import Scope, instrument_scope, strategy_scope
from tidegate.risk.session_history import SessionHistory
from tidegate.risk.strategy_returns import StrategyReturns
from tidegate.risk.unassigned import Unassigned
from tidegate.totals import Totals
from tidegate.v1 import common_pb2, journal_pb2, market_data_pb2, risk_pb2

if TYPE_CHECKING:
    from tidegate.instruments import Instrument
    from tidegate.risk.broker_account import BrokerAccount
    from tidegate.risk.calendars import Calendar
    from tidegate.risk.held_prices import Held
    from tidegate.risk.net_exposures import NetExposures
    from tidegate.risk.scenarios import Scenarios
    from tidegate.risk.session import Session
    from tidegate.risk.terms import Terms
    from tidegate.strategy_book import StrategyBook


class Book:
    """
    All positions, working orders, marks and halts, with running sums over strategies.

    ``apply`` is the only way to change it, one event at a time, in sequence. Deciding costs the same with one position
    or ten thousand, because equity and exposures are sums kept up to date, never recomputed.
    """

    def __init__(self) -> None:  # noqa: PLR0915 -- what there is, stated once
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
        # The events that stated instruments since; and what was ever filled, whose multiplier and currency stay.
        self.upserted: dict[str, journal_pb2.Event] = {}
        self.traded: set[str] = set()
        self.terms: dict[str, Terms] = {}
        self.roster = Roster()
        self.rebalance: PendingRebalance | None = None
        self.adapters: frozenset[str] = frozenset()
        self.routes: dict[str, str] = {}
        self.strategies: dict[str, StrategyBook] = {}
        self.orders: dict[str, Order] = {}
        # Those on which an adapter owes a report; and, until they are alerted, those on which their submitter does.
        self.awaiting: dict[str, Order] = {}
        self.unreported: dict[str, Order] = {}
        self.sessions: dict[str, Session] = {}
        # Accounts that are reconciled; none unless the portfolio file names some. And fills in suspense.
        self.accounts: dict[str, BrokerAccount] = {}
        self.unassigned = Unassigned()
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
        self.strategy_returns = StrategyReturns()
        # Worked out only while a limit needs them.
        self.scenarios: Scenarios | None = None
        self.net_exposures: NetExposures | None = None

        self.halts: dict[Scope, Halt] = {}
        self.pauses: dict[str, Pause] = {}
        # Resets that wait for a second person, as they were recorded; and positions that are being closed.
        self.reset_requests: dict[Scope, journal_pb2.Event] = {}
        self.flattenings: dict[Place, Flattening] = {}
        self.breaches: dict[tuple[str, Scope], common_pb2.Violation] = {}
        self.restarts = Restarts()
        self.correlation_breaches = CorrelationBreaches()

        # The event that ended the newest session with a report.
        self.reported_sequence = 0
        self.last_bar = market_data_pb2.PublishBarsRequest()
        self.last_bar_sequence = 0
        self.pending_bars: dict[int, int] = {}
        self.completed_bar_sequence = 0
        self.completed_bar_time_ns = 0
        self.seen_sequence = 0
        self.acknowledged_bars: dict[str, int] = {}
        # By strategy: after which event its newest saved state is found; and the bars that it ran on since.
        self.saved_sequences: dict[str, int] = {}
        self.bars_since_saved: dict[str, int] = {}

    def apply(self, event: journal_pb2.Event, kind: str | None, decided: DecidedOrder | None = None) -> None:
        """
        Take the next event; kind names its body, decided is what a decision on an order tells if that was read.

        Raises:
            BookError: it is not the next one, or cannot have happened; the book must not be used any more.
        """
        if decided is not None and decided.event is not event:
            text = f"event {event.sequence} was told as another one"
            raise BookError(text)
        sequence = event.sequence if decided is None else decided.sequence
        if sequence != self.sequence + 1:
            text = f"event {sequence} does not follow {self.sequence}"
            raise BookError(text)
        if not kind or (self.configuration is None) is not (kind == "portfolio_configured"):
            text = f"event {sequence} ({kind}) has no place here"
            raise BookError(text)
        fold(self, event, kind, decided)

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

    def net_exposures_needed(self) -> "NetExposures":
        """Return the net exposures, from now on kept up to date."""
        if self.net_exposures is None:
            from tidegate.risk.net_exposures import NetExposures  # noqa: PLC0415 -- it reads the book

            self.net_exposures = NetExposures(self)
        return self.net_exposures

    def touch(self, strategy_id: str, symbol: str) -> None:
        """Note that a position, its working orders or its mark have changed, for what is worked out when asked."""
        if self.scenarios is not None:
            self.scenarios.touch(strategy_id, symbol)
        if self.net_exposures is not None:
            self.net_exposures.touch(strategy_id, symbol)

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
