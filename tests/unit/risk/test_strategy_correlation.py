"""Strategy correlation: a gate on state, found once a session, for both strategies of a pair and for what adds risk."""

import random
from decimal import Decimal

import numpy as np
import pytest

from tests.unit.builders import BUY, PORTFOLIO, Desk, action, configuration, strategy_scope
from tests.unit.conftest import OpenDesk
from tests.unit.risk.test_lifecycle import remove
from tests.unit.risk.test_limits import HALT, REDUCE, WARN, limit, states, update
from tidegate.explanation import Wanted, explain
from tidegate.reasons import Reason
from tidegate.risk.checks.strategy_correlation import StrategyCorrelation
from tidegate.risk.pair_correlations import pair_correlations
from tidegate.statistics.dependence import correlations
from tidegate.v1 import admin_pb2, portfolio_pb2, risk_pb2

NOISE = 0.5


def lived(
    open_desk: OpenDesk, sessions: int, *limits: risk_pb2.Limit, noise: float = NOISE, strategies: int = 2
) -> Desk:
    """Open a desk of which cash holds A and margin B, whose closes move alike but for a noise; all is seeded."""
    configured = configuration()
    if strategies > 2:
        configured.strategies.add(strategy_id="idle", kind="cash", capital="10000", max_leverage="1")
    desk = open_desk(configured)
    desk.bar(1, A="100", B="100")
    desk.hold("cash", "100", "100", "A")
    desk.hold("margin", "100", "100", "B")
    if limits:
        assert "" == update(desk, *limits)
    walk(desk, 2, sessions, noise)
    return desk


def walk(desk: Desk, day: int, sessions: int, noise: float) -> None:
    """Let days pass; each one's bar ends the session before it."""
    dice = random.Random(day)  # noqa: S311 -- seeded
    for at in range(day, day + sessions):
        shared = dice.gauss(0, 1)
        own = dice.gauss(0, noise)
        desk.bar(at, A=f"{100 + shared:.2f}", B=f"{100 + shared + own:.2f}")


def shown(desk: Desk) -> portfolio_pb2.GetCorrelationsResponse:
    """Ask for the correlations."""
    return desk.ask("GetCorrelations", portfolio_pb2.GetCorrelationsRequest(), portfolio_pb2.GetCorrelationsResponse)


def correlation(desk: Desk) -> Decimal:
    """Ask for the correlation of cash and margin."""
    return Decimal(shown(desk).correlations[0].correlation)


def held_to(desk: Desk, bound: Decimal, **fields: object) -> None:
    """Set the limit."""
    assert "" == update(desk, limit("STRATEGY_CORRELATION", limit=f"{bound:f}", **fields))  # type: ignore[arg-type]


@pytest.mark.control("strategy-correlation")
def test_while_a_pair_is_over_its_limit_neither_of_the_two_adds_risk(open_desk: OpenDesk) -> None:
    """Pins both strategies, exactly at the limit and a digit above, the way out, and the event that names both."""
    desk = lived(open_desk, 62)
    held_to(desk, correlation(desk))
    assert ["ALLOW", "ALLOW"] == [action(desk.buy("cash", "1")), action(desk.buy("margin", "1", "B"))]
    held_to(desk, correlation(desk) - Decimal("0.00000001"))
    refused = [desk.buy("cash", "1"), desk.buy("margin", "1", "B")]
    assert ["REJECT STRATEGY_CORRELATION"] * 2 == [action(one) for one in refused]
    assert "correlation of strategies cash and margin is" in refused[0].reason
    assert (str(correlation(desk)), "") == (refused[0].violations[0].actual, refused[0].order_id)
    assert "ALLOW" == action(desk.sell("cash", "1"))
    (breached,) = desk.events("correlation_breached")
    body = breached.correlation_breached
    assert ("cash", "margin", breached.sequence - 1) == (
        body.strategy_id,
        body.other_strategy_id,
        body.cause_sequence,
    )
    alert = desk.alerts()[0]
    assert ("STRATEGY_CORRELATION", PORTFOLIO, refused[0].reason) == (alert.reason_code, alert.scope, alert.text)
    metrics = desk.ask("GetRiskMetrics", risk_pb2.GetRiskMetricsRequest(), risk_pb2.GetRiskMetricsResponse)
    assert ["STRATEGY_CORRELATION"] == [violation.reason_code for violation in metrics.breaches]


