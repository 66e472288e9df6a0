"""Held prices: a price far from its mark moves nothing until further prints agree, and a lone one is discarded."""

from decimal import Decimal

import pytest

from tests.unit.builders import BUY, DAY_S, NEW, SELL, Desk, action, bar, configuration, limit, stamp
from tests.unit.conftest import OpenDesk
from tidegate.reasons import Reason
from tidegate.times import NS_PER_S, to_ns
from tidegate.v1 import common_pb2, journal_pb2, market_data_pb2, risk_pb2

SECOND = 1 / DAY_S
MINUTE = 60 / DAY_S
# When the prints of a test begin: a minute after the first bar.
OPENING = 1 + MINUTE


def band(share: str = "0.10", confirmations: int = 2, **names: str) -> journal_pb2.PriceBand:
    """Write one entry of price_bands."""
    return journal_pb2.PriceBand(band=share, confirmations=confirmations, **names)


def banded(*bands: journal_pb2.PriceBand, **limits: str) -> journal_pb2.PortfolioConfigured:
    """Configure a desk with price bands: daily closes free, live prices by default 10% and two confirmations."""
    configured = configuration(**limits)
    configured.price_bands.extend([band(confirmations=0, interval="1d"), *(bands or [band()])])
    return configured


def opened(open_desk: OpenDesk, *bands: journal_pb2.PriceBand, **limits: str) -> Desk:
    """Open a desk with bands, A at 100 and B at 50."""
    desk = open_desk(banded(*bands, **limits))
    desk.bar(1, A="100", B="50")
    return desk


def prints(desk: Desk, *prices: str, symbol: str = "A", begin: float = OPENING, feed: str = "") -> None:
    """Publish prices of one instrument, a second apart, each in a message of its own."""
    for number, price in enumerate(prices):
        publish(desk, (symbol, price, begin + number * SECOND), feed=feed)


def publish(desk: Desk, *entries: tuple[str, str, float], feed: str = "") -> None:
    """Publish one message of prices: symbol, price, day."""
    prices = [market_data_pb2.Price(symbol=symbol, price=price, time=stamp(day)) for symbol, price, day in entries]
    request = market_data_pb2.PublishPricesRequest(prices=prices, feed=feed)
    desk.ask("PublishPrices", request, market_data_pb2.PublishPricesResponse)


def mark(desk: Desk, symbol: str = "A") -> str:
    """Return an instrument's mark."""
    return str(desk.book.marks[symbol])


def held(desk: Desk) -> list[risk_pb2.HeldPrice]:
    """Ask which prices are held."""
    return list(
        desk.ask("GetRiskMetrics", risk_pb2.GetRiskMetricsRequest(), risk_pb2.GetRiskMetricsResponse).held_prices
    )


@pytest.mark.control("bad-ticks")
@pytest.mark.parametrize(
    ("price", "expected"),
    [("110", "110"), ("109.99", "109.99"), ("110.01", "100"), ("90", "90"), ("90.01", "90.01"), ("89.99", "100")],
)
def test_a_price_exactly_at_the_band_is_taken_and_one_a_tick_further_is_held(
    open_desk: OpenDesk, price: str, expected: str
) -> None:
    """Pins the boundary, up and down."""
    desk = opened(open_desk)
    prints(desk, price)
    assert expected == mark(desk)
    assert (price != expected) is bool(held(desk))


@pytest.mark.parametrize("price", ["10", "1000"])
def test_a_held_price_moves_neither_equity_nor_the_high_water_mark_nor_the_marks_time(
    open_desk: OpenDesk, price: str
) -> None:
    """Pins that nothing is counted by it, for a long and a short position."""
    desk = opened(open_desk)
    desk.hold("cash", "300", "100")
    desk.hold("margin", "-100", "50", "B")
    before = (desk.book.equity, desk.book.high_water_mark, dict(desk.book.mark_times_ns))
    publish(desk, ("A", price, OPENING), ("B", price, OPENING))
    assert before == (desk.book.equity, desk.book.high_water_mark, desk.book.mark_times_ns)


