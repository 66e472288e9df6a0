"""The flow of orders: duplicates, messages a second, working orders, and what a day may bring."""

import pytest

from tests.unit.builders import (
    BUY,
    CANCELED,
    REPLACED,
    SELL,
    Desk,
    NewOrder,
    action,
    at,
    configuration,
    limit,
    stop,
)
from tests.unit.conftest import OpenDesk
from tidegate.risk.counters.duplicates import REMEMBERED_MAX, Duplicates
from tidegate.v1 import journal_pb2, order_rules_pb2, orders_pb2

OrderRates = order_rules_pb2.OrderRates
DAY_MS = 86_400_000


def rated(rates: OrderRates | None = None, cash: OrderRates | None = None) -> journal_pb2.PortfolioConfigured:
    """Configure rates of the portfolio and of the strategy cash."""
    configured = configuration()
    if rates is not None:
        configured.order_rules.rates.CopyFrom(rates)
    if cash is not None:
        configured.strategies[0].rates.CopyFrom(cash)
    return configured


def opened(open_desk: OpenDesk, rates: OrderRates | None = None, cash: OrderRates | None = None) -> Desk:
    """Open a desk with rates, A at 100 and B at 50."""
    desk = open_desk(rated(rates, cash))
    desk.bar(1, A="100", B="50", F="20")
    return desk


def scope_of(desk: Desk, order: NewOrder) -> str:
    """Submit an order that is refused; return whose limit it is over."""
    (violation,) = desk.submit(order).violations
    return violation.scope.name


class TestDuplicates:
    @pytest.fixture
    def desk(self, open_desk: OpenDesk) -> Desk:
        """Open a desk where the same order within half a second is a duplicate."""
        configured = configuration()
        configured.order_rules.duplicate_within_ms = 500
        desk = open_desk(configured)
        desk.bar(1, A="100", B="50")
        return desk

    @pytest.mark.control("duplicate-orders")
    @pytest.mark.parametrize(
        ("milliseconds", "expected"),
        [(0, "REJECT DUPLICATE_ORDER"), (499, "REJECT DUPLICATE_ORDER"), (500, "ALLOW"), (501, "ALLOW")],
    )
    def test_the_same_order_within_the_window_is_a_duplicate(
        self, desk: Desk, milliseconds: int, expected: str
    ) -> None:
        """Pins the window to the millisecond, also over a restart."""
        desk.buy("cash", "10")
        at(desk, milliseconds)
        again = desk.restarted()
        assert expected == action(again.buy("cash", "10.0"))
        again.gate.journal.close()

    def test_what_differs_in_anything_is_another_order(self, desk: Desk) -> None:
        """Pins what sameness is made of."""
        desk.submit(limit(desk.order("cash", BUY, "10", "A"), "99"))
        others = [
            limit(desk.order("margin", BUY, "10", "A"), "99"),
            limit(desk.order("cash", BUY, "10", "B"), "99"),
            limit(desk.order("margin", SELL, "10", "A"), "99"),
            limit(desk.order("cash", BUY, "11", "A"), "99"),
            limit(desk.order("cash", BUY, "10", "A"), "98.99"),
            stop(desk.order("cash", BUY, "10", "A"), "99"),
            stop(desk.order("cash", BUY, "10", "A"), "99", "99"),
            desk.order("cash", BUY, "10", "A"),
        ]
        assert {"ALLOW"} == {action(desk.submit(order)) for order in others}
        assert "REJECT DUPLICATE_ORDER" == action(desk.submit(limit(desk.order("cash", BUY, "10", "A"), "99.00")))

    def test_a_refused_order_may_be_sent_again(self, desk: Desk) -> None:
        """Pins that only what was accepted has a double, and that a duplicate does not make the window longer."""
        assert "REJECT CAPITAL" == action(desk.buy("cash", "501"))
        assert "REJECT CAPITAL" == action(desk.buy("cash", "501"))
        desk.buy("cash", "1")
        at(desk, 300)
        assert "REJECT DUPLICATE_ORDER" == action(desk.buy("cash", "1"))
        at(desk, 600)
        assert "ALLOW" == action(desk.buy("cash", "1"))

    def test_who_reduces_twice_is_a_duplicate_too(self, desk: Desk) -> None:
        """Pins that the same exit twice is the same mistake."""
        desk.hold("margin", "10", "100")
        desk.sell("margin", "5")
        assert "REJECT DUPLICATE_ORDER" == action(desk.sell("margin", "5"))

    def test_a_retry_of_one_order_is_no_duplicate(self, desk: Desk) -> None:
        """Pins that the same id gets its first answer."""
        order = desk.order("cash", BUY, "1", "A")
        assert desk.submit(order) == desk.submit(order)

    def test_what_is_remembered_is_bounded(self, desk: Desk) -> None:
        """Pins two generations, whatever comes within one window."""
        remembered = Duplicates(10**12)
        event = journal_pb2.Event()
        event.time.seconds = 1
        event.order_decided.decision.order_id = "1"
        event.order_decided.order.strategy_id = "cash"
        for number in range(2 * REMEMBERED_MAX + 10):
            event.order_decided.order.quantity = str(number)
            remembered.take(event, desk.book)
        assert REMEMBERED_MAX >= len(remembered._young)
        assert REMEMBERED_MAX == len(remembered._old)


