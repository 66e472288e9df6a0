"""From a target to an order: what is held, what works, and what stands in the way."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.targets.contexts import INSTRUMENTS, context, instrument, position, wants
from tidegate.orders import BUY, SELL
from tidegate.targets.move import move_to

QUANTITIES = st.integers(-50, 50).map(str)
WORKING = st.integers(0, 50).map(str)


@pytest.mark.parametrize(
    ("held", "buys", "sells", "wanted", "quantity", "cancel"),
    [
        ("0", "0", "0", "10", "10", 0),
        ("0", "0", "0", "-10", "-10", 0),
        ("10", "0", "0", "0", "-10", 0),
        ("10", "0", "0", "-5", "-15", 0),
        ("10", "0", "0", "10", "0", 0),
        ("0", "10", "0", "10", "0", 0),
        ("0", "4", "0", "10", "6", 0),
        ("10", "0", "4", "0", "-6", 0),
        ("10", "0", "10", "0", "0", 0),
        # Buys on their way while everything is to go: what is held goes now, the rest is canceled.
        ("10", "5", "0", "0", "-10", BUY),
        ("0", "5", "0", "0", "0", BUY),
        ("10", "5", "10", "0", "0", BUY),
        # Sales on their way while more is wanted: filled or not, the position does not go past the target.
        ("10", "0", "10", "15", "5", SELL),
        ("-10", "0", "5", "0", "10", SELL),
        # More works than is wanted now.
        ("10", "20", "0", "15", "0", BUY),
        ("10", "0", "10", "5", "0", SELL),
    ],
)
def test_a_target_becomes_an_order_for_what_is_missing(  # noqa: PLR0913, PLR0917 -- the figures of one case
    held: str, buys: str, sells: str, wanted: str, quantity: str, cancel: int
) -> None:
    """Both directions, with and without orders that work already or lead away."""
    seen = context(A=position(held, "100", "100", buys=buys, sells=sells))
    (target,) = wants(A=wanted)
    assert ("A", Decimal(quantity), cancel) == move_to(target, seen)


@pytest.mark.parametrize(("wanted", "quantity"), [("1.49", "1"), ("1.5", "1.5"), ("-1.49", "-1"), ("0.49", "0")])
def test_an_order_is_in_whole_lots(wanted: str, quantity: str) -> None:
    """Halves, towards zero: a tick below a lot is left."""
    seen = context(instruments=INSTRUMENTS | {"F": instrument("F", "", lot="0.5")}, closes={"F": "10"})
    (target,) = wants(F=wanted)
    assert Decimal(quantity) == move_to(target, seen).quantity


@given(held=QUANTITIES, buys=WORKING, sells=WORKING, wanted=QUANTITIES)
def test_an_order_never_leads_past_its_target(held: str, buys: str, sells: str, wanted: str) -> None:
    """Whether the orders that lead away are filled or canceled, all others being filled."""
    seen = context(A=position(held, "100", "100", buys=buys, sells=sells))
    (target,) = wants(A=wanted)
    move = move_to(target, seen)
    for is_filled in (True, False):
        after = Decimal(held) + move.quantity
        after += Decimal(buys) if is_filled or move.cancel != BUY else 0
        after -= Decimal(sells) if is_filled or move.cancel != SELL else 0
        if move.quantity > 0:
            assert after <= target.quantity
        if move.quantity < 0:
            assert after >= target.quantity
        if not move.cancel:
            assert target.quantity == after
