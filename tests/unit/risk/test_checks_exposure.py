"""Leverage and concentration: the worst case of all working orders, exactly at the limit and one unit above."""

import pytest

from tests.unit.builders import BUY, PORTFOLIO, action, configuration, instrument_scope, limit
from tests.unit.conftest import OpenDesk

# (strategy, signed quantity, filled or still working)
Before = tuple[str, str, bool]

# The limit of a half is 50,000: 500 A at 100.
LIMITS = {"LEVERAGE": "max_leverage", "CONCENTRATION": "max_concentration"}
WARNINGS = {"LEVERAGE": "warn_leverage", "CONCENTRATION": "warn_concentration"}

CASES = [
    pytest.param([], ("margin", "500"), ("margin", "501"), id="long"),
    pytest.param([], ("margin", "-500"), ("margin", "-501"), id="short"),
    pytest.param([("margin", "100", True)], ("margin", "-600"), ("margin", "-601"), id="flip to short"),
    pytest.param([("margin", "-100", True)], ("margin", "600"), ("margin", "601"), id="flip to long"),
    pytest.param([("margin", "300", False)], ("margin", "200"), ("margin", "201"), id="working orders add up"),
    pytest.param([("margin", "300", False)], ("margin", "-500"), ("margin", "-501"), id="working sides do not net"),
    pytest.param(
        [("margin", "300", True), ("margin", "-300", False)], ("margin", "200"), ("margin", "201"), id="exits"
    ),
    pytest.param([("cash", "200", True)], ("margin", "-300"), ("margin", "-301"), id="strategies do not net"),
]


@pytest.mark.control("gross-exposure", "concentration")
@pytest.mark.parametrize("reason", LIMITS)
@pytest.mark.parametrize(("before", "at_limit", "above"), CASES)
def test_an_order_exactly_at_the_limit_passes_and_one_unit_more_does_not(
    open_desk: OpenDesk, reason: str, before: list[Before], at_limit: tuple[str, str], above: tuple[str, str]
) -> None:
    """Pins the strict comparison at the worst case, for longs, shorts, flips and working orders."""
    desk = open_desk(configuration(**{LIMITS[reason]: "0.5"}))
    desk.bar(1, A="100")
    for strategy_id, quantity, filled in before:
        decision = desk.move(strategy_id, quantity)
        if filled:
            desk.fill(decision.order_id, quantity.lstrip("-"), "100")
    assert f"REJECT {reason}" == action(desk.move(*above))
    assert "ALLOW" == action(desk.move(*at_limit))


@pytest.mark.parametrize("reason", WARNINGS)
@pytest.mark.parametrize(("quantity", "expected"), [("400", "ALLOW"), ("401", "WARN")])
def test_an_order_above_the_warning_passes_with_it(
    open_desk: OpenDesk, reason: str, quantity: str, expected: str
) -> None:
    """Pins that a warning is strict as well, and accepts the order."""
    desk = open_desk(configuration(**{WARNINGS[reason]: "0.4"}))
    desk.bar(1, A="100")
    decision = desk.buy("cash", quantity)
    assert (f"WARN {reason}" if expected == "WARN" else "ALLOW") == action(decision)
    assert quantity == decision.approved_quantity


@pytest.mark.parametrize(
    ("reason", "scope"), [("LEVERAGE", PORTFOLIO), ("CONCENTRATION", instrument_scope("A"))], ids=LIMITS
)
def test_a_violation_shows_the_limit_and_the_actual_value_in_money(
    open_desk: OpenDesk, reason: str, scope: object
) -> None:
    """Pins the figures that an operator reads."""
    desk = open_desk(configuration(**{LIMITS[reason]: "0.5"}))
    desk.bar(1, A="100")
    (violation,) = desk.buy("margin", "501").violations
    assert ("50000", "50100", scope) == (violation.limit, violation.actual, violation.scope)


@pytest.mark.control("gross-exposure", "concentration")
def test_concentration_looks_at_one_instrument_and_leverage_at_all(open_desk: OpenDesk) -> None:
    """Pins which exposure each limit sums."""
    desk = open_desk(configuration(max_concentration="0.3", max_leverage="0.5"))
    desk.bar(1, A="100", B="50")
    desk.hold("cash", "300", "100", "A")
    assert "REJECT LEVERAGE" == action(desk.buy("margin", "401", "B"))
    assert "ALLOW" == action(desk.buy("margin", "400", "B"))
    assert "REJECT LEVERAGE" == action(desk.buy("margin", "1", "A"))


def test_a_multiplier_counts_in_the_exposure(open_desk: OpenDesk) -> None:
    """Pins that F at 20 with multiplier 10 is 200 a unit."""
    desk = open_desk(configuration(max_leverage="0.5"))
    desk.bar(1, F="20")
    assert "REJECT LEVERAGE" == action(desk.buy("margin", "250.5", "F"))
    assert "ALLOW" == action(desk.buy("margin", "250", "F"))


@pytest.mark.control("way-out")
@pytest.mark.parametrize("name", LIMITS.values())
def test_a_reducing_order_passes_a_breached_exposure_limit(open_desk: OpenDesk, name: str) -> None:
    """Pins that a limit never blocks the way out, and a flip is not one."""
    desk = open_desk(configuration(**{name: "0.5"}))
    desk.bar(1, A="100")
    desk.hold("margin", "-400", "100")
    desk.bar(2, A="115")
    assert desk.book.breaches == {}
    desk.bar(3, A="150")
    assert desk.book.breaches != {}
    assert "ALLOW" == action(desk.buy("margin", "399"))
    assert "REJECT" in action(desk.buy("margin", "800"))
    assert "ALLOW" == action(desk.buy("margin", "1"))


@pytest.mark.parametrize(("working", "other_side"), [("500", "-1"), ("-500", "1")])
def test_over_the_limit_the_quieter_side_may_not_add_orders_either(
    open_desk: OpenDesk, working: str, other_side: str
) -> None:
    """Pins that the worst case is the larger side, whichever the order is on."""
    desk = open_desk(configuration(max_leverage="0.5"))
    desk.bar(1, A="100")
    desk.move("margin", working)
    assert "ALLOW" == action(desk.move("margin", other_side))
    desk.bar(2, A="100.01")
    assert "REJECT LEVERAGE" == action(desk.move("margin", other_side))


@pytest.mark.control("order-counts-when-sent")
def test_a_working_order_keeps_its_exposure_until_the_broker_reports_it_done(open_desk: OpenDesk) -> None:
    """Pins that asking for a cancel frees nothing."""
    desk = open_desk(configuration(max_leverage="0.5"))
    desk.bar(1, A="100")
    working = limit(desk.order("cash", BUY, "500", "A"), "90")
    desk.submit(working)
    desk.cancel(working)
    assert "REJECT LEVERAGE" == action(desk.buy("margin", "1"))
