"""An accepted order and its life, in FIX's words."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.errors import BookError
from tidegate.numbers import ZERO, plain, round_ratio
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2

BUY = 1
SELL = -1

_SIGN = {common_pb2.SIDE_BUY: BUY, common_pb2.SIDE_SELL: SELL}
_DONE = {
    orders_pb2.EXECUTION_TYPE_CANCELED: common_pb2.ORDER_STATUS_CANCELED,
    orders_pb2.EXECUTION_TYPE_REJECTED: common_pb2.ORDER_STATUS_REJECTED,
    orders_pb2.EXECUTION_TYPE_EXPIRED: common_pb2.ORDER_STATUS_EXPIRED,
}
_ACCEPTED = (common_pb2.ACTION_ALLOW, common_pb2.ACTION_WARN, common_pb2.ACTION_REDUCE)


def sign_of(side: common_pb2.Side.ValueType) -> int:
    """Turn a side into +1 or -1; 0 when it is neither BUY nor SELL."""
    return _SIGN.get(side, 0)


def is_accepted(decision: orders_pb2.Decision) -> bool:
    """Tell whether a decision lets the order through, perhaps smaller."""
    return decision.action in _ACCEPTED


@dataclass(slots=True)
class Order:
    """
    An accepted order; its status is derived from what happened to it.

    instructed_sequence: the event that last told its adapter what to do: to send it, or to cancel it.
    """

    request: orders_pb2.NewOrder
    order_id: str
    sign: int
    quantity: Decimal
    valuation_price: Decimal
    unit_loss: Decimal = ZERO
    cumulative_quantity: Decimal = ZERO
    cumulative_value: Decimal = ZERO
    acknowledged: bool = False
    cancel_requested: bool = False
    claimed_by: str = ""
    instructed_sequence: int = 0
    done_as: common_pb2.OrderStatus.ValueType = common_pb2.ORDER_STATUS_UNSPECIFIED

    @classmethod
    def from_decided(cls, decided: journal_pb2.OrderDecided) -> "Order":
        """Begin an order's life from the decision that accepted it."""
        request, decision = decided.order, decided.decision
        order = cls(
            request,
            decision.order_id,
            _SIGN[request.side],
            Decimal(decision.approved_quantity),
            Decimal(decided.valuation_price),
        )
        order.instructed_sequence = decision.sequence
        if decided.unit_loss:
            order.unit_loss = Decimal(decided.unit_loss)
        return order

    @classmethod
    def from_events(cls, events: list[journal_pb2.Event]) -> "Order":
        """Fold an order's own events, oldest first; the first is its decision."""
        order = cls.from_decided(events[0].order_decided)
        for event in events[1:]:
            order.apply(event)
        return order

    @property
    def is_done(self) -> bool:
        """Whether nothing more is expected of the broker."""
        return self.done_as != common_pb2.ORDER_STATUS_UNSPECIFIED or self.cumulative_quantity >= self.quantity

    @property
    def leaves_quantity(self) -> Decimal:
        """What may still be filled: 0 once the order is done."""
        return ZERO if self.is_done else self.quantity - self.cumulative_quantity

    @property
    def status(self) -> common_pb2.OrderStatus.ValueType:
        """The order's status in FIX's meaning."""
        if self.cumulative_quantity >= self.quantity:
            return common_pb2.ORDER_STATUS_FILLED
        if self.done_as != common_pb2.ORDER_STATUS_UNSPECIFIED:
            return self.done_as
        if self.cancel_requested:
            return common_pb2.ORDER_STATUS_PENDING_CANCEL
        if self.cumulative_quantity:
            return common_pb2.ORDER_STATUS_PARTIALLY_FILLED
        return common_pb2.ORDER_STATUS_NEW if self.acknowledged else common_pb2.ORDER_STATUS_PENDING_NEW

    @property
    def awaits_adapter(self) -> bool:
        """Whether an adapter still owes a report: that it has the order, or that the cancel is done."""
        return bool(self.request.route) and not self.is_done and (self.cancel_requested or not self.acknowledged)

    def apply(self, event: journal_pb2.Event) -> None:
        """Take one of this order's own events, other than its decision."""
        match event.WhichOneof("body"):
            case "execution_booked":
                self._execute(event.execution_booked.execution)
            case "order_claimed":
                self.claimed_by = event.order_claimed.adapter
            case "cancel_requested":
                self.cancel_requested = True
                self.instructed_sequence = event.sequence
            case other:
                text = f"event {event.sequence} ({other}) is not about an order"
                raise BookError(text)

    def _execute(self, execution: orders_pb2.Execution) -> None:
        self.acknowledged = True
        if execution.execution_type == orders_pb2.EXECUTION_TYPE_TRADE:
            quantity = Decimal(execution.last_quantity)
            self.cumulative_quantity += quantity
            self.cumulative_value += quantity * Decimal(execution.last_price)
        elif execution.execution_type == orders_pb2.EXECUTION_TYPE_CANCEL_REJECTED:
            self.cancel_requested = False
        elif execution.execution_type in _DONE:
            self.done_as = _DONE[execution.execution_type]

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
        )
