"""Capital: what a strategy's own money carries, and that nothing is carried at equity <= 0."""

import pytest

from tests.unit.builders import BUY, Desk, action, configuration, limit
from tests.unit.conftest import OpenDesk


@pytest.mark.control("capital-thresholds")
@pytest.mark.parametrize(("quantity", "expected"), [("500", "ALLOW"), ("501", "REJECT CAPITAL")])
def test_a_cash_strategy_buys_with_all_its_cash_and_no_more(desk: Desk, quantity: str, expected: str) -> None:
    """Pins 50,000 of cash at a price of 100."""
    assert expected == action(desk.buy("cash", quantity))


@pytest.mark.parametrize(
    ("price", "at_limit", "above"), [("125", "400", "401"), ("80", "500", "501"), ("100", "500", "501")]
)
def test_a_limit_buy_is_valued_at_the_worse_of_limit_and_mark(
    desk: Desk, price: str, at_limit: str, above: str
) -> None:
    """Pins that a limit below the mark costs the mark, and one above it the limit."""
    assert "REJECT CAPITAL" == action(desk.submit(limit(desk.order("cash", BUY, above, "A"), price)))
    assert "ALLOW" == action(desk.submit(limit(desk.order("cash", BUY, at_limit, "A"), price)))


@pytest.mark.control("capital-thresholds", "order-counts-when-sent")
def test_cash_that_a_working_buy_has_reserved_is_not_free(desk: Desk) -> None:
    """Pins that two working buys share the cash."""
    desk.buy("cash", "300")
    assert "REJECT CAPITAL" == action(desk.buy("cash", "201"))
    assert "ALLOW" == action(desk.buy("cash", "200"))


@pytest.mark.control("short-selling")
@pytest.mark.parametrize(
    ("working", "quantity", "expected"),
    [("", "10", "ALLOW"), ("", "11", "REJECT SHORT_SALE"), ("4", "6", "ALLOW"), ("4", "7", "REJECT SHORT_SALE")],
)
def test_a_cash_strategy_sells_what_it_has_and_no_more(desk: Desk, working: str, quantity: str, expected: str) -> None:
    """Pins that working sells count as sold."""
    desk.hold("cash", "10", "100")
    if working:
        desk.sell("cash", working)
    assert expected == action(desk.sell("cash", quantity))


@pytest.mark.control("short-selling")
def test_a_cash_strategy_without_a_position_sells_nothing(desk: Desk) -> None:
    """Pins that there is no short, with its figures."""
    (violation,) = desk.sell("cash", "1").violations
    assert ("SHORT_SALE", "0", "1") == (violation.reason_code, violation.limit, violation.actual)


@pytest.mark.control("capital-thresholds")
@pytest.mark.parametrize(
    ("symbol", "at_limit", "above"),
    [("A", "600", "601"), ("A", "-600", "-601"), ("F", "300", "300.5"), ("F", "-300", "-300.5")],
)
def test_a_margin_strategy_reaches_its_multiple_of_equity_exactly(
    desk: Desk, symbol: str, at_limit: str, above: str
) -> None:
    """Pins twice 30,000, long and short, with and without a multiplier."""
    assert "REJECT CAPITAL" == action(desk.move("margin", above, symbol))
    assert "ALLOW" == action(desk.move("margin", at_limit, symbol))


def test_a_margin_strategys_loss_takes_room_from_its_other_orders(desk: Desk) -> None:
    """Pins that the multiple is of equity, not of capital: 27,000 x 2 less 27,000 held leaves 540 B."""
    desk.hold("margin", "300", "100")
    desk.bar(2, A="90", B="50")
    assert "REJECT CAPITAL" == action(desk.buy("margin", "541", "B"))
    assert "ALLOW" == action(desk.buy("margin", "540", "B"))


@pytest.mark.control("capital-thresholds")
@pytest.mark.parametrize("price", ["300", "301"], ids=["equity is 0", "equity is below 0"])
@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, "REJECT CAPITAL"),
        ({"max_leverage": "2"}, "REJECT LEVERAGE"),
        ({"max_concentration": "1"}, "REJECT CONCENTRATION"),
        ({"max_drawdown": "1"}, "REJECT DRAWDOWN"),
        ({"halt_drawdown": "1"}, "HALT TRADING_HALTED"),
    ],
    ids=str,
)
def test_nothing_adds_risk_at_equity_of_zero_or_less(
    open_desk: OpenDesk, limits: dict[str, str], expected: str, price: str
) -> None:
    """Pins that each limit alone fails closed, and so does a portfolio without any, for a strategy with cash."""
    desk = open_desk(configuration(**limits))
    desk.bar(1, A="100", B="50")
    desk.hold("margin", "-500", "100")
    desk.bar(2, A=price, B="50")
    assert expected == action(desk.buy("cash", "1", "B"))


@pytest.mark.control("way-out")
def test_a_reducing_order_passes_at_equity_below_zero(desk: Desk) -> None:
    """Pins the way out for the whole position, and for no more."""
    desk.hold("margin", "-500", "100")
    desk.bar(2, A="301")
    assert "REJECT CAPITAL" == action(desk.buy("margin", "501"))
    assert "ALLOW" == action(desk.buy("margin", "500"))


def test_a_strategy_whose_own_equity_is_gone_adds_no_risk(desk: Desk) -> None:
    """Pins that the portfolio's equity does not lend itself to a strategy."""
    desk.hold("margin", "-500", "100")
    desk.bar(2, A="160", B="50")
    assert "REJECT CAPITAL" == action(desk.buy("margin", "1", "B"))
    assert "ALLOW" == action(desk.buy("cash", "1", "B"))
