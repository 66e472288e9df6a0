"""Maximum drawdown of the portfolio: from the beginning or trailing, final once it was crossed."""

import pytest

from tests.unit.targets.contexts import context, judged, position
from tidegate.targets.maximum_drawdown_portfolio import MaximumDrawdownPortfolio

HELD = position("10", "100", "100")


def lived(model: MaximumDrawdownPortfolio, *equities: str, capital: str = "10000") -> list[dict[str, str]]:
    """Live through bars with these equities, holding A and wanting B."""
    return [judged(model, context(equity, capital=capital, A=HELD), B="5") for equity in equities]


@pytest.mark.parametrize(("equity", "is_out"), [("9500.01", False), ("9500", False), ("9499.99", True)])
def test_everything_goes_once_the_equity_is_too_far_below_the_beginning(equity: str, *, is_out: bool) -> None:
    """Above the limit, at it and below it; what is held and what is wanted."""
    expected = {"A": "OUT", "B": "OUT"} if is_out else {}
    assert [{}, expected] == lived(MaximumDrawdownPortfolio("0.05"), "10000", equity)


@pytest.mark.parametrize(
    ("trailing", "equity", "is_out"),
    [(False, "9500", False), (True, "10450", False), (True, "10449.99", True), (False, "10449.99", False)],
)
def test_a_trailing_drawdown_is_measured_from_the_highest_equity(equity: str, *, trailing: bool, is_out: bool) -> None:
    """After a rise to 11,000, with and without trailing."""
    model = MaximumDrawdownPortfolio("0.05", trailing=trailing)
    assert is_out is bool(lived(model, "10000", "11000", equity)[-1])


@pytest.mark.parametrize("trailing", [False, True])
def test_once_crossed_it_stays_crossed_until_it_is_re_armed(*, trailing: bool) -> None:
    """Neither a recovery nor a new high lets anything be held again: no halt re-bases itself."""
    model = MaximumDrawdownPortfolio("0.05", trailing=trailing)
    assert all(lived(model, "10000", "9000", "12000", "13000")[1:])
    model.rearm(rebase=False)
    assert [{}] == lived(model, "13000")


@pytest.mark.parametrize(("rebase", "is_out"), [(False, True), (True, False)])
def test_re_arming_keeps_the_reference_or_begins_anew_as_it_is_told(*, rebase: bool, is_out: bool) -> None:
    """Kept, the same equity crosses the limit at once."""
    model = MaximumDrawdownPortfolio("0.05")
    lived(model, "10000", "9000")
    model.rearm(rebase=rebase)
    assert is_out is bool(lived(model, "9000")[0])
    model.rearm(rebase=True)
    assert [{}, {}, True] == [*lived(model, "9000", "8550"), bool(lived(model, "8549.99")[0])]


@pytest.mark.parametrize(("after", "equity", "is_out"), [("6000", "5700", False), ("6000", "5699.99", True)])
def test_a_withdrawal_is_no_loss(after: str, equity: str, *, is_out: bool) -> None:
    """4,000 of 10,000 are taken out, and five percent of what is left may be lost."""
    model = MaximumDrawdownPortfolio("0.05")
    assert [{}] == lived(model, "10000")
    assert [{}] == lived(model, after, capital="6000")
    assert is_out is bool(lived(model, equity, capital="6000")[0])


def test_a_deposit_hides_no_loss() -> None:
    """5,000 more come in while 501 of the first 10,000 are lost."""
    model = MaximumDrawdownPortfolio("0.05", trailing=True)
    lived(model, "10000")
    lived(model, "9499.99")
    model.rearm(rebase=False)
    assert [True] == [bool(day) for day in lived(model, "14499.99", capital="15000")]


@pytest.mark.parametrize("equity", ["0", "-1"])
def test_no_equity_left_is_always_too_little(equity: str) -> None:
    """Also at a limit of everything."""
    assert [{}, {"A": "OUT", "B": "OUT"}] == lived(MaximumDrawdownPortfolio("1"), "10000", equity)


def test_before_there_is_capital_nothing_is_measured() -> None:
    """The first capital is the reference."""
    model = MaximumDrawdownPortfolio("0.05")
    assert [{}] == lived(model, "0", capital="0")
    assert [{}, {}] == lived(model, "1000", "950", capital="1000")
    assert [True] == [bool(day) for day in lived(model, "949.99", capital="1000")]


def test_what_only_works_goes_as_well() -> None:
    """A working order is a position to be."""
    model = MaximumDrawdownPortfolio("0.05")
    working = position("0", "0", "100", buys="10")
    judged(model, context("10000"))
    assert {"C": "OUT"} == judged(model, context("9000", C=working))
