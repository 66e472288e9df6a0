"""The collection of targets: membership, what is fulfilled, and which order they are followed in."""

from decimal import Decimal

import pytest

from tests.unit.targets.contexts import context, position, wants
from tidegate.ledger import Position
from tidegate.targets.collection import PortfolioTargetCollection
from tidegate.targets.target import PortfolioTarget


def test_a_newer_target_takes_the_place_of_the_older_one() -> None:
    """One target an instrument."""
    targets = PortfolioTargetCollection(wants(A="10", B="5"))
    targets.add(*wants(A="7"))
    assert (["A", "B"], Decimal(7)) == (list(targets), targets["A"].quantity)


def test_membership_is_of_a_target_or_of_a_symbol() -> None:
    """Both questions have their own spelling."""
    targets = PortfolioTargetCollection(wants(A="10"))
    assert targets.contains(PortfolioTarget("A", Decimal(10)))
    assert not targets.contains(PortfolioTarget("A", Decimal(11)))
    assert not targets.contains(PortfolioTarget("B", Decimal(10)))
    assert ("A" in targets, "B" in targets) == (True, False)


def test_targets_can_be_taken_out() -> None:
    """One, or all; it is said whether there was one."""
    targets = PortfolioTargetCollection(wants(A="10", B="5"))
    assert (True, False) == (targets.remove("A"), targets.remove("A"))
    targets.clear()
    assert 0 == len(targets)


@pytest.mark.parametrize(
    ("held", "left"),
    [
        (position("10", "100", "100"), []),
        (position("9", "100", "100"), ["A"]),
        (position("11", "100", "100"), ["A"]),
        (position("10", "100", "100", buys="1"), ["A"]),
        (position("10", "100", "100", sells="1"), ["A"]),
    ],
)
def test_a_target_is_fulfilled_once_it_is_held_and_nothing_works(held: Position, left: list[str]) -> None:
    """At the target, one away on either side, and with an order still under way."""
    targets = PortfolioTargetCollection(wants(A="10"))
    targets.clear_fulfilled(context(A=held))
    assert left == list(targets)


def test_a_target_of_nothing_is_fulfilled_where_nothing_is_held() -> None:
    """No position is a position of zero."""
    targets = PortfolioTargetCollection(wants(A="0", B="1"))
    targets.clear_fulfilled(context())
    assert ["B"] == list(targets)


def ordered(targets: PortfolioTargetCollection, **positions: Position) -> list[str]:
    """Return the symbols in the order of margin impact; every price is 100 unless a mark says otherwise."""
    closes = {symbol: "100" for symbol in ("A", "B", "C") if symbol not in positions}
    return [target.symbol for target in targets.order_by_margin_impact(context(closes=closes, held=positions))]


def test_what_reduces_comes_first_then_the_largest_value() -> None:
    """A small reduction frees what the large purchase needs."""
    targets = PortfolioTargetCollection(wants(A="10", B="20", C="1"))
    assert ["C", "B", "A"] == ordered(targets, C=position("2", "100", "100"))


def test_a_short_position_is_reduced_by_buying() -> None:
    """The reduction has a sign of its own."""
    targets = PortfolioTargetCollection(wants(A="50", B="-1"))
    assert ["B", "A"] == ordered(targets, B=position("-3", "100", "100"))


def test_turning_a_position_round_is_no_reduction() -> None:
    """It leaves a new risk on the other side."""
    targets = PortfolioTargetCollection(wants(A="30", B="-1"))
    assert ["A", "B"] == ordered(targets, B=position("3", "100", "100"))


def test_targets_of_equal_value_are_ordered_by_symbol() -> None:
    """The same targets are always followed in the same order."""
    assert ["A", "B"] == ordered(PortfolioTargetCollection(wants(B="1", A="1")))


def test_what_has_no_price_or_nothing_left_to_do_is_left_out() -> None:
    """Working orders count as if they were filled."""
    targets = PortfolioTargetCollection(wants(A="10", B="10", P="10"))
    assert ["B"] == ordered(targets, A=position("4", "100", "100", buys="6"))