class TestMessages:
    @pytest.mark.control("message-rate")
    def test_one_message_more_than_the_rate_is_refused_until_the_second_is_over(self, open_desk: OpenDesk) -> None:
        """Pins the count, the next second, and that another strategy has its own."""
        desk = opened(open_desk, cash=OrderRates(max_messages_per_s=3))
        found = [action(desk.buy("cash", "1")) for _ in range(4)]
        assert ["ALLOW"] * 3 + ["REJECT MESSAGE_RATE"] == found
        assert "ALLOW" == action(desk.buy("margin", "1"))
        at(desk, 999)
        assert "REJECT MESSAGE_RATE" == action(desk.buy("cash", "1"))
        at(desk, 1_000)
        assert "ALLOW" == action(desk.buy("cash", "1"))

    @pytest.mark.control("message-rate")
    def test_replacements_and_cancels_count_and_cancels_are_never_refused(self, open_desk: OpenDesk) -> None:
        """Pins what a message is, and that the way to fewer orders is always open."""
        desk = opened(open_desk, cash=OrderRates(max_messages_per_s=4))
        orders = [limit(desk.order("cash", BUY, "1", "A"), "99") for _ in range(3)]
        for order in orders:
            desk.submit(order)
        assert "ALLOW" == action(desk.replace(desk.replacement(orders[0], "2", "99")))
        assert "REJECT MESSAGE_RATE" == action(desk.replace(desk.replacement(orders[1], "2", "99")))
        for order in orders:
            desk.cancel(order)
        assert 3 == len(desk.events("cancel_requested"))
        at(desk, 1_000)
        order = desk.order("cash", BUY, "1", "A")
        desk.submit(order)
        desk.cancel(order)
        assert ["ALLOW", "ALLOW", "REJECT MESSAGE_RATE"] == [action(desk.buy("cash", "1")) for _ in range(3)]

    def test_what_an_operator_cancels_is_not_the_senders(self, open_desk: OpenDesk) -> None:
        """Pins that a cancel of all does not use up the strategy's messages."""
        desk = opened(open_desk, cash=OrderRates(max_messages_per_s=4))
        for _ in range(3):
            desk.buy("cash", "1")
        desk.cancel_all()
        assert ["ALLOW", "REJECT MESSAGE_RATE"] == [action(desk.buy("cash", "1")) for _ in range(2)]

    def test_who_reduces_is_slowed_like_everybody(self, open_desk: OpenDesk) -> None:
        """Pins that a runaway exit is a runaway program."""
        desk = opened(open_desk, OrderRates(max_messages_per_s=2))
        desk.hold("cash", "10", "100")
        assert ["ALLOW", "REJECT MESSAGE_RATE"] == [action(desk.sell("cash", "1")) for _ in range(2)]

    @pytest.mark.control("message-rate")
    def test_all_strategies_share_the_portfolios_rate(self, open_desk: OpenDesk) -> None:
        """Pins the sum, who is named, and what a restart within the second remembers."""
        desk = opened(open_desk, OrderRates(max_messages_per_s=2))
        desk.buy("cash", "1")
        desk.buy("margin", "1")
        again = desk.restarted()
        assert "" == scope_of(again, again.order("cash", BUY, "1", "A"))
        again.gate.journal.close()

    def test_refused_orders_count_and_dry_runs_do_not(self, open_desk: OpenDesk) -> None:
        """Pins that what the journal has counts, from strategies that nobody knows as well."""
        desk = opened(open_desk, OrderRates(max_messages_per_s=3))
        desk.buy("cash", "1.5")
        desk.buy("nobody", "1")
        for _ in range(5):
            desk.check(desk.order("cash", BUY, "1", "A"))
        assert ["ALLOW", "REJECT MESSAGE_RATE"] == [action(desk.buy("cash", "1")) for _ in range(2)]


