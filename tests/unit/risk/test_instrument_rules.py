"""Instrument rules: what a strategy may trade, how much of it in one order, and when."""

import pytest

from tests.unit.builders import BUY, FIRST_DAY_S, SELL, Desk, action, bar, configuration, instrument_scope, limit
from tests.unit.conftest import OpenDesk
from tidegate.errors import BookError
from tidegate.risk.calendars import Calendar
from tidegate.times import NS_PER_S
from tidegate.v1 import common_pb2, journal_pb2, market_data_pb2, order_rules_pb2, risk_pb2

HOUR_S = 3_600
DAY_S = 86_400
# Two sessions, of the first day and of the second, from 14:30 to 21:00.
OPENS_S = [FIRST_DAY_S + 14 * HOUR_S + 1_800, FIRST_DAY_S + DAY_S + 14 * HOUR_S + 1_800]
CLOSES_S = [FIRST_DAY_S + 21 * HOUR_S, FIRST_DAY_S + DAY_S + 21 * HOUR_S]


def sized(**sizes: str) -> journal_pb2.PortfolioConfigured:
    """Configure sizes of instrument A."""
    configured = configuration()
    for name, size in sizes.items():
        setattr(configured.instruments[0], name, size)
    return configured


def with_calendar(*, known: bool = True) -> journal_pb2.PortfolioConfigured:
    """Configure a calendar for instrument A, with its sessions or without."""
    configured = configuration()
    configured.instruments[0].calendar = "XNYS"
    if known:
        configured.calendars.add(name="XNYS", opens_s=OPENS_S, closes_s=CLOSES_S)
    return configured


def priced_at(desk: Desk, second: int) -> None:
    """Publish the marks of A and B at a second."""
    request = bar(1, A="100", B="50")
    request.time.seconds = second
    desk.ask("PublishBars", request, market_data_pb2.PublishBarsResponse)


class TestPermitted:
    @pytest.mark.control("permitted-instruments")
    @pytest.mark.parametrize(
        ("strategy_id", "symbol", "expected"),
        [
            ("cash", "A", "ALLOW"),
            ("cash", "B", "REJECT INSTRUMENT_NOT_PERMITTED"),
            ("margin", "A", "ALLOW"),
            ("margin", "B", "ALLOW"),
        ],
    )
    def test_a_strategy_with_a_list_trades_nothing_else(
        self, open_desk: OpenDesk, strategy_id: str, symbol: str, expected: str
    ) -> None:
        """Pins deny by default for who has a list, and everything for who has none."""
        configured = configuration()
        configured.strategies[0].instruments.append("A")
        desk = open_desk(configured)
        desk.bar(1, A="100", B="50")
        assert expected == action(desk.buy(strategy_id, "1", symbol))

    def test_what_is_not_permitted_is_not_sold_either(self, open_desk: OpenDesk) -> None:
        """Pins that permission is not a limit: the way out leads through who may."""
        configured = configuration()
        configured.strategies[1].instruments.append("B")
        desk = open_desk(configured)
        desk.bar(1, A="100", B="50")
        assert "REJECT INSTRUMENT_NOT_PERMITTED" == action(desk.sell("margin", "1", "A"))


