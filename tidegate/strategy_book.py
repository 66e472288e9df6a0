"""A strategy's ledger and working orders, as its events tell; the RiskManager and the strategy keep one each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from tidegate.errors import BookError
from tidegate.instruments import Instrument
from tidegate.ledger import Ledger
from tidegate.numbers import ONE, ZERO
from tidegate.orders import Order, sign_of
from tidegate.v1 import journal_pb2, orders_pb2


def strategies_of(event: journal_pb2.Event) -> tuple[str, ...]:
    """Name the strategies whose books an event changes; empty when it changes none, or the suspense ledger."""
    body = event.WhichOneof("body")
    if body == "capital_transferred":
        transfer = event.capital_transferred
        return tuple(s for s in (transfer.from_strategy_id, transfer.to_strategy_id) if s)
    if body == "order_decided":
        return (event.order_decided.order.strategy_id,)
    if body in {"order_claimed", "cancel_requested", "execution_booked"}:
        strategy_id: str = getattr(event, body).strategy_id
        return (strategy_id,) if strategy_id else ()
    return ()


@dataclass(slots=True)
class StrategyBook:
    """
    One strategy's ledger and working orders.

    marks: the newest price by symbol, shared with whoever marks the positions.
    """

    strategy_id: str
    ledger: Ledger
    instruments: Mapping[str, Instrument]
    marks: Mapping[str, Decimal]
    orders: dict[str, Order] = field(default_factory=dict)

    def apply(self, event: journal_pb2.Event) -> None:
        """Take one event that concerns this strategy."""
        match event.WhichOneof("body"):
            case "order_decided":
                if event.order_decided.decision.order_id:
                    self.accept(event.order_decided)
            case "order_claimed":
                self.orders[event.order_claimed.order_id].apply(event)
            case "cancel_requested":
                self.orders[event.cancel_requested.order_id].apply(event)
            case "execution_booked":
                self._book(event)
            case "capital_transferred":
                amount = Decimal(event.capital_transferred.amount)
                self.ledger.transfer(
                    -amount if event.capital_transferred.from_strategy_id == self.strategy_id else amount
                )
            case other:
                text = f"event {event.sequence} ({other}) is not about a strategy"
                raise BookError(text)

    def accept(self, decided: journal_pb2.OrderDecided) -> Order:
        """Begin an accepted order's life, and reserve what it may cost."""
        order = Order.from_decided(decided)
        self.orders[order.order_id] = order
        self._reserve(order, decided.order.symbol, order.quantity)
        return order

    def _book(self, event: journal_pb2.Event) -> None:
        booked = event.execution_booked
        order = self.orders.get(booked.execution.order_id)
        if order is not None:
            before = order.leaves_quantity
            order.apply(event)
            if released := order.leaves_quantity - before:
                self._reserve(order, booked.symbol, released)
            if order.is_done:
                del self.orders[order.order_id]
        if booked.execution.execution_type == orders_pb2.EXECUTION_TYPE_TRADE:
            self._fill(booked)

    def _fill(self, booked: journal_pb2.ExecutionBooked) -> None:
        execution = booked.execution
        self.ledger.fill(
            self._instrument(booked.symbol),
            sign_of(booked.side) * Decimal(execution.last_quantity),
            price=Decimal(execution.last_price),
            fee=Decimal(execution.fee or 0),
            mark=self.marks.get(booked.symbol),
        )

    def _reserve(self, order: Order, symbol: str, quantity: Decimal) -> None:
        self.ledger.reserve(self._instrument(symbol), order, quantity, self.marks.get(symbol))

    def _instrument(self, symbol: str) -> Instrument:
        known = self.instruments.get(symbol)
        # A fill is a fact even in an instrument that nobody configured: one money unit a unit of price and quantity.
        return known or Instrument(symbol, ONE, ONE, ONE, self.ledger.currency, "", "")

    @property
    def cash_available(self) -> Decimal:
        """Cash that is neither reserved by working buys nor owed for short sales."""
        return self.ledger.cash - self.ledger.reserved_cash - max(self.ledger.short_proceeds, ZERO)
