"""Random days under every rule on orders: what the counters say is what counting everything afresh says."""

from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property import flow, oracle, wire
from tests.property.again import assert_every_decision_follows_again
from tests.property.carrying_on import assert_snapshots_carry_on
from tests.property.facts import NS_PER_S
from tests.property.rig import close_gate, request, scratch
from tidegate.clocks import bar_clock
from tidegate.gate import Gate
from tidegate.journal.sqlite import SqliteJournal
from tidegate.permissions import ALL, Caller, Role
from tidegate.portfolio_file import PortfolioFile
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, market_data_pb2, orders_pb2

BEGIN_MS = 1_641_168_000_000

CONFIGURATION = PortfolioFile.model_validate(
    {
        "name": "rules",
        "currency": "USD",
        "capital": "1000000",
        "clock": "bars",
        "limits": {
            **dict.fromkeys(
                ("max_leverage", "warn_leverage", "max_concentration", "warn_concentration"),
            ),
            **dict.fromkeys(("halt_drawdown", "max_drawdown", "warn_drawdown")),
            "max_price_age_s": 31_536_000,
        },
        "orders": {
            "collar": {"share": "0.05"},
            "price_move": {"share": "0.1", "within_s": 8},
            "duplicate_within_ms": 500,
            "throttle": {"fills": 2, "within_s": 3},
            "refuse_self_trade": True,
            "max_messages_per_s": 9,
            "max_caller_messages_per_s": 7,
            "max_working_orders": 4,
            "max_daily_quantity": "40",
            "max_daily_notional": "3200",
        },
        "instruments": [
            {"symbol": "A", "min_quantity": "2", "max_quantity": "9"},
            {"symbol": "B", "max_notional": "500", "multiplier": "2"},
        ],
        "strategies": [
            {"id": "cash", "kind": "cash", "class": "a:B", "route": "paper", "allocation": "0.3"}
            | {"max_messages_per_s": 6, "max_working_orders": 2, "max_daily_quantity": "15"},
            {"id": "long", "kind": "external", "allocation": "0.3", "short_selling": False},
            {"id": "free", "kind": "external", "allocation": "0.3", "max_leverage": "3", "instruments": ["A"]},
        ],
        "adapters": [{"name": "paper", "synchronised": True}],
    }
).to_wire()

# Those that this model judges; SHORT_SALE of cash strategies is the other model's.
JUDGED = {
    Reason.INSTRUMENT_NOT_PERMITTED,
    Reason.QUANTITY_TOO_SMALL,
    Reason.ORDER_QUANTITY,
    Reason.ORDER_NOTIONAL,
    Reason.PRICE_COLLAR,
    Reason.DUPLICATE_ORDER,
    Reason.MESSAGE_RATE,
    Reason.SELF_TRADE,
    Reason.PRICE_MOVED,
    Reason.EXECUTION_THROTTLE,
    Reason.WORKING_ORDERS,
    Reason.DAILY_QUANTITY,
    Reason.DAILY_NOTIONAL,
}

NUMBER = st.integers(0, 50)
FACTORS = st.sampled_from(["1", "1", "1", "1", "0.94", "0.95", "0.98", "1.02", "1.05", "1.06"])
STEPS_MS = st.sampled_from([0, 0, 0, 1, 100, 400, 499, 500, 1_000, 1_000, 1_999, 2_000, 5_000, 10_000_000])

ORDERS = st.tuples(
    st.just("order"),
    st.sampled_from(["cash", "long", "free"]),
    st.sampled_from("AAB"),
    st.sampled_from([common_pb2.SIDE_BUY, common_pb2.SIDE_SELL]),
    st.sampled_from(["1", "5", "5", "5", "5", "9", "10"]),
    st.sampled_from(["market", "market", "limit", "limit", "stop", "stop limit"]),
    FACTORS,
    FACTORS,
    st.sampled_from(["paper", "paper", ""]),
)
REPLACES = st.tuples(st.just("replace"), NUMBER, st.sampled_from(["2", "5", "9", "10"]), FACTORS, FACTORS)
REPORTS = st.tuples(
    st.just("report"),
    NUMBER,
    st.sampled_from(["fill", "fill", "fill part", "fill part", "CANCELED", "REPLACED", "REPLACE_REJECTED", "NEW"]),
)
CANCELS = st.tuples(st.just("cancel"), NUMBER)
PRICES = st.tuples(
    st.just("price"),
    st.sampled_from("AB"),
    st.sampled_from(["1", "1", "1.001", "1.001", "0.999", "1.02", "0.95", "1.04", "0.9"]),
)
STEPS = st.one_of(
    *[ORDERS] * 6,
    *[REPORTS] * 3,
    REPLACES,
    CANCELS,
    PRICES,
    *[st.tuples(st.just("wait"), STEPS_MS)] * 3,
    st.tuples(st.just("release"), st.sampled_from(["cash", "long", "free"])),
    st.tuples(st.just("restart")),
    st.tuples(st.just("again")),
)


