"""An accepted order and its life, in FIX's words."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from tidegate.errors import BookError
from tidegate.numbers import ZERO, exact, plain, round_ratio
from tidegate.times import to_ns
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2

BUY: Final = 1
SELL: Final = -1

_SIGN: Final = {common_pb2.SIDE_BUY: BUY, common_pb2.SIDE_SELL: SELL}
_DONE: Final = {
    orders_pb2.EXECUTION_TYPE_CANCELED: common_pb2.ORDER_STATUS_CANCELED,
    orders_pb2.EXECUTION_TYPE_REJECTED: common_pb2.ORDER_STATUS_REJECTED,
    orders_pb2.EXECUTION_TYPE_EXPIRED: common_pb2.ORDER_STATUS_EXPIRED,
}
_NOT_DONE: Final = common_pb2.ORDER_STATUS_UNSPECIFIED
_REVERSALS: Final = (orders_pb2.EXECUTION_TYPE_TRADE_CANCEL, orders_pb2.EXECUTION_TYPE_TRADE_CORRECT)
_FILLS: Final = (orders_pb2.EXECUTION_TYPE_TRADE, orders_pb2.EXECUTION_TYPE_TRADE_CORRECT)
_ACCEPTED: Final = (common_pb2.ACTION_ALLOW, common_pb2.ACTION_WARN, common_pb2.ACTION_REDUCE)


def sign_of(side: common_pb2.Side.ValueType) -> int:
    """Turn a side into +1 or -1; 0 when it is neither BUY nor SELL."""
    return _SIGN.get(side, 0)


def is_accepted(decision: orders_pb2.Decision) -> bool:
    """Tell whether a decision lets the order through, perhaps smaller."""
    return decision.action in _ACCEPTED


def is_fill(execution: orders_pb2.Execution) -> bool:
    """Tell whether an execution books a quantity at a price: a fill, or the corrected one."""
    return execution.execution_type in _FILLS


def is_reversal(execution: orders_pb2.Execution) -> bool:
    """Tell whether an execution takes an earlier fill back."""
    return execution.execution_type in _REVERSALS


class Reservation:
    """
    What an order may still do at worst.

    price: what a unit costs. unit_loss: what a unit loses against the mark when it is filled at its limit.
    """

    __slots__ = ("price", "quantity", "unit_loss")

    def __init__(self, quantity: Decimal, price: Decimal, unit_loss: Decimal) -> None:
        """Take the figures."""
        self.quantity = quantity
        self.price = price
        self.unit_loss = unit_loss


NOTHING: Final = Reservation(ZERO, ZERO, ZERO)


class Replacement(NamedTuple):
    """What an order becomes when its broker accepts it; quantity is that of the whole order."""

    client_order_id: str
    quantity: Decimal
    limit_price: str
    valuation_price: Decimal
    unit_loss: Decimal
    stop_price: str = ""

    def to_wire(self) -> orders_pb2.Replacement:
        """Write the replacement."""
        return orders_pb2.Replacement(
            client_order_id=self.client_order_id,
            quantity=plain(self.quantity),
            limit_price=self.limit_price,
            stop_price=self.stop_price,
        )


class DecidedOrder:
    """
    A decision on an order, as its event tells, read once: a message is slow to ask, and many ask.

    order_id: empty for an order that was not accepted, of which no quantity, price or loss is told.
    quantity: what was approved, which is less than what was asked for where the order was reduced.
    """

    __slots__ = (
        "action",
        "client_order_id",
        "event",
        "order_id",
        "quantity",
        "reason_code",
        "request",
        "sequence",
        "sign",
        "strategy_id",
        "symbol",
        "time_ns",
        "unit_loss",
        "valuation_price",
    )

    def __init__(  # noqa: PLR0913 -- what an event tells has as many parts
        self,
        event: journal_pb2.Event,
        request: orders_pb2.NewOrder,
        *,
        time_ns: int,
        sequence: int,
        strategy_id: str,
        client_order_id: str,
        symbol: str,
        sign: int,
        action: common_pb2.Action.ValueType,
        reason_code: str,
    ) -> None:
        """Take what is told of every order; ``accept`` adds the rest."""
        self.event = event
        self.request = request
        self.time_ns = time_ns
        self.sequence = sequence
        self.strategy_id = strategy_id
        self.client_order_id = client_order_id
        self.symbol = symbol
        self.sign = sign
        self.action = action
        self.reason_code = reason_code
        self.order_id = ""
        self.quantity = self.valuation_price = self.unit_loss = ZERO

    def accept(self, order_id: str, quantity: str, valuation_price: str, unit_loss: str) -> None:
        """Take what is told of an order that was accepted, as the event has it; raises BookError for one of no side."""
        if not self.sign:
            text = f"event {self.sequence} accepts an order that neither buys nor sells"
            raise BookError(text)
        self.order_id = order_id
        self.quantity = exact(quantity)
        self.valuation_price = exact(valuation_price)
        if unit_loss:
            self.unit_loss = exact(unit_loss)

    @staticmethod
    def read(event: journal_pb2.Event) -> "DecidedOrder":
        """Read the event of a decision."""
        message = event.order_decided
        request, decision = message.order, message.decision
        decided = DecidedOrder(
            event,
            request,
            time_ns=to_ns(event.time),
            sequence=event.sequence,
            strategy_id=request.strategy_id,
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            sign=sign_of(request.side),
            action=decision.action,
            reason_code=decision.reason_code,
        )
        if order_id := decision.order_id:
            decided.accept(order_id, decision.approved_quantity, message.valuation_price, message.unit_loss)
        return decided


def told_by(event: journal_pb2.Event, decided: DecidedOrder | None) -> DecidedOrder | None:
    """Return what was read already, if it is of this very event."""
    return decided if decided is not None and decided.event is event else None


@dataclass(slots=True, init=False)
class Order:
    """
    An accepted order; its status is derived from what happened to it.

    instructed_sequence, instructed_ns: the event that last told its adapter what to do: send, cancel, replace.
    overdue: whether an alert has said that it was too long ago; one alert an instruction.
    """

    request: orders_pb2.NewOrder
    order_id: str
    sign: int
    quantity: Decimal
    valuation_price: Decimal
    unit_loss: Decimal
    cumulative_quantity: Decimal
    cumulative_value: Decimal
    acknowledged: bool
    cancel_requested: bool
    claimed_by: str
    instructed_sequence: int
    instructed_ns: int
    overdue: bool
    replacement: Replacement | None
    done_as: common_pb2.OrderStatus.ValueType

    # Written out, for the compiler makes nothing fast of one that dataclass writes.
    def __init__(
        self, request: orders_pb2.NewOrder, order_id: str, sign: int, quantity: Decimal, valuation_price: Decimal
    ) -> None:
        """Begin the life of an order that was accepted for a quantity, at the price that it is reserved at."""
        self.request = request
        self.order_id = order_id
        self.sign = sign
        self.quantity = quantity
        self.valuation_price = valuation_price
        self.unit_loss = self.cumulative_quantity = self.cumulative_value = ZERO
        self.acknowledged = self.cancel_requested = self.overdue = False
        self.claimed_by = ""
        self.instructed_sequence = self.instructed_ns = 0
        self.replacement = None
        self.done_as = _NOT_DONE

    @staticmethod
    def from_decided(decided: DecidedOrder) -> "Order":
        """Begin an order's life from the decision that accepted it."""
        order = Order(decided.request, decided.order_id, decided.sign, decided.quantity, decided.valuation_price)
        order.unit_loss = decided.unit_loss
        if decided.action == common_pb2.ACTION_REDUCE:
            order.request = orders_pb2.NewOrder()
            order.request.CopyFrom(decided.request)
            order.request.quantity = plain(decided.quantity)
        order.instructed_sequence, order.instructed_ns = decided.sequence, decided.time_ns
        return order

    @classmethod
    def from_events(cls, events: list[journal_pb2.Event]) -> "Order":
        """Fold an order's own events, oldest first; the first is its decision."""
        order = cls.from_decided(DecidedOrder.read(events[0]))
        for event in events[1:]:
            order.apply(event)
        return order

    @property
    def is_emergency(self) -> bool:
        """Whether a halt lets it through: it was called for as a way out, and nobody else has changed it since."""
        return self.request.HasField("emergency") and self.replacement is None

    @property
    def is_done(self) -> bool:
        """Whether nothing more is expected of the broker."""
        return self.done_as != _NOT_DONE

    @property
    def leaves_quantity(self) -> Decimal:
        """What may still be filled: 0 once the order is done."""
        return ZERO if self.is_done else max(self.quantity - self.cumulative_quantity, ZERO)

    @property
    def reservation(self) -> Reservation:
        """What the order may still do at worst: the larger of it and of its replacement."""
        leaves, new = self.leaves_quantity, self.replacement
        if new is None or self.is_done:
            return Reservation(leaves, self.valuation_price, self.unit_loss)
        return Reservation(
            max(leaves, new.quantity - self.cumulative_quantity),
            max(self.valuation_price, new.valuation_price),
            max(self.unit_loss, new.unit_loss),
        )

    @property
    def status(self) -> common_pb2.OrderStatus.ValueType:
        """The order's status in FIX's meaning."""
        if self.is_done:
            return self._done_status
        if self.cancel_requested:
            return common_pb2.ORDER_STATUS_PENDING_CANCEL
        if self.replacement is not None:
            return common_pb2.ORDER_STATUS_PENDING_REPLACE
        if self.cumulative_quantity:
            return common_pb2.ORDER_STATUS_PARTIALLY_FILLED
        return common_pb2.ORDER_STATUS_NEW if self.acknowledged else common_pb2.ORDER_STATUS_PENDING_NEW

    @property
    def _done_status(self) -> common_pb2.OrderStatus.ValueType:
        if self.cumulative_quantity >= self.quantity:
            return common_pb2.ORDER_STATUS_FILLED
        # A fill was taken back afterwards: neither whole nor working any more is FIX's CANCELED.
        return common_pb2.ORDER_STATUS_CANCELED if self.done_as == common_pb2.ORDER_STATUS_FILLED else self.done_as

    @property
    def awaits_report(self) -> bool:
        """Whether a report is owed: that the broker has the order, or what became of the cancel or replacement."""
        return not self.is_done and (not self.acknowledged or self.cancel_requested or self.replacement is not None)

    def apply(self, event: journal_pb2.Event) -> None:
        """Take one of this order's own events, other than its decision."""
        match event.WhichOneof("body"):
            case "execution_booked":
                self._execute(event.execution_booked)
            case "order_claimed":
                self.claimed_by = event.order_claimed.adapter
            case "cancel_requested":
                self.cancel_requested = True
                self._instruct(event)
            case "replace_decided":
                if event.replace_decided.decision.order_id:
                    self._replace(event.replace_decided)
                    self._instruct(event)
            case "order_overdue":
                self.overdue = True
            case other:
                text = f"event {event.sequence} ({other}) is not about an order"
                raise BookError(text)

    def _instruct(self, event: journal_pb2.Event) -> None:
        self.instructed_sequence, self.instructed_ns, self.overdue = event.sequence, to_ns(event.time), False

    def _replace(self, decided: journal_pb2.ReplaceDecided) -> None:
        self.replacement = Replacement(
            client_order_id=decided.replace.client_order_id,
            quantity=Decimal(decided.replace.quantity),
            limit_price=decided.replace.limit_price,
            valuation_price=Decimal(decided.valuation_price),
            unit_loss=Decimal(decided.unit_loss or 0),
            stop_price=decided.replace.stop_price,
        )

    def _execute(self, booked: journal_pb2.ExecutionBooked) -> None:
        execution = booked.execution
        self.acknowledged = True
        match execution.execution_type:
            case orders_pb2.EXECUTION_TYPE_CANCEL_REJECTED:
                self.cancel_requested = False
            case orders_pb2.EXECUTION_TYPE_REPLACED if self.replacement is not None:
                self._become(self.replacement)
            case orders_pb2.EXECUTION_TYPE_REPLACE_REJECTED:
                self.replacement = None
            case kind if kind in _DONE:
                self.done_as = _DONE[kind]
        if is_reversal(execution):
            self._count(booked.reversed, -1)
        if is_fill(execution):
            self._count(execution, 1)
        # All filled, and a larger replacement may still come: only the broker's report on it ends the order.
        if self.cumulative_quantity >= self.quantity and self.replacement is None and not self.is_done:
            self.done_as = common_pb2.ORDER_STATUS_FILLED

    def _become(self, new: Replacement) -> None:
        request = orders_pb2.NewOrder()
        request.CopyFrom(self.request)
        request.client_order_id, request.limit_price = new.client_order_id, new.limit_price
        request.quantity, request.stop_price = plain(new.quantity), new.stop_price
        request.ClearField("emergency")
        self.request, self.replacement = request, None
        self.quantity, self.valuation_price, self.unit_loss = new.quantity, new.valuation_price, new.unit_loss

    def _count(self, execution: orders_pb2.Execution, sign: int) -> None:
        quantity = sign * Decimal(execution.last_quantity)
        self.cumulative_quantity += quantity
        self.cumulative_value += quantity * Decimal(execution.last_price)

    def to_wire(self) -> orders_pb2.Order:
        """Write the order as it stands now."""
        filled = self.cumulative_quantity
        return orders_pb2.Order(
            order=self.request,
            order_id=self.order_id,
            status=self.status,
            cumulative_quantity=plain(filled),
            leaves_quantity=plain(self.leaves_quantity),
            average_price=plain(round_ratio(self.cumulative_value / filled)) if filled else "",
            claimed_by=self.claimed_by,
            possibly_sent=bool(self.claimed_by) and not self.acknowledged,
            replacement=None if self.replacement is None else self.replacement.to_wire(),
        )
