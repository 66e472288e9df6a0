"""Proxies: whose returns stand for those of an instrument that has too few."""

import pytest

from tests.unit.builders import Desk, action, configuration
from tests.unit.conftest import OpenDesk
from tests.unit.risk.test_instrument_changes import changed, upsert
from tests.unit.risk.test_limits import limit, states
from tests.unit.risk.test_scenario_limits import ZIGZAG

UNDEFINED = "REJECT RISK_UNDEFINED"


def priced(open_desk: OpenDesk, proxy: str = "A", scale: str = "", sessions: int = 61) -> Desk:
    """Open a desk on which A has so many sessions; B is new, and A stands for it."""
    configured = configuration()
    configured.instruments[1].proxy, configured.instruments[1].proxy_scale = proxy, scale
    configured.strategies[1].max_leverage = "6"
    configured.further_limits.append(limit("VALUE_AT_RISK", limit="0.01"))
    desk = open_desk(configured)
    for day in range(1, sessions + 1):
        desk.bar(day, A=ZIGZAG[day % 2])
    desk.bar(sessions + 1, A="100", B="100")
    return desk


@pytest.mark.control("var")
@pytest.mark.parametrize(
    ("scale", "at_limit", "above"), [("", "1000", "1001"), ("2", "500", "501"), ("-1", "-1000", "-1001")]
)
def test_an_instrument_without_history_has_its_proxys_returns_times_a_scale(
    open_desk: OpenDesk, scale: str, at_limit: str, above: str
) -> None:
    """Pins 1% of 100,000 as for the proxy itself, twice as much, and the other way round."""
    desk = priced(open_desk, scale=scale)
    assert "REJECT VALUE_AT_RISK" == action(desk.move("margin", above, "B"))
    assert "ALLOW" == action(desk.move("margin", at_limit, "B"))


@pytest.mark.parametrize(
    ("proxy", "sessions", "expected"),
    [("A", 60, UNDEFINED), ("A", 61, "ALLOW"), ("", 61, UNDEFINED), ("F", 61, UNDEFINED)],
)
def test_without_enough_of_either_the_figure_is_undefined(
    open_desk: OpenDesk, proxy: str, sessions: int, expected: str
) -> None:
    """Pins 59 and 60 returns of the proxy, no proxy, and one without prices; the instrument itself is named."""
    decision = priced(open_desk, proxy, sessions=sessions).move("margin", "1", "B")
    assert expected == action(decision)
    assert (expected != "ALLOW") is ("B has fewer than 60 sessions" in decision.reason)


@pytest.mark.parametrize(("bars", "expected"), [(60, "10"), (61, "0")])
def test_its_own_returns_count_as_soon_as_there_are_enough(open_desk: OpenDesk, bars: int, expected: str) -> None:
    """Pins that the whole window changes sides with the sixtieth return: B never moves."""
    desk = priced(open_desk)
    desk.hold("margin", "10", "100", "B")
    for day in range(63, 62 + bars):
        desk.bar(day, A=ZIGZAG[day % 2], B="100")
    desk.bar(62 + bars, A="100", B="100")
    assert expected == states(desk)[0].actual


def test_a_person_can_name_a_proxy_while_trading_goes_on(open_desk: OpenDesk) -> None:
    """Pins that it counts from the next order on, for what is held as well, and after a restart."""
    desk = priced(open_desk, "")
    assert "REJECT RISK_UNDEFINED" == action(desk.move("margin", "1", "B"))
    assert "" == upsert(desk, changed("B", proxy="A"))
    desk.hold("margin", "500", "100", "B")
    assert "500" == states(desk)[0].actual
    desk = desk.restarted()
    assert "" == upsert(desk, changed("B", proxy="A", proxy_scale="3"))
    assert ("1500", "VALUE_AT_RISK") == (states(desk)[0].actual, next(reason for reason, _ in desk.book.breaches))
