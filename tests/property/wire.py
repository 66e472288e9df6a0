"""Drafts of what senders send: drawn blindly, and given figures that matter once the book is known."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from hypothesis import strategies as st

from tests.property.naive import Naive
from tests.property.rig import STRATEGIES, SYMBOLS, request
from tidegate.gate import Request
from tidegate.numbers import plain
from tidegate.orders import Order
from tidegate.v1 import common_pb2, orders_pb2

FIRST_PRICES = {"ONE": "100", "LOT": "20.01", "FUT": "400", "COIN": "30000.123", "FX": "12.5", "FOR": "8", "PUT": "2.5"}
MODERATE = [Decimal(factor) for factor in ("1", "1.001", "0.99", "1.013", "0.97")]
CRASHING = [Decimal(factor) for factor in ("1.1", "0.9", "0.8", "0.55", "1.6")]
FACTORS = st.sampled_from(MODERATE * 4 + CRASHING)
# "rough" has an entry in price_bands, "other" has none.
FEEDS = st.sampled_from(["", "", "rough", "other"])
LIMIT_FACTORS = [Decimal(factor) for factor in ("1", "0.95", "1.05", "1.5")]
SLIPS = [Decimal(factor) for factor in ("1", "1.0003", "0.9991", "1.07")]
REPLACE_SIZES = ("more", "more", "more", "less", "less", "same", "same", "filled", "just above", "held", "odd")
CORRECTIONS = (None, None, Fraction(1), Fraction(1, 2), Fraction(2), Fraction(4, 3))
OWNERS = st.sampled_from(["", *STRATEGIES])
# Strategies that a life may add; until then nobody knows them.
ADDED = ("late", "later")
WEIGHTS = ("0", "0.02", "0.1", "0.2", "0.33333333", "0.5")
AMOUNTS = st.sampled_from(["0.00000001", "1", "999.99", "25000", "100000.00", "133333.34", "299999.5", "900000"])
HALT_LEVELS = st.sampled_from(
    [common_pb2.HALT_LEVEL_UNSPECIFIED, common_pb2.HALT_LEVEL_REDUCE_ONLY, common_pb2.HALT_LEVEL_HALTED]
)
SCOPES = st.one_of(
    st.just(common_pb2.Scope(kind=common_pb2.SCOPE_KIND_PORTFOLIO)),
    st.builds(
        lambda name: common_pb2.Scope(kind=common_pb2.SCOPE_KIND_STRATEGY, name=name), st.sampled_from(STRATEGIES)
    ),
    st.builds(
        lambda name: common_pb2.Scope(kind=common_pb2.SCOPE_KIND_INSTRUMENT, name=name), st.sampled_from(SYMBOLS)
    ),
)

_UNKNOWN_ORDERS = ("999999", "01", "nobody", "0", "9" * 60)
_SIDES = st.sampled_from([common_pb2.SIDE_BUY, common_pb2.SIDE_SELL])
_TRADE = orders_pb2.EXECUTION_TYPE_TRADE
EXECUTION_TYPES = [
    _TRADE,
    orders_pb2.EXECUTION_TYPE_NEW,
    orders_pb2.EXECUTION_TYPE_CANCELED,
    orders_pb2.EXECUTION_TYPE_REJECTED,
    orders_pb2.EXECUTION_TYPE_EXPIRED,
    orders_pb2.EXECUTION_TYPE_CANCEL_REJECTED,
    orders_pb2.EXECUTION_TYPE_REPLACED,
    orders_pb2.EXECUTION_TYPE_REPLACE_REJECTED,
]


def share(text: str) -> Fraction:
    """Read a figure of the configuration."""
    return Fraction(text)


def exact(number: Fraction) -> str:
    """Write a fraction that is a decimal of at most eight digits."""
    return plain(Decimal(int(number * 10**8)).scaleb(-8))


def moved(naive: Naive, symbol: str, factor: Decimal) -> str:
    """Move a mark by a factor, to three digits: off the tick as often as on it."""
    mark = naive.marks.get(symbol, Fraction(FIRST_PRICES[symbol]))
    return exact(max(Fraction(round(mark * Fraction(factor) * 1000), 1000), Fraction(1, 1000)))


def order_ids(naive: Naive, numbers: list[int]) -> list[str]:
    """Pick orders: working ones as a rule, some that are done, a few unknown."""
    return [_order_id(naive, *divmod(number, 10)) for number in numbers]


def is_in(scope: common_pb2.Scope, strategy_id: str, symbol: str) -> bool:
    """Tell whether a scope covers a strategy's position in an instrument."""
    if scope.kind == common_pb2.SCOPE_KIND_STRATEGY:
        return scope.name == strategy_id
    return scope.kind == common_pb2.SCOPE_KIND_PORTFOLIO or scope.name == symbol


