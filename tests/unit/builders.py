"""A desk: a configured gate over a real journal, and the few words that a test needs to trade through it."""

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from tests.callers import caller_of
from tidegate.clocks import BARS, bar_clock
from tidegate.gate import Gate, Reply, Request
from tidegate.journal.location import Location, open_journal
from tidegate.numbers import plain
from tidegate.times import NS_PER_S
from tidegate.v1 import (
    actors_pb2,
    admin_pb2,
    common_pb2,
    journal_pb2,
    market_data_pb2,
    orders_pb2,
    portfolio_pb2,
    risk_pb2,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.risk.book import Book

M = TypeVar("M", bound=Message)

NewOrder = orders_pb2.NewOrder

DAY_S = 86_400
# The first bar ends on 2022-01-03, a Monday.
FIRST_DAY_S = 1_641_168_000

BUY = common_pb2.SIDE_BUY
SELL = common_pb2.SIDE_SELL
TRADE = orders_pb2.EXECUTION_TYPE_TRADE
NEW = orders_pb2.EXECUTION_TYPE_NEW
CANCELED = orders_pb2.EXECUTION_TYPE_CANCELED
CANCEL_REJECTED = orders_pb2.EXECUTION_TYPE_CANCEL_REJECTED
REPLACED = orders_pb2.EXECUTION_TYPE_REPLACED
REPLACE_REJECTED = orders_pb2.EXECUTION_TYPE_REPLACE_REJECTED
TRADE_CANCEL = orders_pb2.EXECUTION_TYPE_TRADE_CANCEL
TRADE_CORRECT = orders_pb2.EXECUTION_TYPE_TRADE_CORRECT

PORTFOLIO = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_PORTFOLIO)


def stamp(day: float) -> Timestamp:
    """Return the end of the bar of a day; a fraction is a part of a day."""
    return Timestamp(seconds=FIRST_DAY_S + round((day - 1) * DAY_S))


def strategy_scope(strategy_id: str) -> common_pb2.Scope:
    """Name one strategy's scope on the wire."""
    return common_pb2.Scope(kind=common_pb2.SCOPE_KIND_STRATEGY, name=strategy_id)


def instrument_scope(symbol: str) -> common_pb2.Scope:
    """Name one instrument's scope on the wire."""
    return common_pb2.Scope(kind=common_pb2.SCOPE_KIND_INSTRUMENT, name=symbol)


def instrument(symbol: str, *, tick: str = "0.01", lot: str = "1", multiplier: str = "1") -> journal_pb2.Instrument:
    """Describe an instrument."""
    return journal_pb2.Instrument(
        symbol=symbol, tick=tick, lot=lot, multiplier=multiplier, currency="USD", asset_class="equity"
    )


def configuration(**limits: str) -> journal_pb2.PortfolioConfigured:
    """
    Configure 100,000: strategy cash has 50,000, margin 30,000 at leverage 2, the reserve 20,000.

    Only the limits that a test names are set, so that it shows one check at a time.
    """
    return journal_pb2.PortfolioConfigured(
        name="desk",
        currency="USD",
        capital="100000",
        instruments=[instrument("A"), instrument("B"), instrument("F", lot="0.5", multiplier="10")],
        strategies=[
            journal_pb2.StrategyTerms(strategy_id="cash", kind="cash", capital="50000", max_leverage="1"),
            journal_pb2.StrategyTerms(strategy_id="margin", kind="margin", capital="30000", max_leverage="2"),
        ],
        limits=risk_pb2.Limits(max_price_age_s=3 * DAY_S, **limits),
        adapters=["paper", "other"],
        synchronised_adapters=["paper"],
        clock=BARS,
        route_within_s=30,
    )


def limit(order: NewOrder, price: str) -> NewOrder:
    """Turn a market order into a limit order."""
    order.order_type, order.limit_price = common_pb2.ORDER_TYPE_LIMIT, price
    return order


def action(decision: orders_pb2.Decision) -> str:
    """Return the word for what was decided, with the reason's code where there is one."""
    word = common_pb2.Action.Name(decision.action).removeprefix("ACTION_")
    return f"{word} {decision.reason_code}".strip()


