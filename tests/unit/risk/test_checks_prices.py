"""Prices of orders: the collar, runaway marks, and what market and stop orders are valued at."""

from decimal import Decimal

import pytest

from tests.unit.builders import BUY, REPLACED, SELL, Desk, NewOrder, action, at, configuration, limit, stop
from tests.unit.conftest import OpenDesk
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2


def collared(share: str = "0.05", *, passive: bool = False) -> journal_pb2.PortfolioConfigured:
    """Configure a collar."""
    configured = configuration()
    configured.order_rules.collar, configured.order_rules.collar_passive = share, passive
    return configured


@pytest.fixture
def collar_desk(open_desk: OpenDesk) -> Desk:
    """Open a desk with a collar of 5% and A at 100."""
    desk = open_desk(collared())
    desk.bar(1, A="100", B="50", F="20")
    return desk


class TestCollar:
    @pytest.mark.control("price-collar")
    @pytest.mark.parametrize(
        ("side", "price", "expected"),
        [
            (BUY, "104.99", "ALLOW"),
            (BUY, "105", "ALLOW"),
            (BUY, "105.01", "REJECT PRICE_COLLAR"),
            (BUY, "50", "ALLOW"),
            (SELL, "95.01", "ALLOW"),
            (SELL, "95", "ALLOW"),
            (SELL, "94.99", "REJECT PRICE_COLLAR"),
            (SELL, "200", "ALLOW"),
        ],
    )
    def test_a_limit_reaches_over_the_mark_as_far_as_the_collar(
        self, collar_desk: Desk, side: common_pb2.Side.ValueType, price: str, expected: str
    ) -> None:
        """Pins both sides at the boundary and a tick around it; what only waits may wait anywhere."""
        assert expected == action(collar_desk.submit(limit(collar_desk.order("margin", side, "1", "A"), price)))

    @pytest.mark.parametrize(
        ("side", "price", "expected"),
        [
            (BUY, "95", "ALLOW"),
            (BUY, "94.99", "REJECT PRICE_COLLAR"),
            (BUY, "105.01", "REJECT PRICE_COLLAR"),
            (SELL, "105", "ALLOW"),
            (SELL, "105.01", "REJECT PRICE_COLLAR"),
        ],
    )
    def test_a_passive_collar_holds_on_the_other_side_too(
        self, open_desk: OpenDesk, side: common_pb2.Side.ValueType, price: str, expected: str
    ) -> None:
        """Pins the side on which an order only waits."""
        desk = open_desk(collared(passive=True))
        desk.bar(1, A="100", B="50")
        assert expected == action(desk.submit(limit(desk.order("margin", side, "1", "A"), price)))

    @pytest.mark.parametrize(("day", "expected"), [(2, "REJECT PRICE_COLLAR"), (9, "ALLOW")])
    def test_the_collar_holds_for_who_reduces_while_there_is_a_mark(
        self, collar_desk: Desk, day: float, expected: str
    ) -> None:
        """Pins the way out on a stale mark, and that a fresh one is no way round the collar."""
        collar_desk.hold("margin", "10", "100")
        collar_desk.bar(day, B="50")
        assert expected == action(collar_desk.submit(limit(collar_desk.order("margin", SELL, "10", "A"), "94")))

    @pytest.mark.control("price-collar")
    def test_a_replacement_is_collared_too(self, collar_desk: Desk) -> None:
        """Pins that nobody walks a limit out of the collar."""
        order = limit(collar_desk.order("cash", BUY, "1", "A"), "105")
        collar_desk.submit(order)
        assert "REJECT PRICE_COLLAR" == action(collar_desk.replace(collar_desk.replacement(order, "1", "105.01")))
        assert "ALLOW" == action(collar_desk.replace(collar_desk.replacement(order, "1", "104.99")))

    @pytest.mark.parametrize(
        ("side", "stop_price", "limit_price", "expected"),
        [
            (BUY, "120", "126", "ALLOW"),
            (BUY, "120", "126.01", "REJECT PRICE_COLLAR"),
            (SELL, "80", "76", "ALLOW"),
            (SELL, "80", "75.99", "REJECT PRICE_COLLAR"),
            (BUY, "200", "", "ALLOW"),
        ],
    )
    def test_a_stop_orders_limit_is_held_against_its_stop(
        self, collar_desk: Desk, side: common_pb2.Side.ValueType, stop_price: str, limit_price: str, expected: str
    ) -> None:
        """Pins that a stop may be far off, for there it begins, and its limit may not be far from it."""
        order = stop(collar_desk.order("margin", side, "1", "A"), stop_price, limit_price)
        assert expected == action(collar_desk.submit(order))