class TestSizes:
    @pytest.mark.control("order-size")
    @pytest.mark.parametrize(
        ("quantity", "expected"),
        [
            ("4", "REJECT QUANTITY_TOO_SMALL"),
            ("5", "ALLOW"),
            ("20", "ALLOW"),
            ("21", "REJECT ORDER_QUANTITY"),
        ],
    )
    @pytest.mark.parametrize("side", [BUY, SELL])
    def test_an_instrument_has_a_smallest_and_a_largest_quantity(
        self, open_desk: OpenDesk, side: common_pb2.Side.ValueType, quantity: str, expected: str
    ) -> None:
        """Pins both boundaries, also for the sell that reduces."""
        desk = open_desk(sized(min_quantity="5", max_quantity="20"))
        desk.bar(1, A="100", B="50")
        for _ in range(2):
            desk.hold("cash", "15", "100")
        assert expected == action(desk.submit(desk.order("cash", side, quantity, "A")))

    @pytest.mark.control("order-size")
    @pytest.mark.parametrize(
        ("quantity", "price", "expected"),
        [
            ("5", "99.99", "ALLOW"),  # a buy is worth the mark where that is above its limit
            ("4", "100", "REJECT NOTIONAL_TOO_SMALL"),
            ("20", "100", "ALLOW"),
            ("20", "100.01", "REJECT ORDER_NOTIONAL"),
        ],
    )
    def test_an_instrument_has_a_smallest_and_a_largest_value(
        self, open_desk: OpenDesk, quantity: str, price: str, expected: str
    ) -> None:
        """Pins both boundaries, at the worst price."""
        desk = open_desk(sized(min_notional="500", max_notional="2000"))
        desk.bar(1, A="100", B="50")
        assert expected == action(desk.submit(limit(desk.order("cash", BUY, quantity, "A"), price)))

    def test_what_has_lost_its_value_may_be_sold(self, open_desk: OpenDesk) -> None:
        """Pins that the smallest value is not asked of a reducing order, and is of the one that flips."""
        desk = open_desk(sized(min_notional="500"))
        desk.bar(1, A="100", B="50")
        desk.hold("margin", "10", "100")
        desk.price(2, A="1")
        assert "ALLOW" == action(desk.sell("margin", "9"))
        assert "REJECT NOTIONAL_TOO_SMALL" == action(desk.sell("margin", "2"))

    def test_other_instruments_have_none(self, open_desk: OpenDesk) -> None:
        """Pins that sizes are each instrument's own."""
        desk = open_desk(sized(max_quantity="5"))
        desk.bar(1, A="100", B="50")
        assert "ALLOW" == action(desk.buy("cash", "6", "B"))

    def test_a_replacement_has_to_fit_as_well(self, open_desk: OpenDesk) -> None:
        """Pins that nobody grows an order past the largest one."""
        desk = open_desk(sized(max_quantity="20"))
        desk.bar(1, A="100", B="50")
        order = desk.order("cash", BUY, "20", "A")
        desk.submit(order)
        assert "REJECT ORDER_QUANTITY" == action(desk.replace(desk.replacement(order, "21")))
        assert "ALLOW" == action(desk.replace(desk.replacement(order, "19")))


class TestMarketHours:
    @pytest.mark.control("trading-hours")
    @pytest.mark.parametrize(
        ("second", "expected"),
        [
            (OPENS_S[0] - 1, "REJECT MARKET_CLOSED"),
            (OPENS_S[0], "ALLOW"),
            (CLOSES_S[0] - 1, "ALLOW"),
            (CLOSES_S[0], "REJECT MARKET_CLOSED"),
            (OPENS_S[1] - 1, "REJECT MARKET_CLOSED"),
            (OPENS_S[1], "ALLOW"),
            (CLOSES_S[1], "REJECT MARKET_CLOSED"),
        ],
    )
    def test_an_order_is_for_a_session(self, open_desk: OpenDesk, second: int, expected: str) -> None:
        """Pins that a session holds its first second and not the one at its close; after the last it is closed."""
        desk = open_desk(with_calendar())
        priced_at(desk, second)
        assert expected == action(desk.buy("cash", "1", "A"))
        assert "ALLOW" == action(desk.buy("cash", "1", "B"))

    def test_a_closed_market_takes_no_reducing_order_either(self, open_desk: OpenDesk) -> None:
        """Pins that nothing is sent where nobody trades."""
        desk = open_desk(with_calendar())
        priced_at(desk, OPENS_S[0])
        desk.hold("cash", "10", "100")
        priced_at(desk, CLOSES_S[0])
        assert "REJECT MARKET_CLOSED" == action(desk.sell("cash", "10"))

    @pytest.mark.control("trading-hours")
    def test_a_calendar_without_sessions_is_closed(self, open_desk: OpenDesk) -> None:
        """Pins that not knowing is not being open."""
        desk = open_desk(with_calendar(known=False))
        priced_at(desk, OPENS_S[0])
        assert "REJECT MARKET_CLOSED" == action(desk.buy("cash", "1", "A"))

    def test_the_sessions_are_in_the_journal_once(self, open_desk: OpenDesk) -> None:
        """Pins that a start with the same sessions records nothing, and one with others records them."""
        desk = open_desk(with_calendar())
        priced_at(desk, OPENS_S[1])
        assert 1 == len(desk.events("calendar_recorded"))
        again = desk.restarted()
        assert 1 == len(again.events("calendar_recorded"))
        again.gate.journal.close()
        desk.configured.calendars[0].closes_s[1] = OPENS_S[1] + HOUR_S  # a day that became shorter
        shorter = desk.restarted()
        assert 2 == len(shorter.events("calendar_recorded"))
        priced_at(shorter, OPENS_S[1] + HOUR_S)
        assert "REJECT MARKET_CLOSED" == action(shorter.buy("cash", "1", "A"))
        shorter.gate.journal.close()

    @pytest.mark.parametrize(("opens", "closes"), [([5, 3], [6, 9]), ([3, 7], [8, 9]), ([3], [4, 5]), ([4], [3])])
    def test_sessions_that_do_not_follow_each_other_are_no_calendar(self, opens: list[int], closes: list[int]) -> None:
        """Pins that a wrong calendar is refused, not searched."""
        with pytest.raises(BookError, match="do not follow"):
            Calendar(order_rules_pb2.TradingCalendar(name="X", opens_s=opens, closes_s=closes))

    def test_nothing_is_open_before_the_first_session(self) -> None:
        """Pins the time before all that is known."""
        calendar = Calendar(order_rules_pb2.TradingCalendar(name="X", opens_s=[5], closes_s=[9]))
        assert [False, True, False] == [calendar.is_open(second * NS_PER_S) for second in (4, 5, 9)]