class TestWorkingOrders:
    @pytest.mark.control("working-orders")
    def test_one_more_than_may_work_is_refused_until_one_is_done(self, open_desk: OpenDesk) -> None:
        """Pins the count; a pending cancel works still, and only the broker's report makes room."""
        desk = opened(open_desk, cash=OrderRates(max_working_orders=2))
        orders = [desk.order("cash", BUY, "1", "A") for _ in range(2)]
        ids = [desk.submit(order).order_id for order in orders]
        assert "REJECT WORKING_ORDERS" == action(desk.buy("cash", "1"))
        assert "ALLOW" == action(desk.buy("margin", "1"))
        desk.cancel(orders[0])
        assert "REJECT WORKING_ORDERS" == action(desk.buy("cash", "1"))
        desk.report(desk.execution(ids[0], CANCELED))
        assert "ALLOW" == action(desk.buy("cash", "1"))

    def test_a_replacement_is_no_order_more(self, open_desk: OpenDesk) -> None:
        """Pins that at the limit an order may still change."""
        desk = opened(open_desk, cash=OrderRates(max_working_orders=1))
        order = desk.order("cash", BUY, "1", "A")
        desk.submit(order)
        assert "ALLOW" == action(desk.replace(desk.replacement(order, "2")))
        assert "REJECT WORKING_ORDERS" == action(desk.buy("cash", "1"))

    def test_all_strategies_share_the_portfolios_orders(self, open_desk: OpenDesk) -> None:
        """Pins the sum, and who is named."""
        desk = opened(open_desk, OrderRates(max_working_orders=2))
        desk.buy("cash", "1")
        desk.buy("margin", "1")
        assert "" == scope_of(desk, desk.order("margin", BUY, "1", "A"))

    def test_who_reduces_passes_and_who_flips_does_not(self, open_desk: OpenDesk) -> None:
        """Pins the way out, long and short."""
        desk = opened(open_desk, OrderRates(max_working_orders=1))
        desk.hold("margin", "-10", "100")
        desk.buy("cash", "1", "B")
        assert "REJECT WORKING_ORDERS" == action(desk.buy("margin", "11"))
        assert "ALLOW" == action(desk.buy("margin", "10"))