def valued(desk: Desk, order: NewOrder) -> tuple[str, str]:
    """Submit an order, and return what a unit of it reserves and may lose."""
    assert "ALLOW" == action(desk.submit(order))
    decided = desk.events("order_decided")[-1].order_decided
    return decided.valuation_price, decided.unit_loss


class TestValue:
    @pytest.mark.parametrize(
        ("side", "stop_price", "limit_price", "expected"),
        [
            (BUY, "", "", ("105", "5")),
            (SELL, "", "", ("100", "5")),
            (BUY, "110", "", ("115.5", "15.5")),
            (BUY, "90", "", ("105", "5")),  # beyond its stop already: a market order
            (SELL, "90", "", ("100", "14.5")),
            (SELL, "110", "", ("100", "5")),
            (BUY, "110", "112", ("112", "12")),
            (SELL, "90", "88", ("100", "12")),
            (SELL, "110", "108", ("100", "")),
        ],
    )
    def test_an_order_is_valued_at_the_worst_price_that_it_may_get(
        self,
        collar_desk: Desk,
        side: common_pb2.Side.ValueType,
        stop_price: str,
        limit_price: str,
        expected: tuple[str, str],
    ) -> None:
        """Pins market orders at the collar's end, stop orders at their stop and beyond, stop-limits at their limit."""
        order = collar_desk.order("margin", side, "1", "A")
        if stop_price:
            order = stop(order, stop_price, limit_price)
        assert expected == valued(collar_desk, order)

    @pytest.mark.parametrize(
        ("side", "stop_price", "expected"),
        [(BUY, "", ("100", "")), (BUY, "110", ("110", "10")), (SELL, "90", ("100", "10"))],
    )
    def test_without_a_collar_the_stop_is_the_worst(
        self, desk: Desk, side: common_pb2.Side.ValueType, stop_price: str, expected: tuple[str, str]
    ) -> None:
        """Pins that a market order without a collar is worth the mark."""
        order = desk.order("margin", side, "1", "A")
        assert expected == valued(desk, stop(order, stop_price) if stop_price else order)

    @pytest.mark.parametrize(("quantity", "expected"), [("476", "ALLOW"), ("477", "REJECT CAPITAL")])
    def test_a_cash_strategy_pays_up_to_the_collar(self, collar_desk: Desk, quantity: str, expected: str) -> None:
        """Pins 50,000 of cash at 105."""
        assert expected == action(collar_desk.buy("cash", quantity))

    def test_a_value_with_many_digits_is_rounded_for_the_worse(self, open_desk: OpenDesk) -> None:
        """Pins eight digits behind the point: up for a buy, and the loss of a sell up as well."""
        desk = open_desk(collared("0.00000007"))
        desk.bar(1, A="100.03", B="50")
        assert ("100.03000701", "0.00000701") == valued(desk, desk.order("margin", BUY, "1", "A"))
        assert ("100.03", "0.00000701") == valued(desk, desk.order("margin", SELL, "1", "A"))


