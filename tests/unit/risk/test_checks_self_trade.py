"""Self-trade: no routed order of ours meets another one of ours."""

import pytest

from tests.unit.builders import (
    BUY,
    CANCELED,
    REPLACE_REJECTED,
    REPLACED,
    SELL,
    Desk,
    NewOrder,
    action,
    configuration,
    limit,
    stop,
)
from tests.unit.conftest import OpenDesk
from tidegate.v1 import common_pb2, orders_pb2

REFUSED = "REJECT SELF_TRADE"


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    """Open a desk that refuses self-trades, A at 100 and B at 50."""
    configured = configuration()
    configured.order_rules.self_trade = True
    desk = open_desk(configured)
    desk.bar(1, A="100", B="50")
    return desk


def order(
    desk: Desk, strategy_id: str, side: common_pb2.Side.ValueType, price: str = "", symbol: str = "A"
) -> NewOrder:
    """Write an order of ten units, at a limit or at market."""
    asked = desk.order(strategy_id, side, "10", symbol)
    return limit(asked, price) if price else asked


@pytest.mark.control("self-trade")
@pytest.mark.parametrize(
    ("resting", "coming", "expected"),
    [
        ("101", "100.99", "ALLOW"),
        ("101", "101", REFUSED),
        ("101", "101.01", REFUSED),
        ("101", "", REFUSED),
        ("", "90", REFUSED),
        ("", "", REFUSED),
    ],
)
def test_a_buy_does_not_reach_our_own_sell(desk: Desk, resting: str, coming: str, expected: str) -> None:
    """Pins limits a tick apart, equal and crossed, and market orders on either side."""
    desk.submit(order(desk, "margin", SELL, resting))
    assert expected == action(desk.submit(order(desk, "cash", BUY, coming)))
    assert "ALLOW" == action(desk.submit(order(desk, "cash", BUY, coming and "50", "B")))


@pytest.mark.control("self-trade")
@pytest.mark.parametrize(
    ("resting", "coming", "expected"), [("99", "99.01", "ALLOW"), ("99", "99", REFUSED), ("99", "98.99", REFUSED)]
)
def test_a_sell_does_not_reach_our_own_buy(desk: Desk, resting: str, coming: str, expected: str) -> None:
    """Pins the other side."""
    desk.submit(order(desk, "cash", BUY, resting))
    assert expected == action(desk.submit(order(desk, "margin", SELL, coming)))


def test_one_side_never_crosses_itself(desk: Desk) -> None:
    """Pins that orders on the same side are no trade."""
    desk.submit(order(desk, "cash", BUY, "99"))
    assert "ALLOW" == action(desk.submit(order(desk, "margin", BUY)))


def test_the_best_of_several_is_what_counts(desk: Desk) -> None:
    """Pins that the best price is found however the orders came, and found again when it is gone."""
    orders = {price: desk.submit(order(desk, "margin", SELL, price)).order_id for price in ("104", "102", "103")}
    assert REFUSED == action(desk.submit(order(desk, "cash", BUY, "102")))
    desk.report(desk.execution(orders["102"], CANCELED))
    assert "ALLOW" == action(desk.submit(order(desk, "cash", BUY, "102")))
    decision = desk.submit(order(desk, "cash", BUY, "103.5"))
    assert f"the order would cross our own sell of A at 103, order {orders['103']}" == decision.reason


def test_an_order_that_is_filled_rests_no_longer(desk: Desk) -> None:
    """Pins partial and whole fills."""
    order_id = desk.submit(order(desk, "margin", SELL, "101")).order_id
    desk.fill(order_id, "4", "101")
    assert REFUSED == action(desk.submit(order(desk, "cash", BUY, "101")))
    desk.fill(order_id, "6", "101")
    assert "ALLOW" == action(desk.submit(order(desk, "cash", BUY, "101")))


