"""What the rules on orders have to find, counted afresh from all that was recorded, in fractions."""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from tests.property import oracle
from tests.property.facts import NS_PER_S, Accepted
from tests.property.naive import Naive
from tidegate.reasons import Reason
from tidegate.v1 import common_pb2, journal_pb2, order_rules_pb2, orders_pb2

NS_PER_MS = NS_PER_S // 1_000
DAY_NS = 86_400 * NS_PER_S

_STOPS = (common_pb2.ORDER_TYPE_STOP, common_pb2.ORDER_TYPE_STOP_LIMIT)


class _Added(NamedTuple):
    """What a decision added to its day."""

    at_ns: int
    owner: str
    quantity: Fraction
    notional: Fraction


class Flow(Naive):
    """The naive model, with a list of everything that the rules on orders count."""

    def __init__(self, configured: journal_pb2.PortfolioConfigured) -> None:
        """Begin with empty lists."""
        super().__init__(configured)
        self.accepted: list[tuple[int, orders_pb2.NewOrder]] = []
        self.messages: list[tuple[int, str]] = []
        self.added: list[_Added] = []
        self.priced: list[tuple[int, str, Fraction]] = []
        self.filled: list[tuple[int, str, str, int]] = []
        self.throttled: set[str] = set()

    def fold(self, event: journal_pb2.Event) -> None:
        """Take one event, and write down what is counted."""
        at_ns = event.time.seconds * NS_PER_S + event.time.nanos
        asked = asked_of(self, event)
        if asked is not None:
            self.messages.append((at_ns, asked.strategy_id))
            if event.order_decided.decision.order_id:
                self.accepted.append((at_ns, asked))
            if event.order_decided.decision.order_id or event.replace_decided.decision.order_id:
                added = added_by(self, asked, event.replace_decided.order_id)
                self.added.append(_Added(at_ns, asked.strategy_id, *added))
        elif event.HasField("cancel_requested") and not event.cancel_requested.reason_code:
            self.messages.append((at_ns, event.cancel_requested.strategy_id))
        elif event.execution_booked.execution.execution_type == orders_pb2.EXECUTION_TYPE_TRADE:
            booked = event.execution_booked
            self.filled.append((at_ns, booked.strategy_id, booked.symbol, booked.side))
        elif event.HasField("throttle_tripped"):
            self.throttled.add(event.throttle_tripped.strategy_id)
        elif event.HasField("throttle_released"):
            owner = event.throttle_released.strategy_id
            self.throttled.discard(owner)
            self.filled = [fill for fill in self.filled if fill[1] != owner]
        super().fold(event)
        for entry in event.prices_published.prices:
            self.priced.append((at_ns, entry.symbol, self.marks[entry.symbol]))

    def has_to_throttle(self, now_ns: int) -> bool:
        """Tell whether the newest fill is one too many."""
        rules = self.configured.order_rules
        same = [fill for fill in self.filled if fill[1:] == self.filled[-1][1:]]
        return len(same) >= rules.throttle_fills and (
            now_ns - same[-rules.throttle_fills][0] < rules.throttle_within_s * NS_PER_S
        )


def asked_of(book: Naive, event: journal_pb2.Event) -> orders_pb2.NewOrder | None:
    """Write the order that a decision is about, a replacement as the whole order that it asks for."""
    if event.HasField("order_decided"):
        return event.order_decided.order
    if not event.HasField("replace_decided"):
        return None
    replace = event.replace_decided.replace
    order = orders_pb2.NewOrder.FromString(book.orders[event.replace_decided.order_id].request.SerializeToString())
    order.client_order_id, order.quantity = replace.client_order_id, replace.quantity
    order.limit_price, order.stop_price = replace.limit_price, replace.stop_price
    return order


def added_by(book: Naive, asked: orders_pb2.NewOrder, replaced: str) -> tuple[Fraction, Fraction]:
    """Say what an order, or what a replacement is more than its order, adds to a day."""
    value = oracle.unit_cost(book, asked) * book.multiplier(asked.symbol)
    quantity, notional = Fraction(asked.quantity), Fraction(asked.quantity) * value
    if replaced:
        old = book.orders[replaced]
        was = old.quantity * old.unit_cost * book.multiplier(asked.symbol)
        return max(quantity - old.quantity, Fraction(0)), max(notional - was, Fraction(0))
    return quantity, notional


def findings(book: Flow, order: orders_pb2.NewOrder, now_ns: int, replaced: str = "") -> set[str]:
    """Name what the rules have to find in an order in a priced instrument."""
    found = set(_permission(book, order, now_ns, replaced))
    if not oracle.is_reducing(book, order, replaced):
        found |= set(_exposure(book, order, now_ns, replaced))
    return found