def test_a_pair_is_looked_at_when_a_session_ends_and_is_let_go_when_it_has_parted(open_desk: OpenDesk) -> None:
    """Pins that prices within a session change nothing, that a breach is told once, and the restored event."""
    desk = lived(open_desk, 60, limit("STRATEGY_CORRELATION", limit="0.8", on_undefined=WARN), noise=0.1)
    assert [] == desk.events("correlation_breached")
    desk.price(61.5, A="100", B="99")
    assert [] == desk.events("correlation_breached")
    desk.bar(62, A="100", B="100")
    desk.price(62.5, A="110", B="90")
    (breached,) = desk.events("correlation_breached")
    assert "bar_published" == desk.events()[breached.correlation_breached.cause_sequence - 1].WhichOneof("body")
    assert "REJECT STRATEGY_CORRELATION" == action(desk.buy("cash", "1"))
    walk(desk, 64, 120, 20.0)
    (restored,) = desk.events("correlation_restored")
    assert ("cash", "margin") == (
        restored.correlation_restored.strategy_id,
        restored.correlation_restored.other_strategy_id,
    )
    assert Decimal(restored.correlation_restored.correlation) <= Decimal("0.8")
    assert "ALLOW" == action(desk.buy("cash", "1"))


@pytest.mark.parametrize(("sessions", "expected"), [(60, "REJECT RISK_UNDEFINED"), (61, "ALLOW")])
def test_with_fewer_than_60_sessions_on_undefined_decides(open_desk: OpenDesk, sessions: int, expected: str) -> None:
    """Pins 59 and 60 returns: the mark of the second day ends the first session, and two make a return."""
    desk = lived(open_desk, sessions, limit("STRATEGY_CORRELATION", limit="1"))
    assert sessions - 1 == shown(desk).correlations[0].observations
    assert expected == action(desk.buy("cash", "1"))


def test_only_the_strategy_that_has_not_moved_is_undefined(open_desk: OpenDesk) -> None:
    """Pins that one that does nothing holds nobody else back, and that on_undefined may be a warning."""
    desk = lived(open_desk, 62, limit("STRATEGY_CORRELATION", limit="1", on_undefined=WARN), strategies=3)
    assert "ALLOW" == action(desk.buy("cash", "1"))
    warned = desk.buy("idle", "1")
    assert "WARN RISK_UNDEFINED" == action(warned)
    assert "idle has made the same in every session" in warned.reason
    assert ["", ""] == [one.correlation for one in shown(desk).correlations if "idle" in one.other_strategy_id]


def test_a_strategy_of_which_no_session_has_ended_yet_is_undefined(open_desk: OpenDesk) -> None:
    """Pins one that came after the newest session's end: nobody knows anything of it, so it is not let through."""
    desk = lived(open_desk, 62, limit("STRATEGY_CORRELATION", limit="1"))
    del desk.book.strategy_returns.returns["margin"]
    assert "REJECT RISK_UNDEFINED" == action(desk.buy("margin", "1", "B"))


def test_before_the_first_session_every_strategy_is_undefined_and_a_single_one_has_nobody_to_be_like(
    open_desk: OpenDesk,
) -> None:
    """Pins the first morning."""
    configured = configuration()
    configured.further_limits.append(limit("STRATEGY_CORRELATION", limit="0.8"))
    desk = open_desk(configured)
    desk.bar(1, A="100")
    assert "REJECT RISK_UNDEFINED" == action(desk.buy("cash", "1"))
    desk.gate.journal.close()
    desk.path.unlink()
    del configured.strategies[1]
    alone = open_desk(configured)
    alone.bar(1, A="100")
    assert "ALLOW" == action(alone.buy("cash", "1"))