@pytest.mark.control("bad-ticks")
@pytest.mark.parametrize("phantom", ["10", "1000"])
def test_a_phantom_print_halts_nothing_and_leaves_no_trace_in_the_peak(open_desk: OpenDesk, phantom: str) -> None:
    """Pins a 90% fall and a tenfold rise that were never there: normal prices end it at once."""
    desk = opened(open_desk, halt_drawdown="0.15")
    desk.hold("cash", "300", "100")
    prints(desk, "100", phantom, "100", "101", phantom, "101")
    assert common_pb2.HALT_LEVEL_ACTIVE == desk.level()
    assert (Decimal(100_300), Decimal(100_300)) == (desk.book.equity, desk.book.high_water_mark)
    assert [] == held(desk)
    assert [] == desk.events("limit_breached")


@pytest.mark.control("bad-ticks")
@pytest.mark.parametrize("confirmations", [1, 2, 3])
@pytest.mark.parametrize(
    "crash",
    [["10"] * 4, ["60", "40", "25", "15"], ["15", "16", "14", "17"], ["0.01", "40", "41", "39"]],
    ids=["to one price", "further with each print", "up and down", "after a phantom"],
)
def test_a_real_crash_halts_after_exactly_the_stated_confirmations(
    open_desk: OpenDesk, crash: list[str], confirmations: int
) -> None:
    """Pins that it waits for so many further prints and for none more, whatever way the prices fall."""
    desk = opened(open_desk, band(confirmations=confirmations), halt_drawdown="0.10")
    desk.hold("cash", "300", "100")
    for number, price in enumerate(crash[: confirmations + 1]):
        assert common_pb2.HALT_LEVEL_ACTIVE == desk.level()
        prints(desk, price, begin=OPENING + number * SECOND)
    assert common_pb2.HALT_LEVEL_HALTED == desk.level()
    assert Reason.DRAWDOWN == desk.events("trading_halted")[0].trading_halted.reason_code


def test_the_confirmed_price_is_the_nearest_of_those_that_agree(open_desk: OpenDesk) -> None:
    """Pins that no single print decides how far: a phantom among a real fall is held in its turn."""
    desk = opened(open_desk)
    prints(desk, "60", "59", "0.01")
    assert "60" == mark(desk)
    assert [("0.01", 1)] == [(one.price, one.prints) for one in held(desk)]
    assert to_ns(stamp(OPENING)) == desk.book.mark_times_ns["A"]
    prints(desk, "58", begin=OPENING + MINUTE)
    assert ("58", []) == (mark(desk), held(desk))


def test_a_fall_in_large_steps_is_followed_a_confirmation_behind(open_desk: OpenDesk) -> None:
    """Pins that each level counts its own further prints, those it shares with the level before included."""
    desk = opened(open_desk)
    marks = []
    for number, price in enumerate(["80", "60", "40", "20", "20", "20"]):
        prints(desk, price, begin=OPENING + number * SECOND)
        marks.append(mark(desk))
    assert ["100", "100", "80", "60", "40", "20"] == marks


def test_prints_of_one_message_confirm_nothing_among_themselves(open_desk: OpenDesk) -> None:
    """Pins that a message is one print an instrument: its newest one, wherever it stands."""
    desk = opened(open_desk, band(confirmations=1))
    publish(desk, ("A", "10", OPENING), ("A", "10", OPENING + SECOND), ("A", "10", OPENING + SECOND))
    assert [1] == [one.prints for one in held(desk)]
    publish(desk, ("A", "10", OPENING + 3 * SECOND), ("A", "99", OPENING + 2 * SECOND))
    assert ("10", []) == (mark(desk), held(desk))


def test_of_two_prices_with_one_time_in_a_message_the_last_is_taken(open_desk: OpenDesk) -> None:
    """Pins the order of the message where times do not tell."""
    desk = opened(open_desk)
    publish(desk, ("A", "99", OPENING), ("A", "10", OPENING), ("A", "98", OPENING))
    assert ("98", []) == (mark(desk), held(desk))


def test_only_so_many_prints_as_the_newest_one_asks_for_must_agree(open_desk: OpenDesk) -> None:
    """Pins that with two feeds the print that comes in is judged by the entry of its own feed."""
    desk = opened(open_desk, band(confirmations=1), band(confirmations=5, feed="backup"))
    prints(desk, "60", "20", feed="backup")
    prints(desk, "20", begin=OPENING + MINUTE)
    assert ("20", []) == (mark(desk), held(desk))