def test_a_pending_cancel_rests_still(desk: Desk) -> None:
    """Pins that only the broker's report takes an order away."""
    resting = order(desk, "margin", SELL, "101")
    desk.submit(resting)
    desk.cancel(resting)
    assert REFUSED == action(desk.submit(order(desk, "cash", BUY, "101")))


@pytest.mark.parametrize(("report", "expected"), [(REPLACED, "ALLOW"), (REPLACE_REJECTED, REFUSED)])
def test_a_pending_replace_rests_at_the_better_of_both_prices(
    desk: Desk, report: orders_pb2.ExecutionType.ValueType, expected: str
) -> None:
    """Pins old and new until the broker says which; a replacement must not cross either."""
    resting = order(desk, "margin", SELL, "101")
    order_id = desk.submit(resting).order_id
    desk.replace(desk.replacement(resting, "10", "103"))
    assert REFUSED == action(desk.submit(order(desk, "cash", BUY, "101")))
    desk.report(desk.execution(order_id, report))
    assert expected == action(desk.submit(order(desk, "cash", BUY, "101")))


def test_a_replacement_must_not_cross_either(desk: Desk) -> None:
    """Pins that a limit is not walked into our own order."""
    desk.submit(order(desk, "margin", SELL, "101"))
    coming = order(desk, "cash", BUY, "100")
    desk.submit(coming)
    assert REFUSED == action(desk.replace(desk.replacement(coming, "10", "101")))
    assert "ALLOW" == action(desk.replace(desk.replacement(coming, "10", "100.99")))


def test_what_reduces_is_warned_and_passes(desk: Desk) -> None:
    """Pins that our own order never blocks the way out, for a long and for a short; a flip is blocked."""
    desk.hold("margin", "10", "100")
    desk.submit(order(desk, "cash", BUY, "99"))
    assert "WARN SELF_TRADE" == action(desk.submit(order(desk, "margin", SELL)))
    desk.hold("margin", "-15", "100", "B")
    desk.submit(order(desk, "margin", SELL, "51", "B"))
    assert "WARN SELF_TRADE" == action(desk.submit(order(desk, "margin", BUY, "", "B")))
    assert REFUSED == action(desk.submit(order(desk, "margin", BUY, "", "B")))


def test_only_routed_orders_meet(desk: Desk) -> None:
    """Pins that what its submitter sends itself is not known to be at the same market."""
    own = order(desk, "margin", SELL, "101")
    own.route = ""
    desk.submit(own)
    assert "ALLOW" == action(desk.submit(order(desk, "cash", BUY, "101")))
    own = order(desk, "margin", SELL, "90")
    own.route = ""
    assert "ALLOW" == action(desk.submit(own))


def test_a_stop_order_is_not_at_the_market_yet(desk: Desk) -> None:
    """Pins that it neither crosses nor is crossed."""
    desk.submit(stop(desk.order("margin", SELL, "10", "A"), "95"))
    desk.submit(stop(desk.order("margin", SELL, "10", "A"), "95", "94"))
    assert "ALLOW" == action(desk.submit(order(desk, "cash", BUY)))
    assert "ALLOW" == action(desk.submit(stop(desk.order("margin", SELL, "10", "A"), "95")))


def test_a_restart_finds_the_same_orders(desk: Desk) -> None:
    """Pins that what rests comes back from the journal."""
    desk.submit(order(desk, "margin", SELL, "101"))
    again = desk.restarted()
    assert REFUSED == action(again.submit(order(again, "cash", BUY, "101")))
    again.gate.journal.close()


def test_without_the_rule_nothing_is_kept(open_desk: OpenDesk) -> None:
    """Pins that a check that is not asked for costs no memory."""
    desk = open_desk(configuration())
    desk.bar(1, A="100")
    desk.submit(order(desk, "margin", SELL, "101"))
    assert "ALLOW" == action(desk.submit(order(desk, "cash", BUY)))
    assert not desk.book.counters.resting._reaches
    assert not desk.book.counters.messages._counts