class TestDailyTotals:
    @pytest.mark.control("working-orders")
    @pytest.mark.parametrize(
        ("quantity", "expected"), [("59", "ALLOW"), ("60", "ALLOW"), ("61", "REJECT DAILY_QUANTITY")]
    )
    def test_a_day_has_a_largest_quantity(self, open_desk: OpenDesk, quantity: str, expected: str) -> None:
        """Pins the boundary, buys and sells added up, filled or not, over a restart."""
        desk = opened(open_desk, cash=OrderRates(max_daily_quantity="100"))
        desk.hold("cash", "20", "100")
        desk.sell("cash", "20")
        again = desk.restarted()
        assert expected == action(again.buy("cash", quantity))
        assert "ALLOW" == action(again.buy("margin", "200"))
        again.gate.journal.close()

    @pytest.mark.control("working-orders")
    @pytest.mark.parametrize(
        ("quantity", "price", "expected"),
        [("10", "100", "ALLOW"), ("10", "100.01", "REJECT DAILY_NOTIONAL"), ("10", "99", "ALLOW")],
    )
    def test_a_day_has_a_largest_value(self, open_desk: OpenDesk, quantity: str, price: str, expected: str) -> None:
        """Pins the boundary at worst prices, multipliers counted."""
        desk = opened(open_desk, OrderRates(max_daily_notional="2000"))
        desk.buy("cash", "5", "F")
        assert expected == action(desk.submit(limit(desk.order("margin", BUY, quantity, "A"), price)))

    def test_what_was_canceled_or_refused_counts_as_it_did(self, open_desk: OpenDesk) -> None:
        """Pins that a canceled order stays counted, and a refused one never was."""
        desk = opened(open_desk, cash=OrderRates(max_daily_quantity="100"))
        desk.buy("cash", "101")
        desk.buy("cash", "60.5")
        desk.report(desk.execution(desk.buy("cash", "60").order_id, CANCELED))
        assert "REJECT DAILY_QUANTITY" == action(desk.buy("cash", "41"))
        assert "ALLOW" == action(desk.buy("cash", "40"))

    def test_a_new_day_begins_at_midnight(self, open_desk: OpenDesk) -> None:
        """Pins the UTC day."""
        desk = opened(open_desk, cash=OrderRates(max_daily_quantity="10"))
        desk.buy("cash", "10")
        at(desk, DAY_MS - 1)
        assert "REJECT DAILY_QUANTITY" == action(desk.buy("cash", "1"))
        at(desk, DAY_MS)
        assert "ALLOW" == action(desk.buy("cash", "1"))

    def test_a_replacement_adds_what_it_is_more(self, open_desk: OpenDesk) -> None:
        """Pins the larger of old and new while it is pending and after; a smaller one gives nothing back."""
        desk = opened(open_desk, cash=OrderRates(max_daily_quantity="100", max_daily_notional="10000"))
        order = limit(desk.order("cash", BUY, "60", "A"), "100")
        order_id = desk.submit(order).order_id
        assert "REJECT DAILY_QUANTITY" == action(desk.replace(desk.replacement(order, "101", "100")))
        assert "REJECT DAILY_NOTIONAL" == action(desk.replace(desk.replacement(order, "100", "100.01")))
        larger = desk.replacement(order, "90", "100")
        assert "ALLOW" == action(desk.replace(larger))
        assert "REJECT DAILY_QUANTITY" == action(desk.buy("cash", "11"))
        desk.report(desk.execution(order_id, REPLACED))
        smaller = desk.replacement(order, "1", "100")
        smaller.orig_client_order_id = larger.client_order_id
        assert "ALLOW" == action(desk.replace(smaller))
        assert "REJECT DAILY_QUANTITY" == action(desk.buy("cash", "11"))
        assert "ALLOW" == action(desk.buy("cash", "10"))

    def test_who_reduces_passes_at_the_end_of_the_day(self, open_desk: OpenDesk) -> None:
        """Pins the way out, which counts all the same."""
        desk = opened(open_desk, cash=OrderRates(max_daily_quantity="10"))
        desk.hold("cash", "10", "100")
        assert "ALLOW" == action(desk.sell("cash", "10"))
        assert "REJECT DAILY_QUANTITY" == action(desk.buy("cash", "1"))

    def test_of_the_strategys_and_the_portfolios_the_strategys_is_named(self, open_desk: OpenDesk) -> None:
        """Pins the order, and the portfolio's where only that is over."""
        rates = OrderRates(max_daily_quantity="10")
        desk = opened(open_desk, rates, rates)
        assert "cash" == scope_of(desk, desk.order("cash", BUY, "11", "A"))
        assert "" == scope_of(desk, desk.order("margin", BUY, "11", "A"))


def test_a_batch_is_counted_order_by_order(open_desk: OpenDesk) -> None:
    """Pins that orders of one message do not slip past together."""
    desk = opened(open_desk, OrderRates(max_messages_per_s=3, max_working_orders=2, max_daily_quantity="5"))
    orders = [desk.order("cash", BUY, quantity, "A") for quantity in ("3", "3", "2", "1")]
    reply = desk.ask("SubmitOrders", orders_pb2.SubmitOrdersRequest(orders=orders), orders_pb2.SubmitOrdersResponse)
    expected = ["ALLOW", "REJECT DAILY_QUANTITY", "ALLOW", "REJECT MESSAGE_RATE"]
    assert expected == [action(decision) for decision in reply.decisions]


def test_an_emergency_exit_in_equal_parts_is_no_duplicate(open_desk: OpenDesk) -> None:
    """Pins that a large position can be closed order by order, and that the same without an emergency is refused."""
    configured = configuration()
    configured.order_rules.duplicate_within_ms = 500
    desk = open_desk(configured)
    desk.bar(1, A="100", B="50", F="20")
    desk.hold("cash", "30", "100")
    exits = [desk.order("cash", SELL, "10", "A") for _ in range(3)]
    for order in exits[:2]:
        order.emergency.operator, order.emergency.reason = "ann", "out"
    assert ["ALLOW", "ALLOW", "REJECT DUPLICATE_ORDER"] == [action(desk.submit(order)) for order in exits]