def test_a_normal_print_of_the_same_time_discards_what_is_held(open_desk: OpenDesk) -> None:
    """Pins that of two feeds at one moment the one near the mark is believed."""
    desk = opened(open_desk)
    prints(desk, "10")
    prints(desk, "101", feed="other")
    assert ("101", []) == (mark(desk), held(desk))


def test_the_same_print_again_confirms_nothing(open_desk: OpenDesk) -> None:
    """Pins that a further print has a later time, and that a late one from before the held one has none of it."""
    desk = opened(open_desk)
    for begin in (OPENING + MINUTE, OPENING + MINUTE, OPENING):
        prints(desk, "10", begin=begin)
    assert [1] == [one.prints for one in held(desk)]


def test_prints_on_different_sides_do_not_agree(open_desk: OpenDesk) -> None:
    """Pins that a print on the other side begins anew: nobody knows where the price is."""
    desk = opened(open_desk)
    prints(desk, "10", "200", "10", "200", "10", "200")
    assert ("100", ["200"]) == (mark(desk), [one.price for one in held(desk)])
    prints(desk, "200", "200", begin=OPENING + MINUTE)
    assert ("200", []) == (mark(desk), held(desk))


def test_a_slow_feed_does_not_discard_what_is_newer(open_desk: OpenDesk) -> None:
    """Pins that a normal price from before the fall is the mark, and the fall goes on waiting."""
    desk = opened(open_desk)
    prints(desk, "10", begin=OPENING + MINUTE)
    prints(desk, "99", feed="slow")
    assert ("99", ["10"]) == (mark(desk), [one.price for one in held(desk)])
    prints(desk, "10", "10", begin=OPENING + 2 * MINUTE)
    assert ("10", []) == (mark(desk), held(desk))


def test_a_late_price_that_comes_near_to_what_is_held_confirms_it(open_desk: OpenDesk) -> None:
    """Pins that what is held is measured from the mark of now: the newest print is the mark once it is within."""
    desk = opened(open_desk)
    prints(desk, "89", begin=OPENING + MINUTE)
    prints(desk, "91", feed="slow")
    assert ("89", []) == (mark(desk), held(desk))
    assert to_ns(stamp(OPENING + MINUTE)) == desk.book.mark_times_ns["A"]


def test_one_message_moves_what_it_may_and_holds_the_rest(open_desk: OpenDesk) -> None:
    """Pins that all prices of a message apply together, with one evaluation after them."""
    desk = opened(open_desk, halt_drawdown="0.01")
    desk.hold("cash", "100", "100")
    desk.hold("margin", "200", "50", "B")
    head = desk.book.sequence
    publish(desk, ("A", "10", OPENING), ("B", "55", OPENING))
    assert (("100", "55"), Decimal(101_000)) == ((mark(desk), mark(desk, "B")), desk.book.equity)
    assert ["prices_published", "price_held"] == desk.kinds(head)


def test_a_held_price_blocks_added_risk_in_its_instrument_alone(open_desk: OpenDesk) -> None:
    """Pins what passes: the way out as a limit order, and every other instrument."""
    desk = opened(open_desk)
    desk.hold("cash", "10", "100")
    prints(desk, "10")
    assert "REJECT PRICE_UNCONFIRMED" == action(desk.buy("cash", "1"))
    assert "REJECT PRICE_UNCONFIRMED" == action(desk.submit(limit(desk.order("cash", BUY, "1", "A"), "10")))
    assert "REJECT PRICE_UNCONFIRMED" == action(desk.sell("cash", "10"))
    assert "REJECT PRICE_UNCONFIRMED" == action(desk.submit(limit(desk.order("margin", SELL, "1", "A"), "10")))
    assert "ALLOW" == action(desk.submit(limit(desk.order("cash", SELL, "10", "A"), "10")))
    assert "ALLOW" == action(desk.buy("cash", "1", "B"))


def test_an_order_in_a_held_instrument_is_not_made_larger(open_desk: OpenDesk) -> None:
    """Pins that a replacement is held against the same check as a new order."""
    desk = opened(open_desk)
    order = limit(desk.order("cash", BUY, "10", "A"), "90")
    desk.report(desk.execution(desk.submit(order).order_id, NEW))
    prints(desk, "10")
    assert "REJECT PRICE_UNCONFIRMED" == action(desk.replace(desk.replacement(order, "11", "90")))