def _permission(book: Flow, order: orders_pb2.NewOrder, now_ns: int, replaced: str) -> Iterator[str]:
    rules, terms, instrument = (
        book.configured.order_rules,
        book.terms[order.strategy_id],
        book.instruments[order.symbol],
    )
    if terms.instruments and order.symbol not in terms.instruments:
        yield Reason.INSTRUMENT_NOT_PERMITTED
    quantity = Fraction(order.quantity)
    notional = quantity * oracle.unit_cost(book, order) * book.multiplier(order.symbol)
    if instrument.min_quantity and quantity < Fraction(instrument.min_quantity):
        yield Reason.QUANTITY_TOO_SMALL
    elif instrument.max_quantity and quantity > Fraction(instrument.max_quantity):
        yield Reason.ORDER_QUANTITY
    elif instrument.max_notional and notional > Fraction(instrument.max_notional):
        yield Reason.ORDER_NOTIONAL
    if order.limit_price:
        reference = Fraction(order.stop_price) if order.stop_price else book.marks[order.symbol]
        ratio = Fraction(order.limit_price) / reference - 1
        if (ratio if order.side == common_pb2.SIDE_BUY else -ratio) > Fraction(rules.collar):
            yield Reason.PRICE_COLLAR
    if not replaced and any(
        now_ns - at_ns < rules.duplicate_within_ms * NS_PER_MS and _same(other, order) for at_ns, other in book.accepted
    ):
        yield Reason.DUPLICATE_ORDER
    second = [owner for at_ns, owner in book.messages if at_ns // NS_PER_S == now_ns // NS_PER_S]
    if any(
        limit and count + 1 > limit
        for limit, count in (
            (terms.rates.max_messages_per_s, second.count(order.strategy_id)),
            (rules.rates.max_messages_per_s, len(second)),
            (book.configured.max_caller_messages_per_s, [*map(sender_of, second)].count(sender_of(order.strategy_id))),
        )
    ):
        yield Reason.MESSAGE_RATE
    if order.route and not order.stop_price and any(_cross(order, other) for _, other in book.working_orders()):
        yield Reason.SELF_TRADE


def sender_of(strategy_id: str) -> str:
    """Say who sends a strategy's orders: one trader has two strategies."""
    return "bob" if strategy_id in {"long", "free"} else "ann"


def _same(one: orders_pb2.NewOrder, other: orders_pb2.NewOrder) -> bool:
    names = ("strategy_id", "symbol", "side")
    figures = ("quantity", "limit_price", "stop_price")
    return all(getattr(one, name) == getattr(other, name) for name in names) and all(
        Fraction(getattr(one, name) or 0) == Fraction(getattr(other, name) or 0) for name in figures
    )


def _cross(order: orders_pb2.NewOrder, other: Accepted) -> bool:
    """Tell whether an order meets a working one at any of the prices that it may have."""
    resting = other.request
    if not resting.route or resting.order_type in _STOPS:
        return False
    if (resting.symbol, resting.side) != (order.symbol, 3 - order.side):
        return False
    prices = [resting.limit_price] + ([other.replacement.request.limit_price] if other.replacement is not None else [])
    if not order.limit_price or "" in prices:
        return True
    gaps = [Fraction(order.limit_price) - Fraction(price) for price in prices]
    return any(gap >= 0 if order.side == common_pb2.SIDE_BUY else gap <= 0 for gap in gaps)


def _exposure(book: Flow, order: orders_pb2.NewOrder, now_ns: int, replaced: str) -> Iterator[str]:
    rules, terms, owner = book.configured.order_rules, book.terms[order.strategy_id], order.strategy_id
    if terms.long_only and order.side == common_pb2.SIDE_SELL:
        yield Reason.SHORT_SALE  # what is left to sell would be reducing
    if _has_moved(book, order.symbol, now_ns):
        yield Reason.PRICE_MOVED
    if owner in book.throttled:
        yield Reason.EXECUTION_THROTTLE
    working = [one.request.strategy_id for _, one in book.working_orders()]
    if not replaced and any(
        limit and count + 1 > limit
        for limit, count in (
            (terms.rates.max_working_orders, working.count(owner)),
            (rules.rates.max_working_orders, len(working)),
        )
    ):
        yield Reason.WORKING_ORDERS
    yield from _daily(book, order, now_ns, replaced)


def _has_moved(book: Flow, symbol: str, now_ns: int) -> bool:
    """Look back on whole eighths of the time, with the price that stood when the first of them began."""
    rules = book.configured.order_rules
    part_ns = rules.price_move_within_s * NS_PER_S // 8
    first = now_ns // part_ns - 8
    prices = [(at_ns // part_ns, price) for at_ns, name, price in book.priced if name == symbol]
    recent = [price for part, price in prices if part >= first]
    if not recent:
        return False
    recent += [price for part, price in prices if part < first][-1:]
    mark, share = book.marks[symbol], Fraction(rules.max_price_move)
    return mark > (1 + share) * min(recent) or mark < (1 - share) * max(recent)


def _daily(book: Flow, order: orders_pb2.NewOrder, now_ns: int, replaced: str) -> Iterator[str]:
    """Name the first total that is over: the strategy's, then the portfolio's; the quantity, then the value."""
    more = added_by(book, order, replaced)
    today = [one for one in book.added if one.at_ns // DAY_NS == now_ns // DAY_NS]
    own = [one for one in today if one.owner == order.strategy_id]
    rates: list[tuple[order_rules_pb2.OrderRates, list[_Added]]] = [
        (book.terms[order.strategy_id].rates, own),
        (book.configured.order_rules.rates, today),
    ]
    for limits, counted in rates:
        if limits.max_daily_quantity and sum(one.quantity for one in counted) + more[0] > Fraction(
            limits.max_daily_quantity
        ):
            yield Reason.DAILY_QUANTITY
            return
        if limits.max_daily_notional and sum(one.notional for one in counted) + more[1] > Fraction(
            limits.max_daily_notional
        ):
            yield Reason.DAILY_NOTIONAL
            return