class TestShortSelling:
    @pytest.mark.control("short-selling")
    @pytest.mark.parametrize(
        ("held", "working", "quantity", "expected"),
        [
            ("10", "", "10", "ALLOW"),
            ("10", "", "11", "REJECT SHORT_SALE"),
            ("10", "4", "6", "ALLOW"),
            ("10", "4", "7", "REJECT SHORT_SALE"),
            ("", "", "1", "REJECT SHORT_SALE"),
        ],
    )
    def test_a_margin_strategy_may_be_long_only(
        self, open_desk: OpenDesk, held: str, working: str, quantity: str, expected: str
    ) -> None:
        """Pins the boundary, with working sells and for a flip."""
        configured = configuration()
        configured.strategies[1].long_only = True
        desk = open_desk(configured)
        desk.bar(1, A="100", B="50")
        if held:
            desk.hold("margin", held, "100")
        if working:
            desk.sell("margin", working)
        assert expected == action(desk.sell("margin", quantity))

    def test_another_margin_strategy_sells_short(self, desk: Desk) -> None:
        """Pins that the rule is each strategy's own."""
        assert "ALLOW" == action(desk.sell("margin", "1"))


class TestReduce:
    @pytest.mark.parametrize(
        ("min_quantity", "expected"),
        [("", ("REDUCE CONCENTRATION", "100")), ("100", ("REDUCE CONCENTRATION", "100")), ("101", ("REJECT", "0"))],
    )
    def test_the_largest_that_fits_is_not_too_small(
        self, open_desk: OpenDesk, min_quantity: str, expected: tuple[str, str]
    ) -> None:
        """Pins that a smallest order does not hide what fits above it, and that nothing below it is taken."""
        configured = sized(min_quantity=min_quantity)
        further = risk_pb2.Limit(
            figure=risk_pb2.LIMIT_FIGURE_CONCENTRATION,
            scope=instrument_scope("A"),
            limit="0.1",
            action=common_pb2.ACTION_REDUCE,
        )
        configured.further_limits.append(further)
        desk = open_desk(configured)
        desk.bar(1, A="100", B="50")
        order = desk.order("cash", BUY, "400", "A")
        order.accept_reduced = True
        decision = desk.submit(order)
        assert expected[1] == decision.approved_quantity
        assert action(decision).startswith(expected[0])