class Day:
    """One gate under the rules, the naive model beside it, and the codes that were judged."""

    def __init__(self, folder: Path) -> None:
        """Begin with prices."""
        self.path = folder / "journal.db"
        self.gate = self._open()
        self.naive = flow.Flow(CONFIGURATION)
        self.count = 0
        self.now_ms = BEGIN_MS
        self.judged: Counter[str] = Counter()
        for symbol, price in (("A", "100"), ("B", "40")):
            self.price(symbol, price)

    def _open(self) -> Gate:
        gate = Gate(SqliteJournal(self.path), bar_clock)
        gate.start(CONFIGURATION)
        return gate

    def step(self, what: str, *drawn: object) -> None:
        """Do one thing that was drawn."""
        getattr(self, f"do_{what}")(*drawn)

    def send(self, method: str, message: object) -> None:
        before = self.gate.engine.book.sequence
        asked = request(method, message)  # type: ignore[arg-type]
        strategy_id = getattr(getattr(message, "order", message), "strategy_id", "")
        if method in {"SubmitOrder", "ReplaceOrder", "CancelOrder"}:
            everything = frozenset({ALL})
            asked = asked._replace(caller=Caller(flow.sender_of(strategy_id), frozenset(Role), everything, everything))
        batch = self.gate.process([asked])
        assert not batch.failures, batch.failures
        for event in self.gate.journal.read(before):
            self._judge(event)
            self.naive.fold(event)

    def _judge(self, event: journal_pb2.Event) -> None:
        now_ns = event.time.seconds * NS_PER_S + event.time.nanos
        if event.HasField("throttle_tripped"):
            owner = event.throttle_tripped.strategy_id
            assert owner not in self.naive.throttled
            assert self.naive.has_to_throttle(now_ns)
        asked = flow.asked_of(self.naive, event)
        if asked is None:
            return
        is_new = event.HasField("order_decided")
        decided: journal_pb2.OrderDecided | journal_pb2.ReplaceDecided = (
            event.order_decided if is_new else event.replace_decided
        )
        replaced = "" if is_new else event.replace_decided.order_id
        expected = flow.findings(self.naive, asked, now_ns, replaced)
        judged = JUDGED | ({Reason.SHORT_SALE} if asked.strategy_id == "long" else set())
        found = {violation.reason_code for violation in decided.decision.violations}
        assert found & judged == expected, (decided, expected)
        self.judged.update(expected)
        if decided.decision.order_id:
            assert expected <= {Reason.SELF_TRADE}
            assert Fraction(decided.valuation_price) == oracle.unit_cost(self.naive, asked)
            assert Fraction(decided.unit_loss or 0) == oracle.unit_loss(self.naive, asked)

    def _next(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def _at(self, symbol: str, *factors: str) -> str:
        price = self.naive.marks[symbol]
        for factor in factors:
            price *= Fraction(factor)
        return wire.exact(Fraction(round(price * 100), 100))

    def price(self, symbol: str, price: str) -> None:
        entry = market_data_pb2.Price(symbol=symbol, price=price)
        entry.time.seconds, entry.time.nanos = self.now_ms // 1_000, self.now_ms % 1_000 * 1_000_000
        self.send("PublishPrices", market_data_pb2.PublishPricesRequest(prices=[entry]))

    def do_price(self, symbol: str, factor: str) -> None:
        self.price(symbol, self._at(symbol, factor))

    def do_wait(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        self.do_price("A", "1")

    def do_order(  # noqa: PLR0913, PLR0917 -- an order has as many parts
        self,
        strategy_id: str,
        symbol: str,
        side: common_pb2.Side.ValueType,
        quantity: str,
        kind: str,
        factor: str,
        limit_factor: str,
        route: str,
    ) -> None:
        order = orders_pb2.NewOrder(
            strategy_id=strategy_id,
            client_order_id=self._next("o"),
            symbol=symbol,
            side=side,
            order_type=common_pb2.OrderType.Value(f"ORDER_TYPE_{kind.upper().replace(' ', '_')}"),
            quantity=quantity,
            route=route,
        )
        if "stop" in kind:
            order.stop_price = self._at(symbol, factor)
        if "limit" in kind:
            order.limit_price = self._at(symbol, factor, limit_factor) if "stop" in kind else self._at(symbol, factor)
        self.send("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order))

    def do_again(self) -> None:
        """Send the order that was accepted last once more, under an id of its own."""
        if self.naive.accepted:
            order = orders_pb2.NewOrder.FromString(self.naive.accepted[-1][1].SerializeToString())
            order.client_order_id = self._next("o")
            self.send("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order))

    def _working(self, number: int) -> tuple[str, orders_pb2.NewOrder] | None:
        working = [(order_id, order.request) for order_id, order in self.naive.working_orders()]
        return working[number % len(working)] if working else None

    def do_replace(self, number: int, quantity: str, factor: str, limit_factor: str) -> None:
        if (found := self._working(number)) is None:
            return
        _, order = found
        message = orders_pb2.ReplaceOrderRequest(
            strategy_id=order.strategy_id,
            orig_client_order_id=order.client_order_id,
            client_order_id=self._next("r"),
            quantity=quantity,
        )
        if order.stop_price:
            message.stop_price = self._at(order.symbol, factor)
        if order.limit_price:
            message.limit_price = self._at(order.symbol, factor, limit_factor)
        self.send("ReplaceOrder", message)

    def do_cancel(self, number: int) -> None:
        if (found := self._working(number)) is not None:
            order = found[1]
            message = orders_pb2.CancelOrderRequest(
                strategy_id=order.strategy_id, client_order_id=order.client_order_id
            )
            self.send("CancelOrder", message)

    def do_report(self, number: int, kind: str) -> None:
        if (found := self._working(number)) is None:
            return
        order_id, order = found
        execution = orders_pb2.Execution(execution_id=self._next("x"), order_id=order_id)
        if kind.startswith("fill"):
            left = self.naive.orders[order_id].leaves
            execution.execution_type = orders_pb2.EXECUTION_TYPE_TRADE
            execution.last_quantity = wire.exact(max(left if kind == "fill" else left / 2, Fraction(1, 2)))
            execution.last_price = self._at(order.symbol)
        else:
            execution.execution_type = orders_pb2.ExecutionType.Value(f"EXECUTION_TYPE_{kind}")
        message = orders_pb2.ReportExecutionsRequest(account="main", adapter="paper", executions=[execution])
        self.send("ReportExecutions", message)

    def do_release(self, strategy_id: str) -> None:
        message = admin_pb2.ReleaseThrottleRequest(strategy_id=strategy_id, operator="ann", reason="seen")
        self.send("ReleaseThrottle", message)
        assert strategy_id not in self.naive.throttled

    def do_restart(self) -> None:
        close_gate(self.gate)
        self.gate = self._open()


@pytest.mark.control("duplicate-orders", "message-rate", "working-orders", "execution-throttle", "self-trade")
def test_the_rules_find_what_counting_everything_finds() -> None:
    """Pins every counter against a fresh count, at every decision, over restarts; and that every rule was met."""
    met: Counter[str] = Counter()

    @given(st.lists(STEPS, min_size=60, max_size=120))
    def live(steps: list[tuple[object, ...]]) -> None:
        with scratch() as folder:
            day = Day(Path(folder))
            for what, *drawn in steps:
                day.step(str(what), *drawn)
            assert {strategy_id for strategy_id, _ in day.gate.engine.book.throttles} == day.naive.throttled
            met.update(day.judged)
            assert_every_decision_follows_again(day.gate.journal.read(0))
            assert_snapshots_carry_on(list(day.gate.journal.read(0)), day.gate.engine, places=2)
            close_gate(day.gate)

    live()
    assert set(met) == JUDGED | {Reason.SHORT_SALE}
