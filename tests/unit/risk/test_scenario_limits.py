"""Value at risk, expected shortfall, volatility: exactly at the limit and a share above, undefined, never adrift."""

import random
from collections.abc import Sequence
from decimal import Decimal
from statistics import stdev

import numpy as np
import pytest

from tests.unit.builders import BUY, SELL, Desk, action, configuration
from tests.unit.builders import limit as limit_order
from tests.unit.conftest import OpenDesk
from tests.unit.risk.test_limits import HALT, WARN, limit, states, update
from tidegate.risk.scenarios import Scenarios, expected_shortfall, value_at_risk, volatility
from tidegate.v1 import risk_pb2

# A falls by 1% and comes back, again and again; 61 closes are 60 returns.
ZIGZAG = ("100", "99")


def priced(open_desk: OpenDesk, sessions: int, *limits: risk_pb2.Limit, closes: Sequence[str] = ZIGZAG) -> Desk:
    """Open a desk whose A and F have so many closed sessions; the session that goes on is at the first close again."""
    configured = configuration()
    configured.strategies[1].max_leverage = "6"
    configured.further_limits.extend(limits)
    desk = open_desk(configured)
    for day in range(1, sessions + 1):
        close = closes[day % len(closes)]
        desk.bar(day, A=close, F=close)
    desk.bar(sessions + 1, A=closes[0], F=closes[0], B="100")
    return desk


@pytest.mark.control("var")
@pytest.mark.parametrize(
    ("symbol", "at_limit", "above"),
    [("A", "1000", "1001"), ("F", "100", "100.5"), ("A", "-989", "-1000")],
)
def test_value_at_risk_passes_exactly_at_its_limit(open_desk: OpenDesk, symbol: str, at_limit: str, above: str) -> None:
    """Pins 1% of 100,000 held long: every other session loses 1,000.00; held short, the way back up loses 1/99."""
    desk = priced(open_desk, 61, limit("VALUE_AT_RISK", limit="0.01"))
    assert "REJECT VALUE_AT_RISK" == action(desk.move("margin", above, symbol))
    assert "ALLOW" == action(desk.move("margin", at_limit, symbol))


@pytest.mark.parametrize("figure", ["EXPECTED_SHORTFALL", "VOLATILITY"])
@pytest.mark.parametrize("quantity", ["1000", "-1000"])
def test_the_other_figures_pass_exactly_at_their_limits(open_desk: OpenDesk, figure: str, quantity: str) -> None:
    """Pins the figure that a refusal names: a limit of just that passes, long and short, one a digit below does not."""
    desk = priced(open_desk, 61, limit(figure, limit="0.00000001"))
    exactly = Decimal(desk.move("margin", quantity).violations[0].actual) / 100_000
    assert "" == update(desk, limit(figure, limit=f"{exactly - Decimal('0.00000001'):f}"))
    assert f"REJECT {figure}" == action(desk.move("margin", quantity))
    assert "" == update(desk, limit(figure, limit=f"{exactly:f}"))
    assert "ALLOW" == action(desk.move("margin", quantity))


def test_working_orders_count_at_their_worst_and_positions_of_strategies_cancel_out(open_desk: OpenDesk) -> None:
    """Pins that a working sell hedges nothing, and that what is held long and short does."""
    desk = priced(open_desk, 61, limit("VALUE_AT_RISK", limit="0.01"))
    desk.hold("cash", "500", "100")
    working = desk.move("margin", "-500")
    assert "REJECT VALUE_AT_RISK" == action(desk.move("margin", "501"))
    desk.fill(working.order_id, "500", "100")
    assert "ALLOW" == action(desk.move("margin", "1000"))


@pytest.mark.control("var")
@pytest.mark.parametrize(("sessions", "expected"), [(60, "REJECT RISK_UNDEFINED"), (61, "ALLOW")])
def test_with_fewer_than_60_returns_the_figure_is_undefined_and_refuses(
    open_desk: OpenDesk, sessions: int, expected: str
) -> None:
    """Pins 59 and 60 observations."""
    desk = priced(open_desk, sessions, limit("VALUE_AT_RISK", limit="0.5"))
    assert expected == action(desk.buy("cash", "1"))


def test_on_undefined_may_be_a_warning_and_one_held_instrument_without_history_is_enough(open_desk: OpenDesk) -> None:
    """Pins the choice, and that B, which is held and has no history, makes the whole portfolio's figure undefined."""
    desk = priced(open_desk, 61, limit("VOLATILITY", limit="0.5", on_undefined=WARN))
    assert "WARN RISK_UNDEFINED" == action(desk.buy("cash", "1", "B"))
    warned = desk.buy("cash", "1")
    assert ("WARN RISK_UNDEFINED", "") == (action(warned), states(desk)[0].actual)
    assert "B has fewer than 60 sessions" in warned.reason