def test_a_limit_that_halts_halts_both_once_and_a_reset_leaves_the_gate_shut(open_desk: OpenDesk) -> None:
    """Pins the halt of each, that no session halts again, and that after the reset what adds risk is refused still."""
    desk = lived(open_desk, 62)
    held_to(desk, Decimal("0.5"), action=HALT)
    halts = [event.trading_halted for event in desk.events("trading_halted")]
    assert [("cash", Reason.STRATEGY_CORRELATION), ("margin", Reason.STRATEGY_CORRELATION)] == [
        (halt.scope.name, halt.reason_code) for halt in halts
    ]
    request = admin_pb2.ResetHaltRequest(scope=strategy_scope("cash"), operator="ann", reason="seen")
    assert desk.ask("ResetHalt", request, admin_pb2.ResetHaltResponse).changed
    walk(desk, 64, 2, NOISE)
    assert 2 == len(desk.events("trading_halted"))
    assert "REJECT STRATEGY_CORRELATION" == action(desk.buy("cash", "1"))


def test_the_warning_comes_first_and_the_limit_is_told_as_another_breach(open_desk: OpenDesk) -> None:
    """Pins warn and limit of one entry, and the event when the worse of the two is crossed."""
    desk = lived(open_desk, 62)
    at = correlation(desk)
    held_to(desk, at, warn=f"{at - Decimal('0.01'):f}")
    assert "WARN STRATEGY_CORRELATION" == action(desk.buy("cash", "1"))
    held_to(desk, at - Decimal("0.001"), warn=f"{at - Decimal('0.01'):f}")
    assert "REJECT STRATEGY_CORRELATION" == action(desk.buy("cash", "1"))
    assert 2 == len(desk.events("correlation_breached"))
    assert "" == update(desk, limit("STRATEGY_CORRELATION"))
    assert 1 == len(desk.events("correlation_restored"))
    assert "ALLOW" == action(desk.buy("cash", "1"))


