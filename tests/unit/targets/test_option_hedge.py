"""The option hedge: puts by delta for what is above the threshold, or less of the underlying."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.targets.contexts import INSTRUMENTS, context, instrument, judged, position, wants
from tidegate.black_scholes import delta
from tidegate.ledger import Position
from tidegate.targets.context import RiskContext
from tidegate.targets.option_hedge import OptionHedge
from tidegate.targets.target import PortfolioTarget

TERMS: dict[str, Any] = {"symbol": "P", "strike": "100", "expiry": "2022-07-03", "volatility": "0.3"}
WITH_PUT = INSTRUMENTS | {"P": instrument("P", "", multiplier="10")}
DELTA = delta("put", spot=100.0, strike=100.0, years=181 / 365, volatility=0.3, rate=0.02)


def hedge(**terms: Any) -> OptionHedge:
    """Protect A above 2,000 of 10,000."""
    return OptionHedge({"A": TERMS | terms}, threshold="0.20")


def seen(
    equity: str = "10000", *, put: str | None = "5", time: datetime | None = None, **held: Position
) -> RiskContext:
    """Show A at 100 and the put at a price, or without one."""
    closes = {"A": "100"} if put is None else {"A": "100", "P": put}
    at = time or datetime(2022, 1, 3, tzinfo=UTC)
    return context(equity, instruments=WITH_PUT, closes=closes, time=at, held=held)


@pytest.mark.parametrize(("wanted", "contracts"), [("19", None), ("20", None), ("21", "1"), ("24", "1"), ("25", "2")])
def test_puts_protect_what_is_above_the_threshold(wanted: str, contracts: str | None) -> None:
    """A put over ten protects ten times its delta of 0.439: 4.39 of A; below, at and above what is free."""
    assert 0.439 < -DELTA < 0.440
    assert ({} if contracts is None else {"P": contracts}) == judged(hedge(), seen(), A=wanted)


def test_what_is_held_and_works_is_protected_where_nothing_is_wanted_of_it() -> None:
    """Thirty in all: ten too many, two and a bit puts."""
    assert {"P": "3"} == judged(hedge(), seen(A=position("10", "100", "100", buys="20")))


def test_what_the_puts_leave_unprotected_is_within_the_threshold() -> None:
    """And one put less would not do."""
    for wanted in range(21, 200, 7):
        contracts = int(judged(hedge(), seen(), A=str(wanted))["P"])
        left = [wanted * 100 + held * 10 * DELTA * 100 for held in (contracts, contracts - 1)]
        assert left[0] <= 2_000 < left[1]


def test_puts_that_are_there_already_are_not_mentioned() -> None:
    """Only what changes is returned."""
    assert {} == judged(hedge(), seen(P=position("1", "5", "5")), A="24")
    assert {} == judged(hedge(), seen(P=position("0", "5", "5", buys="1")), A="24")


def test_puts_that_are_no_longer_needed_are_sold() -> None:
    """Some of them, or all."""
    assert {"P": "1"} == judged(hedge(), seen(P=position("3", "5", "5")), A="24")
    assert {"P": "0"} == judged(hedge(), seen(P=position("3", "5", "5")), A="10")


def test_the_strategys_own_target_of_a_put_does_not_count() -> None:
    """The puts are the model's."""
    assert {"P": "1"} == judged(hedge(), seen(), A="24", P="7")
    assert {} == judged(hedge(), seen(), A="24", P="1")


def test_what_is_short_is_not_protected() -> None:
    """A put would add to it."""
    assert {} == judged(hedge(), seen(), A="-500")


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (datetime(2022, 7, 2, 23, tzinfo=UTC), {"P": "3"}),
        (datetime(2022, 7, 3, tzinfo=UTC), {"A": "20"}),
        (datetime(2022, 8, 3, tzinfo=UTC), {"A": "20"}),
    ],
)
def test_an_expired_put_protects_nothing_and_the_underlying_is_cut(time: datetime, expected: dict[str, str]) -> None:
    """On its last day there is nothing to hedge with: the day before, the day, a month later."""
    assert expected == judged(hedge(), seen(time=time), A="30")


def test_a_put_without_a_price_or_almost_without_delta_does_not_help() -> None:
    """It cannot be bought, or would be bought without end."""
    assert {"A": "20"} == judged(hedge(), seen(put=None), A="30")
    assert {"A": "20"} == judged(hedge(strike="10"), seen(), A="30")


def test_a_put_that_another_model_has_liquidated_does_not_help() -> None:
    """On this bar, or on an earlier one."""
    out = [*wants(A="30"), PortfolioTarget.liquidation("P", "stopped")]
    assert [("A", Decimal(20))] == [(t.symbol, t.quantity) for t in hedge().manage_risk(seen(), out)]
    closes = {"A": "100", "P": "5"}
    suppressed = context(instruments=WITH_PUT, closes=closes, suppressed=["P"])
    assert {"A": "20"} == judged(hedge(), suppressed, A="30")


def test_without_equity_everything_is_above_the_threshold() -> None:
    """The whole long position is protected."""
    assert {"P": "3"} == judged(hedge(), seen("-5"), A="10")


def test_a_hedge_by_what_nobody_configured_is_refused_at_the_start() -> None:
    """And when the put goes."""
    with pytest.raises(ValueError, match="names P, which cannot be traded"):
        hedge().on_instruments_changed(["A", "B"], [])
    model = hedge()
    model.on_instruments_changed(["A", "P"], [])
    with pytest.raises(ValueError, match="names A, which"):
        model.on_instruments_changed([], ["A"])


@pytest.mark.parametrize("terms", [{"strike": "0"}, {"volatility": "-1"}, {"expiry": "soon"}])
def test_terms_that_no_put_has_are_refused(terms: dict[str, str]) -> None:
    """Before anything starts."""
    with pytest.raises(ValueError, match=r"strike|volatility|isoformat"):
        hedge(**terms)
