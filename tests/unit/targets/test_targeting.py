"""Targets on their way: for one bar, suppressed after a liquidation, and when they count again."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.targets.contexts import context, position
from tidegate.ledger import Position
from tidegate.orders import BUY
from tidegate.targets.maximum_drawdown_per_security import MaximumDrawdownPerSecurity
from tidegate.targets.maximum_drawdown_portfolio import MaximumDrawdownPortfolio
from tidegate.targets.maximum_sector_exposure import MaximumSectorExposure
from tidegate.targets.model import RiskModel
from tidegate.targets.target import PortfolioTarget
from tidegate.targets.targeting import Targeting

CLOSES = {"A": "80", "B": "100", "C": "100"}
FALLEN = position("10", "100", "80")


def moves(
    of: Targeting, *, equity: str = "10000", wanted: dict[str, str] | None = None, **held: Position
) -> list[object]:
    """Decide a bar; return symbol, quantity and which side is canceled."""
    for symbol, quantity in (wanted or {}).items():
        of.want(PortfolioTarget(symbol, Decimal(quantity)))
    return [(m.symbol, int(m.quantity), m.cancel) for m in of.decide(context(equity, closes=CLOSES, held=held))]


def stopped(*more: RiskModel) -> Targeting:
    """Have A liquidated: it is held, and has lost a fifth."""
    targeting = Targeting([MaximumDrawdownPerSecurity("0.05"), *more])
    assert [("A", -10, 0)] == moves(targeting, wanted={"A": "30"}, A=FALLEN)
    return targeting


def test_without_models_targets_become_orders() -> None:
    """What reduces first, then the largest."""
    held = position("5", "100", "100")
    expected = [("C", -5, 0), ("B", 7, 0), ("A", 1, 0)]
    assert expected == moves(Targeting(), wanted={"A": "1", "B": "7", "C": "0"}, C=held)


def test_a_target_counts_for_one_bar() -> None:
    """What its order could not get is not tried again by itself, whatever prices have become."""
    targeting = Targeting()
    assert [("B", 7, 0)] == moves(targeting, wanted={"B": "7"})
    assert [] == moves(targeting)
    assert [("B", 7, 0)] == moves(targeting, wanted={"B": "7"})


def test_a_target_of_a_bar_that_only_warms_up_is_void() -> None:
    """A fill of a paused strategy may have set it; the bar it was for is gone."""
    targeting = Targeting([MaximumDrawdownPortfolio("0.05")])
    targeting.want(PortfolioTarget("B", Decimal(7)))
    targeting.warm_up(context("10000", closes=CLOSES))
    assert not targeting.wants("B")
    assert [] == moves(targeting)


def test_a_bar_that_warms_up_is_seen_by_the_models() -> None:
    """The reference is the equity of the first bar, whether anything was decided on it or not."""
    targeting = Targeting([MaximumDrawdownPortfolio("0.05")])
    targeting.warm_up(context("10000", closes=CLOSES))
    assert [("A", -10, 0)] == moves(targeting, equity="9000", wanted={"B": "7"}, A=FALLEN)


def test_models_change_targets_before_they_become_orders() -> None:
    """A sector of 2,000 has room for 20 at 100."""
    assert [("C", 20, 0)] == moves(Targeting([MaximumSectorExposure("0.20")]), wanted={"C": "50"})


def test_a_liquidation_goes_on_until_nothing_is_held() -> None:
    """On every bar, with what works counted, and working buys canceled; no target is needed for it."""
    targeting = stopped()
    assert ["A"] == list(targeting.suppressed)
    assert "lost 200" in targeting.suppressed["A"]
    assert [("A", -10, 0)] == moves(targeting, A=position("10", "100", "100"))
    assert [] == moves(targeting, A=position("10", "100", "100", sells="10"))
    assert [("A", -4, BUY)] == moves(targeting, A=position("10", "100", "100", buys="3", sells="6"))


def test_the_strategys_own_target_is_suppressed() -> None:
    """As long as it repeats its wish, on this bar and on all that follow; other instruments go on."""
    targeting = stopped()
    for _bar in range(3):
        assert [("B", 1, 0)] == moves(targeting, wanted={"A": "30", "B": "1"})


def test_it_counts_again_once_the_strategy_has_wanted_nothing_of_it() -> None:
    """Its own exit ends the matter; a new entry is a new decision."""
    targeting = stopped()
    assert [] == moves(targeting, wanted={"A": "0"})
    assert {} == targeting.suppressed
    assert [("A", 30, 0)] == moves(targeting, wanted={"A": "30"})


@pytest.mark.parametrize("left", [position("1", "100", "80"), position("0", "0", "80", sells="1")])
def test_it_does_not_count_again_while_anything_is_held_or_works(left: Position) -> None:
    """The wish for nothing is remembered until it has come true."""
    targeting = stopped()
    moves(targeting, wanted={"A": "0"}, A=left)
    assert ["A"] == list(targeting.suppressed)
    moves(targeting, wanted={"A": "30"}, A=left)
    assert ["A"] == list(targeting.suppressed)
    assert [("A", 30, 0)] == moves(targeting, wanted={"A": "30"})


def test_silence_is_no_wish_for_nothing() -> None:
    """A strategy that says nothing has not let go."""
    targeting = stopped()
    assert [] == moves(targeting)
    assert ["A"] == list(targeting.suppressed)


def test_a_wish_for_nothing_from_before_the_liquidation_does_not_re_arm() -> None:
    """Only what it wants afterwards counts."""
    targeting = Targeting([MaximumDrawdownPerSecurity("0.05")])
    moves(targeting, wanted={"A": "0"}, A=FALLEN)
    assert [] == moves(targeting, wanted={"A": "30"})
    assert ["A"] == list(targeting.suppressed)


def test_it_counts_again_when_it_is_re_armed_by_hand() -> None:
    """From that bar on; what is not suppressed may be re-armed as well."""
    targeting = stopped()
    targeting.rearm("A")
    targeting.rearm("B")
    assert [("A", 30, 0)] == moves(targeting, wanted={"A": "30"})


def test_re_armed_by_hand_it_is_liquidated_again_for_the_same_reason() -> None:
    """The model still measures what it measured."""
    targeting = stopped()
    targeting.rearm("A")
    assert [("A", -10, 0)] == moves(targeting, wanted={"A": "30"}, A=FALLEN)
    assert ["A"] == list(targeting.suppressed)


@pytest.mark.parametrize(("rebase", "expected"), [(True, [("B", 5, 0)]), (False, [])])
def test_a_portfolio_that_fell_holds_nothing_until_all_is_re_armed(*, rebase: bool, expected: list[object]) -> None:
    """Wanting nothing re-arms an instrument, and the model suppresses it again; rebased, it measures anew."""
    targeting = Targeting([MaximumDrawdownPortfolio("0.05")])
    moves(targeting)
    assert [("A", -10, 0)] == moves(targeting, equity="9000", wanted={"B": "5"}, A=FALLEN)
    assert [] == moves(targeting, equity="9000", wanted={"B": "0"})
    assert [] == moves(targeting, equity="9000", wanted={"B": "5"})
    targeting.rearm_all(rebase=rebase)
    assert expected == moves(targeting, equity="9000", wanted={"B": "5"})


def test_what_was_wanted_when_it_was_liquidated_is_suppressed_too() -> None:
    """A target that never became a position would become one a bar later."""
    targeting = Targeting([MaximumDrawdownPortfolio("0.05")])
    moves(targeting)
    assert [] == moves(targeting, equity="9000", wanted={"B": "5"})
    assert ["B"] == list(targeting.suppressed)


BARS = st.lists(
    st.tuples(st.integers(60, 140), st.none() | st.integers(-30, 30), st.booleans(), st.booleans()), max_size=30
)


@given(bars=BARS)
def test_while_an_instrument_is_suppressed_no_move_adds_to_it(
    bars: list[tuple[int, int | None, bool, bool]],
) -> None:
    """Whatever the strategy wants, whatever prices do, whether orders are filled or lost, until it is re-armed."""
    targeting = Targeting([MaximumDrawdownPerSecurity("0.05"), MaximumSectorExposure("0.20")])
    held, cost = Decimal(0), Decimal(0)
    for price, wanted, is_filled, by_hand in bars:
        if by_hand:
            targeting.rearm("A")
        before = set(targeting.suppressed)
        if wanted is not None:
            targeting.want(PortfolioTarget("A", Decimal(wanted)))
        position_now = {"A": position(str(held), str(cost), str(price))} if held else {}
        decided = targeting.decide(context(closes={"A": str(price)}, held=position_now))
        quantity = sum((move.quantity for move in decided), Decimal(0))
        if "A" in targeting.suppressed:
            assert -held == quantity
        elif before:
            assert not held
        if is_filled:
            turned = (held + quantity) * held <= 0
            cost = Decimal(price) if turned else cost
            held += quantity
