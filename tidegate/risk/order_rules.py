"""What the portfolio file asks of orders, beyond limits on exposure."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from tidegate.times import NS_PER_MS, NS_PER_S
from tidegate.v1 import journal_pb2, order_rules_pb2


@dataclass(frozen=True, slots=True)
class Rates:
    """
    How many orders, and of how much: of one strategy, or of all; None where nothing is asked.

    daily_quantity, daily_notional: of the orders that are accepted within one UTC day.
    """

    messages_per_s: int | None = None
    working_orders: int | None = None
    daily_quantity: Decimal | None = None
    daily_notional: Decimal | None = None

    @classmethod
    def from_wire(cls, message: order_rules_pb2.OrderRates) -> "Rates":
        """Read the rates from the journal."""
        return cls(
            message.max_messages_per_s or None,
            message.max_working_orders or None,
            _decimal(message.max_daily_quantity),
            _decimal(message.max_daily_notional),
        )

    @property
    def counts_days(self) -> bool:
        """Whether what is accepted within a day matters."""
        return self.daily_quantity is not None or self.daily_notional is not None


@dataclass(frozen=True, slots=True)
class OrderRules:
    """
    The rules; what is None, 0 or empty is not asked.

    permitted: the instruments of each strategy that may not trade them all. long_only: the margin strategies that may
    not sell short. collar, price_move: shares of the mark.
    """

    collar: Decimal | None = None
    is_collar_passive: bool = False
    price_move: Decimal | None = None
    price_move_within_ns: int = 0
    duplicate_within_ns: int = 0
    rates: Rates = Rates()
    throttle_fills: int = 0
    throttle_within_ns: int = 0
    is_throttle_by_instrument: bool = False
    is_self_trade_refused: bool = False
    permitted: dict[str, frozenset[str]] = field(default_factory=dict)
    strategy_rates: dict[str, Rates] = field(default_factory=dict)
    long_only: frozenset[str] = frozenset()
    caller_messages_per_s: int | None = None
    has_sizes: bool = False
    has_calendars: bool = False

    @classmethod
    def from_wire(cls, configured: journal_pb2.PortfolioConfigured) -> "OrderRules":
        """Read the rules from the configuration."""
        rules, terms, instruments = configured.order_rules, configured.strategies, configured.instruments
        return cls(
            collar=_decimal(rules.collar),
            is_collar_passive=rules.collar_passive,
            price_move=_decimal(rules.max_price_move),
            price_move_within_ns=rules.price_move_within_s * NS_PER_S,
            duplicate_within_ns=rules.duplicate_within_ms * NS_PER_MS,
            rates=Rates.from_wire(rules.rates),
            throttle_fills=rules.throttle_fills,
            throttle_within_ns=rules.throttle_within_s * NS_PER_S,
            is_throttle_by_instrument=rules.throttle_instrument,
            is_self_trade_refused=rules.self_trade,
            permitted={s.strategy_id: frozenset(s.instruments) for s in terms if s.instruments},
            strategy_rates={s.strategy_id: Rates.from_wire(s.rates) for s in terms if s.HasField("rates")},
            long_only=frozenset(s.strategy_id for s in terms if s.long_only),
            caller_messages_per_s=configured.max_caller_messages_per_s or None,
            has_sizes=any(i.min_quantity or i.max_quantity or i.min_notional or i.max_notional for i in instruments),
            has_calendars=any(i.calendar for i in instruments),
        )

    def with_strategy(self, terms: journal_pb2.StrategyTerms) -> "OrderRules":
        """Return the rules with those of one more strategy."""
        name = terms.strategy_id
        permitted = {name: frozenset(terms.instruments)} if terms.instruments else {}
        rates = {name: Rates.from_wire(terms.rates)} if terms.HasField("rates") else {}
        return replace(
            self,
            permitted=self.permitted | permitted,
            strategy_rates=self.strategy_rates | rates,
            long_only=self.long_only | {name} if terms.long_only else self.long_only,
        )

    @property
    def counts_messages(self) -> bool:
        """Whether messages matter: of a strategy, of a caller or of all."""
        return self.caller_messages_per_s is not None or any(r.messages_per_s is not None for r in self.all_rates)

    @property
    def all_rates(self) -> tuple[Rates, ...]:
        """The portfolio's rates and the strategies'."""
        return (self.rates, *self.strategy_rates.values())


def _decimal(text: str) -> Decimal | None:
    return Decimal(text) if text else None