@pytest.mark.parametrize(
    "wrong",
    [
        limit("STRATEGY_CORRELATION", limit="1.01"),
        limit("STRATEGY_CORRELATION", limit="0.8", action=REDUCE),
        limit("STRATEGY_CORRELATION", strategy_scope("cash"), limit="0.8"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(open_desk: OpenDesk, wrong: risk_pb2.Limit) -> None:
    """Pins that a correlation is at most 1, that no smaller order lowers it, and that it is the portfolio's."""
    assert "LIMIT_INVALID" == update(open_desk(configuration()), wrong)


def test_capital_that_is_moved_is_nothing_that_a_strategy_made(open_desk: OpenDesk) -> None:
    """Pins the return of a session with a transfer in it, and that a loss beyond all equity ends the series."""
    desk = lived(open_desk, 3)
    request = admin_pb2.TransferCapitalRequest(
        transfer_id="t1", from_strategy_id="cash", amount="10000", operator="ann", reason="test"
    )
    desk.ask("TransferCapital", request, admin_pb2.TransferCapitalResponse)
    before = desk.book.strategies["cash"].ledger.equity + 10_000
    close = desk.book.marks["A"]
    desk.price(4.5, A=f"{close + 1:f}")
    desk.bar(5, A="100")
    # The session of the fourth day began at the third day's close.
    made = desk.book.strategy_returns.returns["cash"][-1]
    third = before - (close - desk_close(desk, 3)) * 100
    assert float((before + 100) / third) - 1 == pytest.approx(made)


def desk_close(desk: Desk, day: int) -> Decimal:
    """Return the close of A of a day's bar."""
    bar = desk.events("bar_published")[day - 1].bar_published
    return next(Decimal(entry.close) for entry in bar.bars if entry.symbol == "A")


def test_gates_come_back_with_the_journal_and_an_explanation_recomputes_the_decision(open_desk: OpenDesk) -> None:
    """Pins replay, and that ``tidegate explain`` shows the pair with its figures."""
    desk = lived(open_desk, 62)
    held_to(desk, Decimal("0.5"))
    order = desk.order("cash", BUY, "1", "A")
    desk.submit(order)
    found = explain(desk.gate.journal.read(0), Wanted("", "cash", order.client_order_id))
    assert [] == found.differences
    (result,) = [one for one in found.checks if one.name == "strategy correlation"]
    assert result.violation is not None
    ((name, actual, bound),) = result.figures
    assert "correlation with margin, found by event " in name
    assert (str(correlation(desk)), "0.5") == (actual, bound)
    (state,) = states(desk)
    assert (str(correlation(desk)), "0.5") == (state.actual, state.bound)
    before = desk.state()
    back = desk.restarted()
    assert before == back.state()
    assert "REJECT STRATEGY_CORRELATION" == action(back.buy("margin", "1", "B"))
    passing = lived_explained(back)
    assert "highest correlation, with " in passing


def lived_explained(desk: Desk) -> str:
    """Lift the limit to 1, and return the name of the figure that an order then shows."""
    held_to(desk, Decimal(1))
    decision = desk.buy("cash", "1")
    found = explain(desk.gate.journal.read(0), Wanted(decision.order_id))
    return next(one.figures[0].name for one in found.checks if one.name == "strategy correlation")


def test_the_figures_are_those_of_the_statistics_also_for_series_of_different_length() -> None:
    """Pins Pearson's correlation against the statistics' and numpy's own, over the sessions of both."""
    dice = np.random.default_rng(7)
    shared = dice.normal(size=200)
    series = {
        "a": shared + dice.normal(size=200),
        "b": shared + dice.normal(size=200),
        "c": (shared + dice.normal(size=200))[-80:],
        "still": np.full(200, 0.25),
        "short": shared[-59:],
    }
    found = pair_correlations({name: one.tolist() for name, one in series.items()})
    whole = correlations({name: series[name] for name in ("a", "b")})
    assert whole["a", "b"] == pytest.approx(float(found["a", "b"] or 0))
    tail = float(np.corrcoef(series["a"][-80:], series["c"])[0, 1])
    assert tail == pytest.approx(float(found["a", "c"] or 0))
    undefined = {pair for pair, one in found.items() if one is None}
    assert {pair for pair in found if "still" in pair or "short" in pair} == undefined


def test_without_a_limit_no_order_and_no_session_looks_at_a_correlation(open_desk: OpenDesk) -> None:
    """Pins that what is not configured is not built, and that nothing is worked out before somebody asks."""
    desk = lived(open_desk, 62)
    assert not any(isinstance(check, StrategyCorrelation) for check in desk.gate.engine._checks.for_all)
    assert desk.book.strategy_returns._found is None
    shown(desk)
    assert desk.book.strategy_returns._found is not None


def test_a_removed_strategy_holds_its_partner_back_no_longer(open_desk: OpenDesk) -> None:
    """Pins that the breach of a pair ends with the removal of one of them, and does not begin again."""
    desk = lived(open_desk, 62)
    held_to(desk, correlation(desk) - Decimal("0.00000001"))
    assert "REJECT STRATEGY_CORRELATION" == action(desk.buy("cash", "1"))
    sale = desk.sell("margin", "100", "B")
    desk.fill(sale.order_id, "100", "100")
    desk.ask("RemoveStrategy", remove("margin"), admin_pb2.RemoveStrategyResponse)
    (restored,) = desk.events("correlation_restored")
    assert restored.correlation_restored.correlation == ""
    assert "ALLOW" == action(desk.buy("cash", "1"))
    desk.bar(64, A="101", B="101")
    desk.bar(65, A="100", B="100")
    assert 1 == len(desk.events("correlation_breached"))
    assert desk.state() == desk.restarted().state()
