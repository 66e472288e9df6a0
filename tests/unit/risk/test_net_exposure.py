"""Net exposure: exactly at, one unit above; longs, shorts, flips, hedges, working orders; the book itself."""

from pathlib import Path

import pytest

from tests.unit.builders import (
    BUY,
    CANCELED,
    SELL,
    Desk,
    action,
    configuration,
    instrument,
    instrument_scope,
    stamp,
)
from tests.unit.conftest import OpenDesk
from tests.unit.risk.test_limits import (
    CASH,
    EQUITY,
    EVERYTHING,
    HALT,
    MARGIN,
    REDUCE,
    TECH,
    limit,
    limited,
    states,
    update,
)
from tests.unit.risk.test_suspense import assign, stray
from tidegate.explanation import Wanted, explain
from tidegate.v1 import common_pb2, instruments_pb2, journal_pb2


@pytest.mark.control("net-exposure")
@pytest.mark.parametrize(
    ("scope", "symbol", "quantities"),
    [
        (EVERYTHING, "A", ("100", "101", "99")),
        (MARGIN, "A", ("100", "101", "99")),
        (MARGIN, "A", ("-100", "-101", "-99")),
        (instrument_scope("A"), "A", ("-100", "-101", "-99")),
        (TECH, "F", ("10", "10.5", "9.5")),
        (EQUITY, "B", ("-100", "-101", "-99")),
    ],
)
def test_net_exposure_of_each_scope_passes_exactly_at_its_limit(
    open_desk: OpenDesk, scope: common_pb2.Scope, symbol: str, quantities: tuple[str, str, str]
) -> None:
    """Pins 10,000 of a scope, long and short, a lot above, a lot below, and what the violation says."""
    at_limit, above, below = quantities
    desk = limited(open_desk, limit("NET_EXPOSURE", scope, limit="10000"))
    refused = desk.move("margin", above, symbol)
    assert "REJECT NET_EXPOSURE" == action(refused)
    (violation,) = refused.violations
    assert ("10000", scope) == (violation.limit, violation.scope)
    for passing in (below, at_limit):
        side = SELL if passing.startswith("-") else BUY
        assert "ALLOW" == action(desk.check(desk.order("margin", side, passing.lstrip("-"), symbol)))


def test_longs_and_shorts_of_two_strategies_offset_each_other(open_desk: OpenDesk) -> None:
    """Pins that 150 long of one and 50 short of the other are 10,000 net, while the strategy alone is 15,000."""
    desk = limited(open_desk, limit("NET_EXPOSURE", TECH, limit="10000"))
    desk.hold("margin", "-50", "100")
    assert "REJECT NET_EXPOSURE" == action(desk.buy("cash", "151"))
    assert "ALLOW" == action(desk.buy("cash", "150"))


def test_working_orders_offset_nothing(open_desk: OpenDesk) -> None:
    """Pins the worst case: what may still be sold does not make room for what may still be bought."""
    desk = limited(open_desk, limit("NET_EXPOSURE", EVERYTHING, limit="10000"))
    sale = desk.move("margin", "-100", "B")
    assert "REJECT NET_EXPOSURE" == action(desk.buy("cash", "101"))
    assert "ALLOW" == action(desk.buy("cash", "100"))
    assert "REJECT NET_EXPOSURE" == action(desk.move("margin", "-1", "B"))
    desk.fill(sale.order_id, "100", "100")
    desk.buy("cash", "100")
    assert "REJECT NET_EXPOSURE" == action(desk.buy("cash", "1"))
    assert "REJECT NET_EXPOSURE" == action(desk.move("margin", "-1", "B"))


def test_a_canceled_order_and_a_smaller_replacement_make_room(open_desk: OpenDesk) -> None:
    """Pins that only what adds to the replaced order counts, and that the broker's report releases."""
    desk = limited(open_desk, limit("NET_EXPOSURE", MARGIN, limit="10000"))
    order = desk.order("margin", BUY, "60", "A")
    order_id = desk.submit(order).order_id
    assert "REJECT NET_EXPOSURE" == action(desk.replace(desk.replacement(order, "101")))
    assert "ALLOW" == action(desk.replace(desk.replacement(order, "100")))
    assert "REJECT NET_EXPOSURE" == action(desk.move("margin", "1", "B"))
    desk.report(desk.execution(order_id, CANCELED))
    assert "ALLOW" == action(desk.move("margin", "100", "B"))


