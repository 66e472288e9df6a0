"""A strategy's ledger and working orders, as its events tell; the RiskManager and the strategy keep one each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from tidegate.capital_flows import FLOWS, flows_of
from tidegate.errors import BookError
from tidegate.instruments import Instrument
from tidegate.ledger import Ledger
from tidegate.numbers import ONE
from tidegate.orders import DecidedOrder, Order, Reservation, is_fill, is_reversal, sign_of
from tidegate.v1 import journal_pb2, orders_pb2

# The suspense ledger is a strategy's book with no strategy.
SUSPENSE = ""


def strategies_of(event: journal_pb2.Event) -> tuple[str, ...]:
    """Name the strategies whose books an event changes; empty when it changes none, or the suspense ledger."""
    body = event.WhichOneof("body")
    if body == "order_decided":
        return (event.order_decided.order.strategy_id,)
    if body == "replace_decided":
        return (event.replace_decided.replace.strategy_id,)
    if body == "suspense_assigned":
        return (event.suspense_assigned.strategy_id,)
    if body in {"order_claimed", "cancel_requested", "execution_booked", "order_overdue"}:
        strategy_id: str = getattr(event, body).strategy_id
        return (strategy_id,) if strategy_id else ()
    return tuple(flows_of(event)) if body in FLOWS else ()


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
                decided = DecidedOrder.read(event)
                if decided.order_id:
                    self.accept(decided)
            case "replace_decided":
                order = self.orders.get(event.replace_decided.order_id)
                if order is not None:
                    self._advance(order, event)
            case "order_claimed" | "cancel_requested" | "order_overdue" as kind:
                self.orders[getattr(event, kind).order_id].apply(event)
            case "execution_booked":
                self._book(event)
            case "suspense_assigned":
                fill = event.suspense_assigned.fill
                self._fill(fill, fill.execution, -1 if self.strategy_id == SUSPENSE else 1)
            case kind if kind in FLOWS:
                self.ledger.transfer(flows_of(event)[self.strategy_id])
            case other:
                text = f"event {event.sequence} ({other}) is not about a strategy"
                raise BookError(text)

    def accept(self, decided: DecidedOrder) -> Order:
        """Begin an accepted order's life, and reserve what it may cost."""
        order = Order.from_decided(decided)
        self.orders[order.order_id] = order
        self._reserve(order, Reservation(order.quantity, order.valuation_price, order.unit_loss))
        return order

    def _book(self, event: journal_pb2.Event) -> None:
        booked = event.execution_booked
        order = self.orders.get(booked.execution.order_id)
        if order is not None:
            self._advance(order, event)
            if order.is_done:
                del self.orders[order.order_id]
        if is_reversal(booked.execution):
            self._fill(booked, booked.reversed, -1)
        if is_fill(booked.execution):
            self._fill(booked, booked.execution, 1)

    def _advance(self, order: Order, event: journal_pb2.Event) -> None:
        """Let a working order take an event, and carry over what it reserves now."""
        before = order.reservation
        order.apply(event)
        after = order.reservation
        quantity = after.quantity
        if after.price == before.price and after.unit_loss == before.unit_loss:
            quantity -= before.quantity
        elif before.quantity:
            self._reserve(order, Reservation(-before.quantity, before.price, before.unit_loss))
        if quantity:
            self._reserve(order, Reservation(quantity, after.price, after.unit_loss))

    def _fill(self, booked: journal_pb2.ExecutionBooked, execution: orders_pb2.Execution, sign: int) -> None:
        """Book a fill; or, with a negative sign, the opposite of one that is taken back."""
        self.ledger.fill(
            self._instrument(booked.symbol),
            sign * sign_of(booked.side) * Decimal(execution.last_quantity),
            price=Decimal(execution.last_price),
            fee=sign * Decimal(execution.fee or 0),
            mark=self.marks.get(booked.symbol),
        )

    def _reserve(self, order: Order, reservation: Reservation) -> None:
        symbol = order.request.symbol
        self.ledger.reserve(self._instrument(symbol), order.sign, reservation, self.marks.get(symbol))

    def _instrument(self, symbol: str) -> Instrument:
        known = self.instruments.get(symbol)
        # A fill is a fact even in an instrument that nobody configured: one money unit a unit of price and quantity.
        return known or Instrument(symbol, ONE, ONE, ONE, self.ledger.currency, "", "")

    @property
    def cash_available(self) -> Decimal:
        """Cash in the portfolio's currency that is neither reserved by working buys nor owed to anybody."""
        return self.ledger.cash - self.ledger.reserved_cash - self.ledger.not_transferable
