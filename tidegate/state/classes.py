"""What the state is made of: every class that may be in it, and none else."""

import hashlib
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

from tidegate.accounts import Account, Currencies
from tidegate.instruments import Instrument, OptionTerms
from tidegate.ledger import Ledger
from tidegate.numbers import ZERO
from tidegate.options import Options, Units
from tidegate.orders import Order, Replacement
from tidegate.portfolio.performance import Performance, Record, Returns
from tidegate.positions import Position
from tidegate.risk.book import Book
from tidegate.risk.broker_account import BrokerAccount, Effect
from tidegate.risk.calendars import Calendar
from tidegate.risk.correlation_breaches import Alike, CorrelationBreaches
from tidegate.risk.counters import Counters
from tidegate.risk.counters.daily import Amount, Daily
from tidegate.risk.counters.duplicates import Duplicates
from tidegate.risk.counters.fills import Fills
from tidegate.risk.counters.messages import Messages
from tidegate.risk.counters.price_moves import PriceMoves, Range
from tidegate.risk.counters.resting import Resting
from tidegate.risk.engine import Engine
from tidegate.risk.error_rate import ErrorRate
from tidegate.risk.halts import Flattening, Halt, Pause
from tidegate.risk.held_prices import Print
from tidegate.risk.high_water import HighWater
from tidegate.risk.limit import Limit, LimitKey
from tidegate.risk.limit_table import LimitTable
from tidegate.risk.limits import Limits
from tidegate.risk.order_rules import OrderRules, Rates
from tidegate.risk.price_bands import Band, PriceBands
from tidegate.risk.restarts import Restarts
from tidegate.risk.roster import PendingRebalance, Roster
from tidegate.risk.scopes import Scope
from tidegate.risk.session import Session
from tidegate.risk.session_history import SessionHistory
from tidegate.risk.strategy_returns import StrategyReturns
from tidegate.risk.terms import Terms
from tidegate.risk.unassigned import Unassigned
from tidegate.strategy_book import StrategyBook
from tidegate.totals import Totals
from tidegate.v1 import journal_pb2, order_rules_pb2, orders_pb2

# Raised by hand when an attribute keeps its name and comes to mean something else.
MEANING = 1


class NoPast:
    """The past of an engine that decides nothing."""

    def find(self, key: str) -> journal_pb2.Event | None:
        """Refuse."""
        raise LookupError(key)

    def events_of_order(self, order_id: str) -> list[journal_pb2.Event]:
        """Refuse."""
        raise LookupError(order_id)


# Dataclasses with an __init__ of their fields, and named tuples: made from these.
RECORDS: tuple[type[Any], ...] = (
    *(Account, Amount, Band, Effect, Flattening, Halt, Instrument, Ledger, Limit, LimitKey, Limits, OptionTerms),
    *(OrderRules, Pause, Position, Print, Range, Rates, Record, Replacement, Returns, Scope, Session, StrategyBook),
    *(Alike, PendingRebalance, Roster, Terms, Totals, Units),
)
# Other classes: made empty, then given their attributes.
EMPTY: dict[type[Any], Callable[[], Any]] = {
    Book: Book,
    BrokerAccount: lambda: BrokerAccount(journal_pb2.BrokerAccount(), StrategyBook("", Ledger(""), {}, {})),
    Calendar: lambda: Calendar(order_rules_pb2.TradingCalendar()),
    Counters: lambda: Counters(OrderRules()),
    Currencies: Currencies,
    Daily: Daily,
    Duplicates: lambda: Duplicates(0),
    Engine: lambda: Engine(NoPast()),
    ErrorRate: lambda: ErrorRate(journal_pb2.PortfolioConfigured()),
    Fills: lambda: Fills(0),
    HighWater: lambda: HighWater(""),
    LimitTable: LimitTable,
    Messages: Messages,
    Options: Options,
    Order: lambda: Order(orders_pb2.NewOrder(), "", 0, ZERO, ZERO),
    Performance: Performance,
    PriceBands: PriceBands,
    PriceMoves: lambda: PriceMoves(0),
    Resting: Resting,
    Restarts: Restarts,
    CorrelationBreaches: CorrelationBreaches,
    StrategyReturns: StrategyReturns,
    SessionHistory: SessionHistory,
    Unassigned: Unassigned,
}
# What follows from the rest, or is only remembered so that it need not be worked out again: no part of the state.
DERIVED: dict[type[Any], frozenset[str]] = {
    Book: frozenset({"net_exposures", "scenarios"}),
    CorrelationBreaches: frozenset({"_worst"}),
    Counters: frozenset({"_takers"}),
    Engine: frozenset({"_archive", "_checks", "_refusals"}),
    Options: frozenset({"_units"}),
    PriceBands: frozenset({"_found"}),
    StrategyReturns: frozenset({"_found", "_lacking"}),
    Totals: frozenset({"exposure_bound"}),
}

_NONE: frozenset[str] = frozenset()
BY_NAME: dict[str, type[Any]] = {kind.__name__: kind for kind in (*RECORDS, *EMPTY)}


def attributes(kind: type[Any], of: object) -> tuple[str, ...]:
    """Name what an object of a class holds, in an order that does not depend on how the class was compiled."""
    if is_dataclass(kind):
        held: Any = [field.name for field in fields(kind)]
    elif issubclass(kind, tuple):
        held = kind._fields  # type: ignore[attr-defined]  # a named tuple
    else:
        compiled = getattr(kind, "__mypyc_attrs__", None) or getattr(kind, "__slots__", None)
        held = sorted(vars(of) if compiled is None else compiled)
    derived = DERIVED.get(kind, _NONE)
    return tuple(name for name in held if name not in derived)


# Of each class by its name.
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    name: attributes(kind, EMPTY[kind]() if kind in EMPTY else kind) for name, kind in sorted(BY_NAME.items())
}


def _version() -> str:
    shape = f"{MEANING}\n" + "\n".join(f"{name}: {' '.join(held)}" for name, held in ATTRIBUTES.items())
    return hashlib.sha256(shape.encode()).hexdigest()[:16]


# What a state looks like: two versions of the gate that agree on it can read each other's.
VERSION = _version()