def test_a_flip_counts_with_what_it_opens(open_desk: OpenDesk) -> None:
    """Pins that 50 long may become 100 short, and not one more."""
    desk = limited(open_desk, limit("NET_EXPOSURE", MARGIN, limit="10000"))
    desk.hold("margin", "50", "100")
    assert "REJECT NET_EXPOSURE" == action(desk.move("margin", "-151"))
    assert "ALLOW" == action(desk.move("margin", "-150"))


@pytest.mark.control("net-exposure", "breaches")
def test_a_price_takes_the_book_over_and_only_what_leans_further_is_refused(open_desk: OpenDesk) -> None:
    """Pins the breach with its cause, exactly at it none; the hedge passes, and with it the breach ends."""
    desk = limited(open_desk, limit("NET_EXPOSURE", EVERYTHING, limit="10000"))
    desk.hold("margin", "100", "100")
    assert [] == desk.events("limit_breached")
    desk.price(1.1, A="100.01")
    (breached,) = desk.events("limit_breached")
    assert ("NET_EXPOSURE", desk.events("prices_published")[0].sequence) == (
        breached.limit_breached.violation.reason_code,
        breached.limit_breached.cause_sequence,
    )
    assert "REJECT NET_EXPOSURE" == action(desk.buy("cash", "1", "B"))
    desk = desk.restarted()
    hedge = desk.move("margin", "-1", "B")
    assert "ALLOW" == action(hedge)
    desk.fill(hedge.order_id, "1", "100")
    assert ({}, 1) == (desk.book.breaches, len(desk.events("limit_restored")))


@pytest.mark.control("way-out")
def test_a_reducing_order_that_takes_a_hedge_away_passes_with_a_warning(open_desk: OpenDesk) -> None:
    """Pins the way out: closing the short leg leans further, and is told so; closing the long one is not."""
    desk = limited(open_desk, limit("NET_EXPOSURE", EVERYTHING, limit="10000", action=HALT))
    desk.hold("margin", "-100", "100", "B")
    desk.hold("cash", "200", "100")
    assert "ALLOW" == action(desk.sell("cash", "10"))
    leaning = desk.move("margin", "10", "B")
    assert ("WARN NET_EXPOSURE", "11000") == (action(leaning), leaning.violations[0].actual)
    assert [] == desk.events("trading_halted")


def test_reduce_takes_what_fits_and_a_warning_comes_before(open_desk: OpenDesk) -> None:
    """Pins both thresholds and the largest whole number of lots, beside a limit that refuses more than that."""
    desk = limited(
        open_desk,
        limit("NET_EXPOSURE", MARGIN, warn="5000", limit="9950", action=REDUCE),
        limit("NET_EXPOSURE", TECH, limit="20000"),
    )
    assert "ALLOW" == action(desk.move("margin", "50"))
    assert "WARN NET_EXPOSURE" == action(desk.move("margin", "1"))
    order = desk.order("margin", BUY, "100", "A")
    order.accept_reduced = True
    assert "48" == desk.submit(order).approved_quantity


@pytest.mark.control("kill-automatic")
def test_a_limit_that_halts_does_so_when_the_book_is_over_it(open_desk: OpenDesk) -> None:
    """Pins the strategy's halt by a price, short as it is, and that the others go on."""
    desk = limited(open_desk, limit("NET_EXPOSURE", MARGIN, limit="10000", action=HALT))
    desk.hold("margin", "-100", "100")
    desk.price(1.1, A="100.01")
    (halted,) = desk.events("trading_halted")
    assert (MARGIN, "NET_EXPOSURE") == (halted.trading_halted.scope, halted.trading_halted.reason_code)
    assert "ALLOW" == action(desk.buy("cash", "1"))


def test_what_is_left_of_it_is_shown_and_a_new_scope_counts_what_is_held(open_desk: OpenDesk) -> None:
    """Pins headroom, of limits set before and after the positions, and that one taken away leaves nothing behind."""
    desk = limited(open_desk, limit("NET_EXPOSURE", CASH, limit="9000"))
    desk.hold("cash", "80", "100")
    desk.hold("margin", "-50", "100", "B")
    assert "" == update(desk, limit("NET_EXPOSURE", EVERYTHING, limit="10000"), limit("NET_EXPOSURE", MARGIN, warn="1"))
    desk.move("margin", "-10", "B")
    shown = [(state.actual, state.bound, state.headroom) for state in states(desk)]
    assert [("8000", "9000", "1000"), ("3000", "10000", "7000"), ("6000", "1", "-5999")] == shown
    desk = desk.restarted()
    assert shown == [(state.actual, state.bound, state.headroom) for state in states(desk)]
    assert "" == update(desk, limit("NET_EXPOSURE", CASH))
    assert 2 == len(states(desk))