@pytest.mark.parametrize("ending", [["99"], ["10", "10"]], ids=["discarded", "confirmed"])
def test_trading_goes_on_once_the_waiting_ends(open_desk: OpenDesk, ending: list[str]) -> None:
    """Pins that nobody has to do anything for it."""
    desk = opened(open_desk)
    prints(desk, "10", *ending)
    assert "ALLOW" == action(desk.buy("cash", "1"))


def test_the_mark_of_a_held_instrument_keeps_its_age(open_desk: OpenDesk) -> None:
    """Pins that prints which are not believed do not make an old mark look new."""
    desk = opened(open_desk)
    desk.hold("cash", "10", "100")
    prints(desk, "10", "200", begin=1 + 3 + SECOND)
    reasons = [violation.reason_code for violation in desk.buy("cash", "1").violations]
    assert [Reason.PRICE_STALE, Reason.PRICE_UNCONFIRMED] == reasons


def test_a_daily_close_needs_no_second_print(open_desk: OpenDesk) -> None:
    """Pins the default of bars, and that a close ends the waiting of a price before it."""
    desk = opened(open_desk)
    prints(desk, "10")
    desk.bar(2, A="12", B="500")
    assert ("12", "500", []) == (mark(desk), mark(desk, "B"), held(desk))


def bar_of(desk: Desk, interval: str, day: float, close: str) -> str:
    """Publish a bar of A with an interval; return the mark after it."""
    request = bar(day, A=close)
    request.interval = interval
    desk.ask("PublishBars", request, market_data_pb2.PublishBarsResponse)
    return mark(desk)


def test_bars_are_judged_by_their_interval(open_desk: OpenDesk) -> None:
    """Pins an interval with an entry, one without, which is judged like a live price, and the daily one by its name."""
    entries = (band(), band("0.30", 1, interval="1h"), band("0.50", 0, interval="1d"))
    desk = opened(open_desk, *entries)
    assert "129" == bar_of(desk, "1h", 2, "129")
    assert ["129", "200"] == [bar_of(desk, "1h", day, "200") for day in (3, 4)]
    assert ["200", "200", "100"] == [bar_of(desk, "5m", day, "100") for day in (5, 6, 7)]
    assert "1" == bar_of(desk, "1d", 8, "1")
    assert "100" == bar_of(desk, "", 9, "100")


def test_the_last_entry_that_fits_a_price_counts(open_desk: OpenDesk) -> None:
    """Pins feeds and instruments, one confirmed by a print of another feed that asks for less."""
    entries = (band(), band("0.05", 3, feed="backup"), band("0.50", 1, symbol="B"))
    desk = opened(open_desk, *entries)
    prints(desk, "106", feed="backup")
    assert "100" == mark(desk)
    prints(desk, "109", feed="unheard-of", begin=OPENING + MINUTE)
    assert "109" == mark(desk)
    prints(desk, "75", symbol="B", feed="backup")
    assert "75" == mark(desk, "B")
    prints(desk, "10", "10", feed="backup", begin=OPENING + 2 * MINUTE)
    prints(desk, "10", begin=OPENING + 3 * MINUTE)
    assert "10" == mark(desk)


def test_the_first_price_of_an_instrument_is_taken_as_it_is(open_desk: OpenDesk) -> None:
    """Pins that there is nothing to compare it with; nor is what a fill cost."""
    desk = opened(open_desk)
    prints(desk, "1", symbol="F")
    assert ("1", []) == (mark(desk, "F"), held(desk))
    other = desk.trade("", "1", "1")
    other.symbol, other.side = "Z", BUY
    desk.report(other)
    assert "1" == mark(desk, "Z")


def test_a_fill_confirms_nothing(open_desk: OpenDesk) -> None:
    """Pins that a fill at the held price is booked, and that the price goes on waiting."""
    desk = opened(open_desk)
    order_id = desk.buy("cash", "10").order_id
    prints(desk, "10", "10")
    desk.fill(order_id, "10", "10")
    assert ("100", [2]) == (mark(desk), [one.prints for one in held(desk)])
    assert Decimal(100_900) == desk.book.equity