def name_of(naive: Naive, number: int) -> tuple[str, str]:
    """Pick a strategy and one of its orders' names, or a name that is nobody's."""
    order = naive.orders.get(order_ids(naive, [number])[0])
    if order is None:
        return "saver", "nobody's"
    return order.request.strategy_id, order.names[number % len(order.names)]


def _order_id(naive: Naive, number: int, odds: int) -> str:
    working = [order_id for order_id, order in naive.orders.items() if order.leaves]
    known = working if working and odds > 1 else list(naive.orders)
    return known[number % len(known)] if known and odds else _UNKNOWN_ORDERS[number % len(_UNKNOWN_ORDERS)]


@dataclass(frozen=True)
class OrderDraft:
    """
    An order without figures.

    size: what the quantity is measured by: lots, odd ones, what is held, what exposure would just allow. An order that
    is measured by what is held goes against it, but for a few.
    """

    strategy_id: str
    symbol: str
    side: common_pb2.Side.ValueType
    size: str
    lots: int
    limit: Decimal | None
    reduce_only: bool
    route: str
    emergency: bool = False

    def order(self, naive: Naive, client_order_id: str) -> orders_pb2.NewOrder:
        """Give the draft its figures."""
        is_limit = self.limit is not None
        return orders_pb2.NewOrder(
            strategy_id=self.strategy_id,
            client_order_id=client_order_id,
            symbol=self.symbol,
            side=self._side(naive),
            order_type=common_pb2.ORDER_TYPE_LIMIT if is_limit else common_pb2.ORDER_TYPE_MARKET,
            quantity=exact(max(self._quantity(naive), Fraction(1, 10**8))),
            limit_price="" if self.limit is None else self._price(naive, self.limit),
            reduce_only=self.reduce_only,
            route=self.route,
            emergency=orders_pb2.EmergencyExit(operator="ann", reason="out") if self.emergency else None,
        )

    def _side(self, naive: Naive) -> common_pb2.Side.ValueType:
        held = naive.held.get((self.strategy_id, self.symbol), Fraction(0))
        if not held or self.size not in {"held", "half", "left", "flip"} or self.lots % 6 == 0:
            return self.side
        return common_pb2.SIDE_SELL if held > 0 else common_pb2.SIDE_BUY

    def _quantity(self, naive: Naive) -> Fraction:
        known = naive.instruments.get(self.symbol)
        lot = Fraction(known.lot) if known is not None else Fraction(1)
        held = abs(naive.held.get((self.strategy_id, self.symbol), Fraction(0)))
        unit = naive.price_of_unit(self.symbol)
        is_buy = self._side(naive) == common_pb2.SIDE_BUY
        value = Fraction(1000 * self.lots)
        if self.size == "full":
            room = Fraction(naive.configured.limits.max_concentration) * naive.equity()
            value = room - naive.instrument_exposure(self.symbol)
        sizes = {
            "lots": self.lots * lot,
            "odd": self.lots * lot + lot / 3,
            "held": held,
            "half": lot * (held / lot / 2 // 1),
            "left": held - naive.working(self.strategy_id, self.symbol, buys=is_buy),
            "flip": held + self.lots * lot,
        }
        return sizes.get(self.size) or (lot * (value / unit / lot // 1) if unit else lot)

    def _price(self, naive: Naive, factor: Decimal) -> str:
        mark = naive.marks.get(self.symbol, Fraction(100)) * Fraction(factor)
        known = naive.instruments.get(self.symbol)
        tick = Fraction(known.tick) if known is not None else Fraction(1, 100)
        on_tick = tick * max(mark // tick, 1)
        return exact(on_tick if self.lots % 7 else on_tick + tick / 2)


def order_drafts() -> st.SearchStrategy[OrderDraft]:
    """Draw orders, most of them plausible."""
    return st.builds(
        OrderDraft,
        strategy_id=st.sampled_from([*STRATEGIES * 5, *ADDED, "ghost"]),
        symbol=st.sampled_from([*SYMBOLS * 5, "GONE"]),
        side=_SIDES,
        size=st.sampled_from([*("lots", "held", "half", "left", "flip", "large", "large", "full") * 2, "odd"]),
        lots=st.integers(1, 300),
        limit=st.none() | st.sampled_from(LIMIT_FACTORS),
        reduce_only=st.sampled_from([*[False] * 7, True]),
        route=st.sampled_from([*("", "paper", "paper", "spare") * 4, "fax"]),
        emergency=st.sampled_from([*[False] * 5, True]),
    )


@dataclass(frozen=True)
class ExecutionDraft:
    """
    A report without figures.

    number: of the order; some numbers mean one that the gate never saw. portion: of what is left; over 1 overfills.
    """

    number: int
    kind: orders_pb2.ExecutionType.ValueType
    portion: Fraction
    slip: Decimal
    fee: str
    symbol: str
    side: common_pb2.Side.ValueType

    def execution(self, naive: Naive, execution_id: str) -> orders_pb2.Execution:
        """Give the draft its figures."""
        (order_id,) = order_ids(naive, [self.number])
        if self.kind == _TRADE:
            return self.fill_of(order_id, naive, execution_id)
        return orders_pb2.Execution(
            execution_id=execution_id, execution_type=self.kind, order_id=order_id, symbol=self.symbol, side=self.side
        )

    def fill_of(self, order_id: str, naive: Naive, execution_id: str) -> orders_pb2.Execution:
        """Fill an order."""
        execution = orders_pb2.Execution(
            execution_id=execution_id, execution_type=_TRADE, order_id=order_id, symbol=self.symbol, side=self.side
        )
        order = naive.orders.get(order_id)
        symbol = self.symbol if order is None else order.request.symbol
        known = naive.instruments.get(symbol)
        lot = Fraction(known.lot) if known is not None else Fraction(1)
        wanted = (lot * 7 if order is None else (order.leaves or order.quantity)) * self.portion
        execution.last_quantity = exact(max(lot * (wanted / lot // 1), lot))
        mark = naive.marks.get(symbol, Fraction(50)) * Fraction(self.slip)
        execution.last_price = exact(max(mark, Fraction(1, 10**8)))
        execution.fee = self.fee
        return execution


def execution_drafts() -> st.SearchStrategy[ExecutionDraft]:
    """Draw reports of every kind, fills above all."""
    return st.builds(
        ExecutionDraft,
        number=st.integers(0, 1_000),
        kind=st.sampled_from([_TRADE] * 4 + EXECUTION_TYPES),
        portion=st.sampled_from([Fraction(1), Fraction(1), Fraction(1, 3), Fraction(1, 2), Fraction(3, 2)]),
        slip=st.sampled_from(SLIPS),
        fee=st.sampled_from(["", "0", "1.25", "-0.31", "17.00000001", "25000"]),
        symbol=st.sampled_from([*SYMBOLS, "GONE"]),
        side=_SIDES,
    )


def answer(execution_id: str, order: Order, *, well: bool) -> orders_pb2.Execution:
    """Report what a broker owes about an order: done as asked, and filled at its worst price; or not, and not."""
    execution = orders_pb2.Execution(execution_id=execution_id, order_id=order.order_id)
    if order.cancel_requested:
        execution.execution_type = orders_pb2.EXECUTION_TYPE_CANCELED
    elif order.replacement is not None:
        rejected = orders_pb2.EXECUTION_TYPE_REPLACE_REJECTED
        execution.execution_type = orders_pb2.EXECUTION_TYPE_REPLACED if well else rejected
    elif well:
        execution.execution_type = _TRADE
        execution.last_quantity = plain(order.leaves_quantity)
        execution.last_price = plain(order.valuation_price)
    else:
        execution.execution_type = orders_pb2.EXECUTION_TYPE_NEW
    return execution


@dataclass(frozen=True)
class ReplaceDraft:
    """
    A replacement without figures.

    number: of the order. size: what the new quantity is measured by; limit: by which factor the limit moves, or that it
    is left out. reuse: under an id that the order has already.
    """

    number: int
    size: str
    lots: int
    limit: Decimal | None
    reuse: bool

    def request(self, naive: Naive, client_order_id: str) -> orders_pb2.ReplaceOrderRequest:
        """Give the draft its figures."""
        strategy_id, name = self._name(naive)
        order = naive.orders.get(naive.named(strategy_id, name))
        asked = orders_pb2.ReplaceOrderRequest(
            strategy_id=strategy_id, orig_client_order_id=name, client_order_id=client_order_id, quantity="1"
        )
        if order is None:
            return asked
        if self.reuse:
            asked.client_order_id = order.names[self.lots % len(order.names)]
        lot = Fraction(naive.instruments[order.request.symbol].lot)
        sizes = {
            "more": order.quantity + self.lots * lot,
            "less": order.filled + max(lot * ((order.quantity - order.filled) / lot / 2 // 1), lot),
            "filled": order.filled,
            "just above": order.filled + lot,
            "odd": order.quantity + lot / 3,
            "held": order.filled + abs(naive.held.get((strategy_id, order.request.symbol), Fraction(0))),
        }
        quantity = sizes.get(self.size, order.quantity)
        whole = quantity if self.size in {"odd", "filled"} else lot * (quantity / lot // 1)
        asked.quantity = exact(max(whole, Fraction(1, 10**8)))
        if order.request.limit_price and self.limit is not None:
            tick = Fraction(naive.instruments[order.request.symbol].tick)
            moved_to = Fraction(order.request.limit_price) * Fraction(self.limit)
            asked.limit_price = exact(tick * max(moved_to // tick, 1) + (0 if self.lots % 9 else tick / 2))
        elif self.limit is not None and self.lots % 9 == 0:
            asked.limit_price = "100"
        return asked

    def _name(self, naive: Naive) -> tuple[str, str]:
        """Pick an order, most often one that may become another."""
        working = [order for _, order in naive.working_orders()]
        able = [order for order in working if not order.cancel_requested and order.replacement is None]
        if not able or self.number % 5 == 0:
            return name_of(naive, self.number)
        order = able[self.number % len(able)]
        return order.request.strategy_id, order.names[self.number % len(order.names)]


def replace_drafts() -> st.SearchStrategy[ReplaceDraft]:
    """Draw replacements, most of them possible."""
    return st.builds(
        ReplaceDraft,
        number=st.integers(0, 1_000),
        size=st.sampled_from(REPLACE_SIZES),
        lots=st.integers(1, 300),
        limit=st.sampled_from([*LIMIT_FACTORS * 3, None]),
        reuse=st.sampled_from([*[False] * 9, True]),
    )


@dataclass(frozen=True)
class ReversalDraft:
    """
    A bust or a correction without figures.

    number: of the fill; some are taken back already, some numbers mean none. portion, slip: of a correction, against
    the fill; no portion is a bust.
    """

    number: int
    portion: Fraction | None
    slip: Decimal
    fee: str

    def execution(self, naive: Naive, execution_id: str) -> orders_pb2.Execution:
        """Give the draft its figures."""
        number, odds = divmod(self.number, 10)
        standing = list(naive.fills)
        known = standing if standing and odds > 1 else naive.references
        reference = known[number % len(known)] if known and odds else "never"
        execution = orders_pb2.Execution(
            execution_id=execution_id,
            execution_type=orders_pb2.EXECUTION_TYPE_TRADE_CANCEL,
            reference_execution_id=reference,
        )
        if self.portion is not None:
            fill = naive.fills.get(reference)
            quantity, price = (abs(fill.quantity), fill.price) if fill is not None else (Fraction(1), Fraction(1))
            execution.execution_type = orders_pb2.EXECUTION_TYPE_TRADE_CORRECT
            execution.last_quantity = exact(max(quantity * self.portion, Fraction(1, 10**8)))
            execution.last_price = exact(max(price * Fraction(self.slip), Fraction(1, 10**8)))
            execution.fee = self.fee
        return execution


def reversal_drafts() -> st.SearchStrategy[ReversalDraft]:
    """Draw busts and corrections."""
    return st.builds(
        ReversalDraft,
        number=st.integers(0, 1_000),
        portion=st.sampled_from(CORRECTIONS),
        slip=st.sampled_from(SLIPS),
        fee=st.sampled_from(["", "1.25", "-0.31"]),
    )


def report(executions: list[orders_pb2.Execution], bar_sequence: int = 0) -> Request:
    """Put executions into one report of the synchronised adapter."""
    message = orders_pb2.ReportExecutionsRequest(
        account="main", adapter="paper", executions=executions, bar_sequence=bar_sequence
    )
    return request("ReportExecutions", message)
