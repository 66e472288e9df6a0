"""Maximum sector exposure: targets of one sector scaled alike."""

import pytest

from tests.unit.targets.contexts import INSTRUMENTS, context, instrument, judged, position
from tidegate.targets.maximum_sector_exposure import MaximumSectorExposure

CLOSES = {"A": "100", "B": "100", "C": "100", "P": "100"}
MODEL = MaximumSectorExposure("0.20")


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("10", "9", {}),
        ("10", "10", {}),
        ("10", "11", {"A": "9", "B": "10"}),
        ("40", "-40", {"A": "10", "B": "-10"}),
        ("-20", "-1", {"A": "-19", "B": "0"}),
    ],
)
def test_a_sector_over_its_share_is_scaled_down(a: str, b: str, expected: dict[str, str]) -> None:
    """2,000 of 10,000 fit: below, at and over it; longs and shorts count alike, in whole lots towards zero."""
    assert expected == judged(MODEL, context(closes=CLOSES), A=a, B=b, C="20")


def test_a_sector_is_judged_at_one_tick_over_its_share() -> None:
    """The price decides, not only the quantity."""
    assert {} == judged(MODEL, context(closes={"A": "100"}), A="20")
    assert {"A": "19"} == judged(MODEL, context(closes={"A": "100.01"}), A="20")


def test_what_is_held_counts_where_nothing_is_wanted_of_it() -> None:
    """Its own target is then made as well."""
    seen = context(A=position("30", "100", "100"), closes={"B": "100"})
    assert {"A": "15", "B": "5"} == judged(MODEL, seen, B="10")


def test_a_target_counts_instead_of_what_is_held() -> None:
    """What is about to be sold does not use the sector up."""
    assert {} == judged(MODEL, context(A=position("30", "100", "100"), closes={"B": "100"}), A="10", B="10")


def test_working_orders_count_at_their_worst() -> None:
    """10 are held and 15 more are on their way."""
    assert {"A": "20"} == judged(MODEL, context(A=position("10", "100", "100", buys="15")))


def test_an_earlier_bars_target_is_forgotten() -> None:
    """LEAN keeps every target it ever saw: one that came to nothing would use the sector up for ever."""
    model = MaximumSectorExposure("0.20")
    assert {"A": "20"} == judged(model, context(closes=CLOSES), A="100")
    assert {} == judged(model, context(closes=CLOSES), B="20")


def test_instruments_without_a_sector_are_one_sector_together() -> None:
    """Nothing escapes by not being described."""
    instruments = {name: instrument(name, "") for name in ("X", "Y")}
    seen = context(instruments=instruments, closes={"X": "100", "Y": "100"})
    assert {"X": "10", "Y": "10"} == judged(MODEL, seen, X="20", Y="20")


def test_multipliers_count_and_fractional_lots_stay() -> None:
    """Contracts over ten units each, in halves."""
    instruments = INSTRUMENTS | {"F": instrument("F", "tech", lot="0.5", multiplier="10")}
    seen = context(instruments=instruments, closes={"F": "130"})
    assert {"F": "1.5"} == judged(MODEL, seen, F="2")


@pytest.mark.parametrize("equity", ["0", "-100"])
def test_without_equity_there_is_room_for_nothing(equity: str) -> None:
    """All targets become zero."""
    assert {"A": "0"} == judged(MODEL, context(equity, closes=CLOSES), A="1", B="0")


def test_what_has_no_price_cannot_be_counted_and_stays() -> None:
    """No order comes of it either, while there is no price."""
    assert {} == judged(MODEL, context(), A="1000")
