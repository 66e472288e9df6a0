"""The past: a journal folded event by event, in which a decision on an order can be made again."""

from tidegate.errors import RefusedError
from tidegate.orders import is_accepted
from tidegate.reasons import Reason
from tidegate.risk.draft import Draft, Key, order_key
from tidegate.risk.engine import Engine
from tidegate.risk.limit import Limit
from tidegate.times import to_ns
from tidegate.v1 import journal_pb2, orders_pb2

Decided = journal_pb2.OrderDecided | journal_pb2.ReplaceDecided


class Past:
    """The state as it was, event by event; decisions on orders can be made in it again."""

    def __init__(self) -> None:
        """Begin before the first event."""
        self.engine = Engine(self)
        # By order, the decisions that accepted it and its replacements, for as long as it works.
        self._named: dict[str, dict[Key, journal_pb2.Event]] = {}
        # Each limit that was changed, with the last event that set it.
        self.limits_set_at: dict[Limit, int] = {}

    def apply(self, event: journal_pb2.Event) -> None:
        """Let one more event have happened."""
        self.engine.apply(event)
        decided = decided_in(event)
        if decided is not None and is_accepted(decided.decision):
            asked = request_of(decided)
            names = self._named.setdefault(decided.decision.order_id, {})
            names[order_key(asked.strategy_id, asked.client_order_id)] = event
        elif event.HasField("limit_changed"):
            self.limits_set_at[Limit.from_wire(event.limit_changed)] = event.sequence
        elif event.HasField("execution_booked"):
            order_id = event.execution_booked.execution.order_id
            if order_id not in self.engine.book.orders:
                self._named.pop(order_id, None)

    def decide_again(self, event: journal_pb2.Event) -> Draft:
        """Decide what the event decided, at its time; nothing changes."""
        decided = decided_in(event)
        if decided is None:
            text = f"event {event.sequence} is no decision on an order"
            raise RefusedError(Reason.ORDER_UNKNOWN, text)
        return self.engine.decide(request_of(decided), to_ns(event.time), event.caller)

    # What a decision asks of what was recorded before.

    def find(self, key: Key) -> journal_pb2.Event | None:
        """Return the decision that used up an id, while its order works: nothing else can be replaced."""
        return next((names[key] for names in self._named.values() if key in names), None)

    def events_of_order(self, order_id: str) -> list[journal_pb2.Event]:
        """Refuse: a decision on an order does not look at another one's life."""
        message = f"a decision asked for the events of order {order_id}"
        raise LookupError(message)


def decided_in(event: journal_pb2.Event) -> Decided | None:
    """Return the decision on an order, or on its replacement, that an event records; None when it records none."""
    if event.HasField("order_decided"):
        return event.order_decided
    return event.replace_decided if event.HasField("replace_decided") else None


def request_of(decided: Decided) -> orders_pb2.NewOrder | orders_pb2.ReplaceOrderRequest:
    """Return what was asked for."""
    return decided.order if isinstance(decided, journal_pb2.OrderDecided) else decided.replace