def test_a_reducing_order_passes_and_a_price_that_raises_the_figure_is_a_breach(open_desk: OpenDesk) -> None:
    """Pins the way out, and the breach with its cause when the mark moves; GetLimits shows the same figures."""
    desk = priced(open_desk, 61, limit("VALUE_AT_RISK", limit="0.01"))
    desk.hold("margin", "-980", "100")
    desk.price(62.5, A="102")
    (breached,) = desk.events("limit_breached")
    assert "VALUE_AT_RISK" == breached.limit_breached.violation.reason_code
    assert ("1009.70", "980.4") == (f"{float(states(desk)[0].actual):.2f}", states(desk)[0].bound)
    assert "REJECT VALUE_AT_RISK" == action(desk.move("margin", "-1"))
    assert "ALLOW" == action(desk.move("margin", "980"))


def test_a_limit_that_halts_refuses_the_order_and_halts_when_it_has_happened(open_desk: OpenDesk) -> None:
    """Pins that only what has happened halts."""
    desk = priced(open_desk, 61, limit("EXPECTED_SHORTFALL", limit="0.01", action=HALT))
    assert "REJECT EXPECTED_SHORTFALL" == action(desk.move("margin", "1001"))
    at_limit = desk.move("margin", "1000")
    desk.fill(at_limit.order_id, "999", "100")
    assert [] == desk.events("trading_halted")
    desk.fill(at_limit.order_id, "1", "100", fee="0.01")
    assert 1 == len(desk.events("trading_halted"))


@pytest.mark.control("var")
def test_the_figures_are_those_of_the_textbook() -> None:
    """Pins the quantile with linear interpolation, the tail's mean, and a year's volatility, against numpy."""
    profits = np.array(random.Random(7).choices(range(-500, 500), k=97), dtype=float)  # noqa: S311 -- seeded
    for confidence in (0.9, 0.95, 0.99):
        expected = -float(np.quantile(profits, 1 - confidence))
        assert expected == pytest.approx(value_at_risk(profits, confidence))
        tail = [-profit for profit in profits if profit <= -expected]
        assert max(expected, sum(tail) / len(tail)) == pytest.approx(expected_shortfall(profits, confidence))
    assert stdev(profits) * 252**0.5 == pytest.approx(volatility(profits))
    assert 0.0 == value_at_risk(np.full(60, 5.0), 0.95)


@pytest.mark.parametrize("seed", range(5))
def test_sums_kept_up_to_date_are_those_worked_out_anew_to_the_last_bit(open_desk: OpenDesk, seed: int) -> None:
    """Pins that nothing drifts: random orders, fills, cancels, prices and new sessions, with a restart at the end."""
    dice = random.Random(seed)  # noqa: S311 -- seeded
    closes = [f"{100 * dice.uniform(0.97, 1.03):.2f}" for _ in range(62)]
    desk = priced(open_desk, 62, limit("VALUE_AT_RISK", limit="0.9"), closes=closes)
    working: list[str] = []
    for step in range(60):
        symbol = dice.choice(["A", "F"])
        match dice.randrange(4):
            case 0 | 1:
                order = desk.order("margin", dice.choice([BUY, SELL]), str(dice.randrange(1, 30)), symbol)
                decision = desk.submit(limit_order(order, f"{dice.uniform(90, 110):.2f}"))
                working += [decision.order_id] if decision.order_id else []
            case 2 if working:
                desk.fill(working.pop(dice.randrange(len(working))), "1", f"{dice.uniform(90, 110):.2f}")
            case _:
                desk.bar(63.5 + step / 7, **{symbol: f"{dice.uniform(90, 110):.2f}"})
        kept = desk.book.scenarios_needed().profits()
        anew = Scenarios(desk.book, desk.book.history).profits()
        assert kept.tobytes() == anew.tobytes()
    assert kept.tobytes() == desk.restarted().book.scenarios_needed().profits().tobytes()


def test_sessions_without_a_mark_are_no_observations(open_desk: OpenDesk) -> None:
    """Pins that what is held and has no prices any more is undefined again, once too few of its returns are left."""
    desk = priced(open_desk, 61, limit("VALUE_AT_RISK", limit="0.9"))
    desk.hold("cash", "1", "100", "A")
    for day in range(63, 256):
        desk.bar(day, B="100")
    assert "ALLOW" == action(desk.buy("cash", "1", "B"))
    desk.bar(256, B="100")
    assert "REJECT RISK_UNDEFINED" == action(desk.buy("cash", "1", "B"))