class TestStopOrders:
    @pytest.mark.parametrize(
        ("order_type", "limit_price", "stop_price", "field"),
        [
            (common_pb2.ORDER_TYPE_STOP, "", "", "order.stop_price"),
            (common_pb2.ORDER_TYPE_STOP, "101", "110", "order.limit_price"),
            (common_pb2.ORDER_TYPE_STOP, "", "-1", "order.stop_price"),
            (common_pb2.ORDER_TYPE_STOP_LIMIT, "", "110", "order.limit_price"),
            (common_pb2.ORDER_TYPE_STOP_LIMIT, "110", "", "order.stop_price"),
            (common_pb2.ORDER_TYPE_LIMIT, "110", "110", "order.stop_price"),
            (common_pb2.ORDER_TYPE_MARKET, "", "110", "order.stop_price"),
        ],
    )
    def test_each_type_has_its_prices(
        self, desk: Desk, order_type: common_pb2.OrderType.ValueType, limit_price: str, stop_price: str, field: str
    ) -> None:
        """Pins that a price is neither missing nor too many, and which field is at fault."""
        order = desk.order("cash", BUY, "1", "A")
        order.order_type, order.limit_price, order.stop_price = order_type, limit_price, stop_price
        reply = desk.reply("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order))
        assert ("PRICE_INVALID", field) == (reply.reason, reply.field)

    def test_a_stop_comes_in_ticks(self, desk: Desk) -> None:
        """Pins that the exchange would refuse it otherwise."""
        assert "REJECT PRICE_OFF_TICK" == action(desk.submit(stop(desk.order("cash", BUY, "1", "A"), "110.005")))

    def test_a_stop_order_is_replaced_with_its_stop(self, collar_desk: Desk) -> None:
        """Pins that the larger of both values stays reserved, that the stop moves, and what a replacement must have."""
        desk = collar_desk
        order = stop(desk.order("cash", BUY, "10", "A"), "110")
        order_id = desk.submit(order).order_id
        assert "PRICE_INVALID" == desk.refusal("ReplaceOrder", desk.replacement(order, "12"))
        same = desk.replacement(order, "10")
        same.stop_price = "110.0"
        assert "REPLACE_CHANGES_NOTHING" == desk.refusal("ReplaceOrder", same)
        moved = desk.replacement(order, "10")
        moved.stop_price = "120"
        assert "ALLOW" == action(desk.replace(moved))
        ledger = desk.book.strategies["cash"].ledger
        assert Decimal(1_260) == ledger.reserved_cash
        assert "120" == desk.found(order.client_order_id).order.replacement.stop_price
        desk.report(desk.execution(order_id, REPLACED))
        assert "120" == desk.found(order.client_order_id).order.order.stop_price
        back = desk.replacement(order, "10")
        back.orig_client_order_id, back.stop_price = moved.client_order_id, "105"
        assert "ALLOW" == action(desk.replace(back))
        assert Decimal(1_260) == ledger.reserved_cash
        assert desk.restarted().state() == desk.state()

    def test_a_limit_order_cannot_become_a_stop_order(self, desk: Desk) -> None:
        """Pins that a replacement keeps the type."""
        order = limit(desk.order("cash", BUY, "1", "A"), "99")
        desk.submit(order)
        request = desk.replacement(order, "2", "99")
        request.stop_price = "98"
        assert "PRICE_INVALID" == desk.refusal("ReplaceOrder", request)


class TestPriceMove:
    @pytest.fixture
    def moving(self, open_desk: OpenDesk) -> Desk:
        """Open a desk where 10% within 80 seconds is too much, and A has stood at 100 for a day."""
        configured = configuration()
        configured.order_rules.max_price_move, configured.order_rules.price_move_within_s = "0.1", 80
        desk = open_desk(configured)
        desk.bar(1, A="100", B="50")
        desk.bar(2, B="50")
        return desk

    @pytest.mark.control("price-collar")
    @pytest.mark.parametrize(
        ("mark", "expected"),
        [
            ("110", "ALLOW"),
            ("110.01", "REJECT PRICE_MOVED"),
            ("90", "ALLOW"),
            ("89.99", "REJECT PRICE_MOVED"),
        ],
    )
    def test_a_mark_that_moved_too_far_takes_no_added_risk(self, moving: Desk, mark: str, expected: str) -> None:
        """Pins both directions at the boundary, that a gap is a move, and that other instruments go on."""
        moving.price(2, A=mark)
        assert expected == action(moving.buy("cash", "1", "A"))
        assert "ALLOW" == action(moving.buy("cash", "1", "B"))

    @pytest.mark.control("price-collar")
    def test_a_slow_walk_within_the_time_is_a_move_as_well(self, moving: Desk) -> None:
        """Pins that small steps add up, and that there and back again is none."""
        for step, mark in enumerate(("104", "108", "112")):
            moving.price(2 + step / 8_640, A=mark)
        assert "REJECT PRICE_MOVED" == action(moving.buy("cash", "1", "A"))
        moving.price(2 + 3 / 8_640, A="101.81")
        assert "ALLOW" == action(moving.buy("cash", "1", "A"))

    def test_a_move_is_forgotten_when_it_is_older(self, moving: Desk) -> None:
        """Pins the time, which an eighth of it may be longer."""
        moving.price(2, A="120")
        moving.wait(80)
        assert "REJECT PRICE_MOVED" == action(moving.buy("cash", "1", "A"))
        moving.wait(10)
        assert "ALLOW" == action(moving.buy("cash", "1", "A"))

    @pytest.mark.control("way-out")
    def test_who_reduces_gets_out_of_a_runaway_price(self, moving: Desk) -> None:
        """Pins the way out, long and short; a flip is none."""
        moving.hold("margin", "10", "100")
        moving.price(2, A="120")
        assert "REJECT PRICE_MOVED" == action(moving.sell("margin", "11"))
        assert "ALLOW" == action(moving.sell("margin", "10"))

    def test_what_is_remembered_is_bounded_and_comes_back(self, moving: Desk) -> None:
        """Pins nine pairs of prices whatever comes, and the same answer after a restart."""
        for number in range(100):
            at(moving, 86_400_000 + number * 5_000)
        assert 9 == len(moving.book.counters.price_moves._ranges["A"])
        moving.price(2.5, A="120")
        again = moving.restarted()
        assert "REJECT PRICE_MOVED" == action(again.buy("cash", "1", "A"))
        again.gate.journal.close()
