"""Performance: what each strategy and the portfolio made of their capital, bar by bar, transfers left out."""

from dataclasses import dataclass, field
from decimal import Decimal
from math import sqrt
from typing import TYPE_CHECKING, Final

from tidegate.capital_flows import flows_of
from tidegate.numbers import ZERO
from tidegate.orders import DecidedOrder
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2, portfolio_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book

SESSIONS_PER_YEAR = 252
_REJECT: Final = common_pb2.ACTION_REJECT
_RETURNS_MIN = 2


@dataclass(slots=True)
class Returns:
    """
    Statistics of one series of bar returns, in constant memory.

    A bar's return is equity, less what was put in during the bar, over the equity before; mean and variance follow
    Welford (1962). At equity <= 0 the series ends at -100%.
    """

    equity: Decimal = ZERO
    flow: Decimal = ZERO
    bars: int = 0
    mean: float = 0.0
    squares: float = 0.0
    index: float = 1.0
    peak: float = 1.0
    max_drawdown: float = 0.0

    def close_bar(self, equity: Decimal) -> None:
        """Take the equity at a bar's end."""
        before, earned = self.equity, equity - self.flow
        self.equity, self.flow = equity, ZERO
        if before <= ZERO:
            return
        bar_return = max(float(earned / before) - 1.0, -1.0)
        self.bars += 1
        step = bar_return - self.mean
        self.mean += step / self.bars
        self.squares += step * (bar_return - self.mean)
        self.index *= 1.0 + bar_return
        self.peak = max(self.peak, self.index)
        self.max_drawdown = min(self.max_drawdown, self.index / self.peak - 1.0)

    @property
    def sharpe_ratio(self) -> float | None:
        """Mean over standard deviation of bar returns, times sqrt(252); None when undefined. Risk-free rate 0."""
        if self.bars < _RETURNS_MIN or self.squares <= 0.0:
            return None
        return self.mean / sqrt(self.squares / (self.bars - 1)) * sqrt(SESSIONS_PER_YEAR)


@dataclass(slots=True)
class Record:
    """One strategy's returns, and how many orders, rejects and fills it had."""

    returns: Returns = field(default_factory=Returns)
    orders: int = 0
    rejects: int = 0
    fills: int = 0

    def to_wire(self) -> portfolio_pb2.Performance:
        """Write the record; ratios with six digits."""
        returns = self.returns
        sharpe = returns.sharpe_ratio
        return portfolio_pb2.Performance(
            bars=returns.bars,
            total_return=f"{returns.index - 1.0:.6f}",
            sharpe_ratio="" if sharpe is None else f"{sharpe:.6f}",
            max_drawdown=f"{returns.max_drawdown:.6f}",
            orders=self.orders,
            rejects=self.rejects,
            fills=self.fills,
        )


class Performance:
    """The records of the portfolio and of each strategy: a projection of the same events as the book."""

    def __init__(self) -> None:
        """Begin before the first event."""
        self.portfolio = Record()
        self.strategies: dict[str, Record] = {}
        # How often each action was decided, and for which reason.
        self.decisions: dict[tuple[common_pb2.Action.ValueType, str], int] = {}
        self.halts = 0
        self.halted_bars = 0

    def apply(self, event: journal_pb2.Event, kind: str, book: "Book", decided: DecidedOrder | None) -> None:
        """Take an event that the book has just taken; kind names its body, decided is a decision on an order, read."""
        if decided is not None:
            self._count_order(decided)
            return
        match kind:
            case "portfolio_configured":
                self.portfolio.returns.equity = book.equity
                self.strategies = {s: Record(Returns(terms.capital)) for s, terms in book.terms.items()}
            case "execution_booked":
                self._count_execution(event.execution_booked)
            case "strategy_added":
                terms = event.strategy_added.terms
                self.strategies[terms.strategy_id] = Record(Returns(Decimal(terms.capital)))
            case "capital_transferred" | "strategy_removed" | "rebalanced" | "rebalance_advanced":
                self._note_flows(event)
            case "capital_moved":
                self.portfolio.returns.flow += Decimal(event.capital_moved.amount)
            case "trading_halted":
                self.halts += event.trading_halted.scope.kind == common_pb2.SCOPE_KIND_PORTFOLIO
            case "bar_completed":
                self._close_bar(book)

    def _note_flows(self, event: journal_pb2.Event) -> None:
        for strategy_id, amount in flows_of(event).items():
            self.strategies[strategy_id].returns.flow += amount

    def _count_order(self, decided: DecidedOrder) -> None:
        refused = decided.action >= _REJECT
        outcome = (decided.action, decided.reason_code)
        self.decisions[outcome] = self.decisions.get(outcome, 0) + 1
        self.portfolio.orders += 1
        self.portfolio.rejects += refused
        if (record := self.strategies.get(decided.strategy_id)) is not None:
            record.orders += 1
            record.rejects += refused

    def _count_execution(self, booked: journal_pb2.ExecutionBooked) -> None:
        kind = booked.execution.execution_type
        for record in (self.portfolio, self.strategies.get(booked.strategy_id)):
            if record is not None:
                record.fills += kind == orders_pb2.EXECUTION_TYPE_TRADE
                record.rejects += kind == orders_pb2.EXECUTION_TYPE_REJECTED

    def _close_bar(self, book: "Book") -> None:
        self.portfolio.returns.close_bar(book.equity)
        for strategy_id, record in self.strategies.items():
            record.returns.close_bar(book.strategies[strategy_id].ledger.equity)
        if any(scope.kind == common_pb2.SCOPE_KIND_PORTFOLIO for scope in book.halts):
            self.halted_bars += 1