def test_an_alert_is_raised_once_an_instrument_and_episode(open_desk: OpenDesk) -> None:
    """Pins its text and place, that further prints add none, and that the next episode has one of its own."""
    desk = opened(open_desk)
    prints(desk, "10", "11")
    publish(desk, ("B", "56", OPENING + MINUTE))
    prints(desk, "100", "10", begin=OPENING + 2 * MINUTE)
    found = [(alert.reason_code, alert.scope.name, alert.text) for alert in desk.alerts()[::-1]]
    text = "the price of A, 10, is more than 10% from its mark 100; further prints that confirm it: 0 of 2"
    other = "the price of B, 56, is more than 10% from its mark 50; further prints that confirm it: 0 of 2"
    code = Reason.PRICE_UNCONFIRMED
    assert [(code, "A", text), (code, "B", other), (code, "A", text)] == found


def test_a_feed_that_is_wrong_beside_one_that_is_right_alerts_once_a_minute(open_desk: OpenDesk) -> None:
    """Pins that holding and discarding by turns does not bury the other alerts."""
    desk = opened(open_desk)
    for number in range(60):
        prints(desk, "10", "100", begin=OPENING + 2 * number * SECOND, feed="wrong")
    assert 2 == len(desk.alerts())


def test_the_metrics_show_what_is_held(open_desk: OpenDesk) -> None:
    """Pins the newest print and the mark, each with its time, and how many prints agree."""
    desk = opened(open_desk)
    prints(desk, "10", "11")
    expected = risk_pb2.HeldPrice(
        symbol="A", price="11", mark="100", time=stamp(OPENING + SECOND), mark_time=stamp(1), prints=2
    )
    assert [expected] == held(desk)


def test_a_restart_goes_on_waiting_where_it_was(open_desk: OpenDesk) -> None:
    """Pins that a replay holds, counts, confirms and alerts as it was live, to the byte."""
    desk = opened(open_desk, halt_drawdown="0.10")
    desk.hold("cash", "300", "100")
    prints(desk, "60", "59", "0.01")
    prints(desk, "10", symbol="B")
    for number in range(3):
        again = desk.restarted()
        assert desk.state() == again.state()
        assert desk.book.held_prices == again.book.held_prices
        assert desk.book.held_alerts_ns == again.book.held_alerts_ns
        desk = again
        prints(desk, "0.02", begin=OPENING + MINUTE + number * SECOND)
    assert "0.02" == mark(desk)


def test_without_confirmations_there_is_no_check_and_no_price_is_held(open_desk: OpenDesk) -> None:
    """Pins that what is not configured costs nothing."""
    desk = opened(open_desk, band(confirmations=0), band(interval="1m", confirmations=0))
    prints(desk, "10", "1000", "1")
    assert ("1", {}) == (mark(desk), desk.book.held_prices)
    names = {type(check).__name__ for check in desk.gate.engine._checks.for_all}
    assert "HeldPrice" not in names
    assert "PriceAge" in names


@pytest.mark.parametrize(("method", "field"), [("PublishPrices", "feed"), ("PublishBars", "interval")])
@pytest.mark.parametrize("name", ["a b", "x" * 65, "\n"])
def test_a_feed_or_interval_that_is_no_name_is_refused(desk: Desk, method: str, field: str, name: str) -> None:
    """Pins the door: nothing is recorded of it."""
    recorded = len(desk.events())
    requests = {
        "PublishPrices": market_data_pb2.PublishPricesRequest(feed=name),
        "PublishBars": market_data_pb2.PublishBarsRequest(time=stamp(2), interval=name, bars=bar(2, A="100").bars),
    }
    reply = desk.reply(method, requests[method])
    assert (Reason.IDENTIFIER_INVALID, field, recorded) == (reply.reason, reply.field, len(desk.events()))


def test_time_between_prints_is_their_own_and_not_the_gates(open_desk: OpenDesk) -> None:
    """Pins that a nanosecond is enough: how fast a feed is says nothing about how often it must be asked."""
    desk = opened(open_desk, band(confirmations=1))
    for nanos in (1, 2):
        entry = market_data_pb2.Price(symbol="A", price="10", time=stamp(OPENING))
        entry.time.nanos = nanos
        request = market_data_pb2.PublishPricesRequest(prices=[entry])
        desk.ask("PublishPrices", request, market_data_pb2.PublishPricesResponse)
    assert "10" == mark(desk)
    assert NS_PER_S * stamp(OPENING).seconds + 2 == desk.book.mark_times_ns["A"]