@dataclass(slots=True)
class Desk:
    """A gate, and everybody who talks to it."""

    path: Path
    configured: journal_pb2.PortfolioConfigured
    gate: Gate = field(init=False)
    ids: "Iterator[int]" = field(default_factory=lambda: count(1))
    # Where the journal is, when it is no file.
    location: Location | None = None

    def __post_init__(self) -> None:
        """Open the journal and start the gate."""
        self.gate = Gate(open_journal(self.location or self.path), bar_clock)
        self.gate.start(self.configured)

    def restarted(self) -> "Desk":
        """Return a desk that comes back from this one's journal."""
        return Desk(self.path, self.configured, ids=self.ids, location=self.location)

    @property
    def book(self) -> "Book":
        """The book as it stands."""
        return self.gate.engine.book

    # Talking to the gate.

    def reply(self, method: str, request: Message) -> Reply:
        """Send one request as a batch of its own, and return the bare reply."""
        (reply,) = self.gate.process([Request(method, request.SerializeToString(), caller_of(method))]).replies
        return reply

    def replies(self, *requests: tuple[str, Message]) -> list[Reply]:
        """Send several requests as one batch, and return the bare replies."""
        return self.gate.process([Request(method, message.SerializeToString()) for method, message in requests]).replies

    def ask(self, method: str, request: Message, answer: type[M]) -> M:
        """Send a request that must not be refused, and return the answer."""
        reply = self.reply(method, request)
        assert reply.reason == "", reply.text
        return answer.FromString(reply.body)

    def refusal(self, method: str, request: Message) -> str:
        """Send a request and return the reason code of its refusal; empty when it was not refused."""
        return self.reply(method, request).reason

    # Prices.

    def bar(self, day: float, **closes: str) -> int:
        """Publish a day's bar; return its sequence."""
        request = bar(day, **closes)
        return self.ask("PublishBars", request, market_data_pb2.PublishBarsResponse).bar_sequence

    def price(self, day: float, **prices: str) -> None:
        """Publish marks between bars."""
        entries = [market_data_pb2.Price(symbol=s, price=p, time=stamp(day)) for s, p in prices.items()]
        request = market_data_pb2.PublishPricesRequest(prices=entries)
        self.ask("PublishPrices", request, market_data_pb2.PublishPricesResponse)

    def wait(self, seconds: int) -> None:
        """Let time go on: the mark of A comes again, so many seconds later."""
        entry = market_data_pb2.Price(symbol="A", price=plain(self.book.marks["A"]))
        entry.time.seconds = self.book.time_ns // NS_PER_S + seconds
        request = market_data_pb2.PublishPricesRequest(prices=[entry])
        self.ask("PublishPrices", request, market_data_pb2.PublishPricesResponse)

    def tick(self, after_s: int = 0) -> list[journal_pb2.Event]:
        """Let fall due what is due, perhaps some seconds later; return the events that this records."""
        if after_s:
            self.wait(after_s)
        before = self.book.sequence
        self.ask("AdvanceTime", actors_pb2.AdvanceTimeRequest(), actors_pb2.AdvanceTimeResponse)
        return list(self.gate.journal.read(before))

    # Orders.

    def order(self, strategy_id: str, side: common_pb2.Side.ValueType, quantity: str, symbol: str) -> NewOrder:
        """Write a market order with an id of its own, routed to the paper broker."""
        return orders_pb2.NewOrder(
            strategy_id=strategy_id,
            client_order_id=f"o{next(self.ids)}",
            symbol=symbol,
            side=side,
            order_type=common_pb2.ORDER_TYPE_MARKET,
            quantity=quantity,
            route="paper",
        )

    def submit(self, order: NewOrder) -> orders_pb2.Decision:
        """Submit one order; return the decision."""
        request = orders_pb2.SubmitOrderRequest(order=order)
        return self.ask("SubmitOrder", request, orders_pb2.SubmitOrderResponse).decision

    def buy(self, strategy_id: str, quantity: str, symbol: str = "A") -> orders_pb2.Decision:
        """Submit a market order to buy."""
        return self.submit(self.order(strategy_id, BUY, quantity, symbol))

    def sell(self, strategy_id: str, quantity: str, symbol: str = "A") -> orders_pb2.Decision:
        """Submit a market order to sell."""
        return self.submit(self.order(strategy_id, SELL, quantity, symbol))

    def cancel(self, order: NewOrder) -> orders_pb2.Order:
        """Ask for an order's cancel; return the order."""
        request = orders_pb2.CancelOrderRequest(strategy_id=order.strategy_id, client_order_id=order.client_order_id)
        return self.ask("CancelOrder", request, orders_pb2.CancelOrderResponse).order

    def replacement(self, order: NewOrder, quantity: str, price: str = "") -> orders_pb2.ReplaceOrderRequest:
        """Write a replacement with an id of its own."""
        return orders_pb2.ReplaceOrderRequest(
            strategy_id=order.strategy_id,
            orig_client_order_id=order.client_order_id,
            client_order_id=f"r{next(self.ids)}",
            quantity=quantity,
            limit_price=price,
        )

    def replace(self, request: orders_pb2.ReplaceOrderRequest) -> orders_pb2.Decision:
        """Ask for a replacement; return the decision."""
        return self.ask("ReplaceOrder", request, orders_pb2.ReplaceOrderResponse).decision

    def cancel_all(self, scope: common_pb2.Scope = PORTFOLIO) -> int:
        """Ask for the cancel of everything in a scope; return how many this asked for."""
        request = orders_pb2.CancelAllOrdersRequest(scope=scope)
        return self.ask("CancelAllOrders", request, orders_pb2.CancelAllOrdersResponse).cancels_requested

    def check(self, order: NewOrder) -> orders_pb2.Decision:
        """Ask what would be decided on an order."""
        request = orders_pb2.CheckOrderRequest(order=order)
        return self.ask("CheckOrder", request, orders_pb2.CheckOrderResponse).decision

    def found(self, client_order_id: str, strategy_id: str = "cash") -> orders_pb2.GetOrderResponse:
        """Look an order up by an id of its sender."""
        request = orders_pb2.GetOrderRequest(strategy_id=strategy_id, client_order_id=client_order_id)
        return self.ask("GetOrder", request, orders_pb2.GetOrderResponse)

    def claim(self, order_id: str, adapter: str = "paper") -> orders_pb2.Claim:
        """Claim one order for an adapter."""
        request = orders_pb2.ClaimOrdersRequest(adapter=adapter, order_ids=[order_id])
        return self.ask("ClaimOrders", request, orders_pb2.ClaimOrdersResponse).claims[0]

    def move(self, strategy_id: str, quantity: str, symbol: str = "A") -> orders_pb2.Decision:
        """Submit a market order; a negative quantity sells."""
        side = SELL if quantity.startswith("-") else BUY
        return self.submit(self.order(strategy_id, side, quantity.lstrip("-"), symbol))

    # Executions.

    def execution(self, order_id: str, kind: orders_pb2.ExecutionType.ValueType) -> orders_pb2.Execution:
        """Write a report that has no figures, with an id of its own."""
        return orders_pb2.Execution(execution_id=f"x{next(self.ids)}", execution_type=kind, order_id=order_id)

    def trade(self, order_id: str, quantity: str, price: str, fee: str = "") -> orders_pb2.Execution:
        """Write the report of a fill."""
        execution = self.execution(order_id, TRADE)
        execution.last_quantity, execution.last_price, execution.fee = quantity, price, fee
        return execution

    def bust(self, reference: orders_pb2.Execution) -> orders_pb2.Execution:
        """Write the report that takes a fill back."""
        execution = self.execution("", TRADE_CANCEL)
        execution.reference_execution_id = reference.execution_id
        return execution

    def correction(
        self, reference: orders_pb2.Execution, quantity: str, price: str, fee: str = ""
    ) -> orders_pb2.Execution:
        """Write the report that corrects a fill."""
        execution = self.trade("", quantity, price, fee)
        execution.execution_type, execution.reference_execution_id = TRADE_CORRECT, reference.execution_id
        return execution

    def report(self, *executions: orders_pb2.Execution, bar_sequence: int = 0) -> list[int]:
        """Report executions of one account; return their sequences."""
        request = orders_pb2.ReportExecutionsRequest(
            account="u1", adapter="paper", executions=executions, bar_sequence=bar_sequence
        )
        return list(self.ask("ReportExecutions", request, orders_pb2.ReportExecutionsResponse).sequences)

    def fill(self, order_id: str, quantity: str, price: str, fee: str = "") -> int:
        """Report one fill; return its sequence."""
        return self.report(self.trade(order_id, quantity, price, fee))[0]

    def hold(self, strategy_id: str, quantity: str, price: str, symbol: str = "A") -> None:
        """Give a strategy a position by an order that is filled at once; a negative quantity is short."""
        decision = self.move(strategy_id, quantity, symbol)
        self.fill(decision.order_id, quantity.lstrip("-"), price)

    # Operators.

    def halt(
        self,
        scope: common_pb2.Scope = PORTFOLIO,
        level: common_pb2.HaltLevel.ValueType = common_pb2.HALT_LEVEL_HALTED,
    ) -> admin_pb2.HaltResponse:
        """Halt a scope."""
        request = admin_pb2.HaltRequest(scope=scope, level=level, operator="ann", reason="drill")
        return self.ask("Halt", request, admin_pb2.HaltResponse)

    def level(self) -> common_pb2.HaltLevel.ValueType:
        """Return the portfolio's halt level."""
        return self.ask("GetHaltState", risk_pb2.GetHaltStateRequest(), risk_pb2.GetHaltStateResponse).level

    def deposit(self, amount: str, transfer_id: str = "d1") -> str:
        """Put capital into the reserve; return the reason code of a refusal."""
        request = admin_pb2.DepositCapitalRequest(transfer_id=transfer_id, amount=amount, operator="ann", reason="in")
        return self.refusal("DepositCapital", request)

    def withdraw(self, amount: str, transfer_id: str = "w1") -> str:
        """Take capital out of the reserve; return the reason code of a refusal."""
        request = admin_pb2.WithdrawCapitalRequest(transfer_id=transfer_id, amount=amount, operator="ann", reason="out")
        return self.refusal("WithdrawCapital", request)

    def alerts(self, *, open_only: bool = False) -> list[risk_pb2.Alert]:
        """Return the newest alerts, newest first."""
        request = risk_pb2.ListAlertsRequest(open_only=open_only, page_size=1_000)
        return list(self.ask("ListAlerts", request, risk_pb2.ListAlertsResponse).alerts)

    # Adapters' sessions.

    def open_session(self, session_id: str, heartbeat_s: int = 5, adapter: str = "paper") -> None:
        """Open an adapter's session."""
        request = actors_pb2.OpenSessionRequest(adapter=adapter, session_id=session_id, heartbeat_s=heartbeat_s)
        self.ask("OpenSession", request, actors_pb2.OpenSessionResponse)

    def close_session(self, session_id: str, adapter: str = "paper") -> None:
        """Say that the stream of an adapter's session has ended."""
        request = actors_pb2.CloseSessionRequest(adapter=adapter, session_id=session_id)
        self.ask("CloseSession", request, actors_pb2.CloseSessionResponse)

    def heartbeat(self, session_id: str, adapter: str = "paper") -> str:
        """Say that an adapter is alive; return the reason code of a refusal."""
        return self.refusal("Heartbeat", orders_pb2.HeartbeatRequest(adapter=adapter, session_id=session_id))

    # What was recorded.

    def state(self) -> list[bytes]:
        """Return all that can be seen of the state, as bytes."""
        reads: list[tuple[str, Message]] = [
            ("GetRiskMetrics", risk_pb2.GetRiskMetricsRequest()),
            ("GetHaltState", risk_pb2.GetHaltStateRequest()),
            ("GetPortfolio", portfolio_pb2.GetPortfolioRequest()),
            ("ListStrategies", portfolio_pb2.ListStrategiesRequest()),
            ("ListOrders", orders_pb2.ListOrdersRequest()),
            ("ListAlerts", risk_pb2.ListAlertsRequest(page_size=1_000)),
            ("NextBar", actors_pb2.NextBarRequest()),
            *(("GetStrategy", portfolio_pb2.GetStrategyRequest(strategy_id=s)) for s in self.book.terms),
            *(("WatchOrders", orders_pb2.WatchOrdersRequest(adapter=a)) for a in self.configured.adapters),
            *(("WatchBars", market_data_pb2.WatchBarsRequest(adapter=a)) for a in self.configured.adapters),
        ]
        digests = [strategy.ledger.digest() for strategy in self.book.strategies.values()]
        return [*digests, *(self.reply(method, request).body for method, request in reads)]

    def events(self, body: str = "") -> list[journal_pb2.Event]:
        """Return the journal's events, or those of one kind."""
        return [event for event in self.gate.journal.read(0) if body in ("", event.WhichOneof("body"))]

    def kinds(self, after: int) -> list[str]:
        """Return the kinds of the events after a sequence."""
        return [event.WhichOneof("body") or "" for event in self.gate.journal.read(after)]

    def conserved(self) -> str:
        """Return what conservation of capital is off by."""
        answer = self.ask("GetPortfolio", portfolio_pb2.GetPortfolioRequest(), portfolio_pb2.GetPortfolioResponse)
        return answer.conservation.difference

    def position(self, strategy_id: str, symbol: str = "A") -> Decimal:
        """Return the quantity that a strategy holds."""
        held = self.book.strategies[strategy_id].ledger.positions.get(symbol)
        return held.quantity if held is not None else Decimal(0)


def bar(day: float, **closes: str) -> market_data_pb2.PublishBarsRequest:
    """Write a day's bar."""
    bars = [market_data_pb2.Bar(symbol=symbol, close=close) for symbol, close in closes.items()]
    return market_data_pb2.PublishBarsRequest(time=stamp(day), bars=bars)


def stop(order: NewOrder, price: str, limit_price: str = "") -> NewOrder:
    """Turn a market order into a stop order, or with a limit into a stop-limit order."""
    order.order_type = common_pb2.ORDER_TYPE_STOP_LIMIT if limit_price else common_pb2.ORDER_TYPE_STOP
    order.stop_price, order.limit_price = price, limit_price
    return order


def at(desk: Desk, milliseconds: int) -> None:
    """Let it be so many milliseconds after the first bar: the mark of A comes again."""
    entry = market_data_pb2.Price(symbol="A", price=plain(desk.book.marks["A"]))
    entry.time.seconds, entry.time.nanos = FIRST_DAY_S + milliseconds // 1_000, milliseconds % 1_000 * 1_000_000
    request = market_data_pb2.PublishPricesRequest(prices=[entry])
    desk.ask("PublishPrices", request, market_data_pb2.PublishPricesResponse)