def test_why_an_order_leans_too_far_is_explained_with_its_figures(open_desk: OpenDesk) -> None:
    """Pins the figure with the order, each threshold, and that the decision follows again; a way out is one too."""
    desk = limited(open_desk, limit("NET_EXPOSURE", MARGIN, warn="5000", limit="10000"))
    desk.hold("margin", "-60", "100", "B")
    for decision, actual in ((desk.move("margin", "-41"), "10100"), (desk.move("margin", "60", "B"), "6000")):
        found = explain(desk.gate.journal.read(0), Wanted(order_id=str(decision.sequence)))
        (result,) = [check for check in found.checks if check.name == "net exposure"]
        name = "net_exposure of the strategy margin, to"
        assert [(f"{name} warn above", actual, "5000"), (f"{name} refuse above", actual, "10000")] == result.figures
        assert (True, []) == (result.is_held, found.differences)


def with_others() -> journal_pb2.PortfolioConfigured:
    """Add euros, a stock in them, and a put on A that is deep in the money."""
    configured = configuration()
    for symbol, currency, asset_class, buys in (("EURUSD", "USD", "fx", "EUR"), ("DAX", "EUR", "equity", "")):
        added = instrument(symbol)
        added.currency, added.asset_class, added.buys = currency, asset_class, buys
        configured.instruments.append(added)
    configured.currency_rates.add(currency="EUR", symbol="EURUSD")
    put = instrument("PUT", multiplier="100")
    put.asset_class = "option"
    terms = instruments_pb2.OptionTerms(
        underlying="A", strike="500", expiry=stamp(30), right="put", volatility="0.2", interest_rate="0.01"
    )
    put.option.CopyFrom(terms)
    configured.instruments.append(put)
    configured.strategies[1].max_leverage = "6"
    configured.further_limits.append(limit("NET_EXPOSURE", MARGIN, limit="10000"))
    return configured


def open_with_others(path: Path) -> Desk:
    """Open a desk on which all of them have prices."""
    desk = Desk(path, with_others())
    desk.bar(1, A="100", B="100", DAX="50", EURUSD="2", PUT="400")
    return desk


def test_a_foreign_position_counts_at_the_rate_of_now(tmp_path: Path) -> None:
    """Pins 50 euros at two dollars, and a rate alone that takes the book over."""
    desk = open_with_others(tmp_path / "journal.db")
    assert "REJECT NET_EXPOSURE" == action(desk.move("margin", "101", "DAX"))
    desk.hold("margin", "100", "50", "DAX")
    desk.price(1.1, EURUSD="2.01")
    assert "NET_EXPOSURE" == desk.events("limit_breached")[0].limit_breached.violation.reason_code


def test_a_put_offsets_its_underlying(tmp_path: Path) -> None:
    """Pins that a put with a delta of one hides a hundred of A, bought or sold, and moves with A's price."""
    desk = open_with_others(tmp_path / "journal.db")
    assert "ALLOW" == action(desk.check(desk.order("margin", BUY, "1", "PUT")))
    assert "REJECT NET_EXPOSURE" == action(desk.check(desk.order("margin", BUY, "2", "PUT")))
    desk.hold("margin", "100", "100")
    assert "REJECT NET_EXPOSURE" == action(desk.move("margin", "-1", "PUT"))
    desk.hold("margin", "1", "400", "PUT")
    assert "0" == states(desk)[0].actual
    desk.price(1.1, A="110")
    assert "0" == states(desk)[0].actual


def test_a_fill_that_leaves_suspense_counts_where_it_arrives(open_desk: OpenDesk) -> None:
    """Pins that an assigned fill is its strategy's net exposure at once, and that taking it back ends that."""
    desk = limited(open_desk, limit("NET_EXPOSURE", MARGIN, limit="10000"))
    fill = stray(desk, "90", "100")
    assert "ALLOW" == action(desk.check(desk.order("margin", BUY, "100", "A")))
    assign(desk, fill)
    assert "REJECT NET_EXPOSURE" == action(desk.check(desk.order("margin", BUY, "11", "A")))
    assert "ALLOW" == action(desk.check(desk.order("margin", BUY, "10", "A")))
    desk.report(desk.bust(fill))
    assert "ALLOW" == action(desk.check(desk.order("margin", BUY, "100", "A")))
