"""Drawdown: warn, refuse and halt, each exactly at its threshold and one cent below."""

from decimal import Decimal

import pytest

from tests.unit.builders import Desk, action, configuration
from tests.unit.conftest import OpenDesk
from tidegate.risk.checks.drawdown import Drawdown
from tidegate.v1 import common_pb2


@pytest.fixture
def invested(open_desk: OpenDesk) -> Desk:
    """Hold 1,000 A at 100: a cent of A is 10 of 100,000."""
    desk = open_desk(configuration(warn_drawdown="0.1", max_drawdown="0.15", halt_drawdown="0.2"))
    desk.bar(1, A="100", B="50")
    desk.hold("cash", "400", "100")
    desk.hold("margin", "600", "100")
    return desk


@pytest.mark.control("drawdown")
@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ("90", "ALLOW"),
        ("89.99", "WARN DRAWDOWN"),
        ("85", "WARN DRAWDOWN"),
        ("84.99", "REJECT DRAWDOWN"),
        ("80", "REJECT DRAWDOWN"),
        ("79.99", "HALT TRADING_HALTED"),
    ],
)
def test_equity_exactly_at_a_threshold_passes_it(invested: Desk, price: str, expected: str) -> None:
    """Pins the three thresholds to the cent."""
    invested.bar(2, A=price, B="50")
    assert expected == action(invested.buy("cash", "1", "B"))


def test_the_violation_shows_the_lowest_equity_that_passes(invested: Desk) -> None:
    """Pins limit and actual in money."""
    invested.bar(2, A="84.99", B="50")
    (violation,) = invested.buy("cash", "1", "B").violations
    assert ("85000", "84990") == (violation.limit, violation.actual)


def test_drawdown_counts_from_the_highest_equity_so_far(invested: Desk) -> None:
    """Pins that a gain moves the threshold up with it."""
    invested.bar(2, A="110", B="50")
    invested.bar(3, A="99", B="50")
    assert "ALLOW" == action(invested.buy("cash", "1", "B"))
    invested.bar(4, A="98.99", B="50")
    assert "WARN DRAWDOWN" == action(invested.buy("cash", "1", "B"))


@pytest.mark.control("drawdown", "way-out")
@pytest.mark.parametrize(("price", "expected"), [("84.99", "ALLOW"), ("79.99", "HALT TRADING_HALTED")])
def test_a_reducing_order_passes_a_drawdown_limit_but_not_a_halt(invested: Desk, price: str, expected: str) -> None:
    """Pins the way out, and that a halt closes it."""
    invested.bar(2, A=price)
    assert expected == action(invested.sell("cash", "400"))


@pytest.mark.parametrize("equity", ["0", "-0.01"])
@pytest.mark.parametrize(("name", "expected"), [("warn", "WARN"), ("reject", "REJECT"), ("halt", "HALT")])
def test_at_equity_of_zero_or_less_every_threshold_is_crossed(name: str, expected: str, equity: str) -> None:
    """Pins that even a threshold of 100% fails closed."""
    thresholds: dict[str, Decimal | None] = {"warn": None, "reject": None, "halt": None, name: Decimal(1)}
    found = Drawdown(**thresholds).assess(Decimal(equity), Decimal(100))
    assert found is not None
    assert f"ACTION_{expected}" == common_pb2.Action.Name(found.action)
