"""Flash-crash detection: a fall within some bars, or a robust z-score."""

import pytest

from tests.unit.targets.contexts import context, judged, position
from tidegate.targets.flash_crash import FlashCrash, FlashCrashByFall, FlashCrashByScore


def last(model: FlashCrash, closes: list[str], held: str = "0", **wanted: str) -> dict[str, str]:
    """Let closes of A go by, then judge the last one with a position and targets."""
    for close in closes[:-1]:
        model.observe(context(closes={"A": close}))
    holding = {"A": position(held, "100", closes[-1])} if held != "0" else {}
    return judged(model, context(closes={"A": closes[-1]}, held=holding), **wanted)


@pytest.mark.parametrize(("close", "expected"), [("90.01", {}), ("90", {}), ("89.99", {"A": "OUT"})])
@pytest.mark.parametrize(("held", "wanted"), [("10", {}), ("0", {"A": "10"}), ("5", {"A": "0"})])
def test_a_fall_takes_out_what_is_long_or_wanted_long(
    held: str, wanted: dict[str, str], close: str, expected: dict[str, str]
) -> None:
    """More than a tenth in one bar: above the limit, at it, below it."""
    assert expected == last(FlashCrashByFall(), ["100", close], held, **wanted)


@pytest.mark.parametrize(("close", "expected"), [("109.99", {}), ("110", {}), ("110.01", {"A": "OUT"})])
@pytest.mark.parametrize(("held", "wanted"), [("-10", {}), ("0", {"A": "-10"})])
def test_a_rise_takes_out_what_is_short(
    held: str, wanted: dict[str, str], close: str, expected: dict[str, str]
) -> None:
    """The same the other way round, from the lowest close."""
    assert expected == last(FlashCrashByFall(), ["100", close], held, **wanted)


@pytest.mark.parametrize(("held", "close"), [("10", "200"), ("-10", "50")])
def test_a_move_in_our_favour_is_no_crash(held: str, close: str) -> None:
    """Profit is another model's."""
    assert {} == last(FlashCrashByFall(), ["100", close], held)


@pytest.mark.parametrize(("between", "expected"), [(4, {"A": "OUT"}), (5, {})])
def test_a_fall_counts_within_its_bars_only(between: int, expected: dict[str, str]) -> None:
    """From 100 to 89 within five bars, or within six."""
    closes = ["100", *["95"] * between, "89"]
    assert expected == last(FlashCrashByFall("0.10", bars=5), closes, "10")


def test_an_instrument_that_was_removed_is_forgotten() -> None:
    """What comes back later is no crash from where it once was."""
    model = FlashCrashByFall()
    model.observe(context(closes={"A": "100"}))
    model.on_instruments_changed([], ["A"])
    assert {} == last(model, ["50"], "10")


def test_an_instrument_that_did_not_trade_is_judged_by_its_last_close() -> None:
    """A bar without it adds nothing."""
    model = FlashCrashByFall()
    assert {} == judged(model, context(A=position("10", "100", "100")))
    assert {"A": "OUT"} == last(model, ["100", "80"], "10")
    assert {"A": "OUT"} == judged(model, context(A=position("10", "100", "80")))


# Returns of 0.01 and 0 by turns: median 0.005 or near it, MAD 0.005.
WAVES = ["100", *(close for _ in range(15) for close in ("100", "101"))]


def scored(newest: str, held: str = "10", score: str = "8", **wanted: str) -> dict[str, str]:
    """Judge a close after thirty calm ones at 100: the deviation is the least that counts, a thousandth."""
    return last(FlashCrashByScore(score), [*["100"] * 30, newest], held, **wanted)


@pytest.mark.parametrize(("newest", "expected"), [("99.21", {}), ("99.2", {}), ("99.19", {"A": "OUT"})])
def test_a_return_far_from_the_usual_ones_is_a_crash(newest: str, expected: dict[str, str]) -> None:
    """Eight thousandths after a price that stood still: above, at and below the score."""
    assert expected == scored(newest)


@pytest.mark.parametrize(("newest", "expected"), [("100.8", {}), ("100.81", {"A": "OUT"})])
def test_a_score_counts_against_shorts_as_well(newest: str, expected: dict[str, str]) -> None:
    """A rise is what hurts them."""
    assert expected == scored(newest, held="-10")


def test_a_price_that_moves_more_may_fall_more() -> None:
    """The deviation is a median one: what was a crash after calm is none after waves."""
    assert {"A": "OUT"} == scored("98")
    assert {} == last(FlashCrashByScore(), [*WAVES, "99"], "10")
    assert {"A": "OUT"} == last(FlashCrashByScore(), [*WAVES, "90"], "10")


def test_one_earlier_outlier_does_not_hide_a_crash() -> None:
    """A standard deviation would have grown by it; the median has not."""
    closes = [*["100"] * 15, "70", *["100"] * 15, "95"]
    assert {"A": "OUT"} == last(FlashCrashByScore(), closes, "10")


@pytest.mark.parametrize(("count", "expected"), [(20, {"A": "3"}), (21, {"A": "OUT"})])
def test_until_it_is_warmed_up_nothing_is_added_and_nothing_liquidated(count: int, expected: dict[str, str]) -> None:
    """Twenty returns and the newest one are what it takes."""
    assert expected == last(FlashCrashByScore(), [*["100"] * count, "50"], "3", A="10")


@pytest.mark.parametrize(
    ("held", "wanted", "kept"),
    [("3", "2", None), ("3", "3", None), ("3", "0", None), ("3", "4", "3"), ("3", "-1", "0"), ("-3", "-4", "-3")],
)
def test_a_cold_instrument_may_be_reduced(held: str, wanted: str, kept: str | None) -> None:
    """Towards zero always, further away or to the other side never."""
    assert ({} if kept is None else {"A": kept}) == last(FlashCrashByScore(), ["100"], held, A=wanted)


def test_a_cold_instrument_that_is_not_held_is_not_bought() -> None:
    """Without a position there is nothing to keep."""
    assert {"A": "0"} == last(FlashCrashByScore(), ["100"], A="10")


def test_too_few_returns_for_a_median_are_refused() -> None:
    """At least twenty."""
    assert FlashCrashByScore(returns=20)
    with pytest.raises(ValueError, match="at least 20"):
        FlashCrashByScore(returns=19)
