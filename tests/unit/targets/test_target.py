"""A portfolio target: what it may be, and how a share of the equity becomes one."""

from decimal import Decimal

import pytest

from tests.unit.targets.contexts import instrument
from tidegate.targets.target import PortfolioTarget, whole_lots


@pytest.mark.parametrize(
    ("share", "expected"), [("0.5", "50"), ("0.509", "50"), ("0.51", "51"), ("-0.509", "-50"), ("0", "0")]
)
def test_a_share_of_the_equity_is_rounded_to_whole_lots_towards_zero(share: str, expected: str) -> None:
    """10,000 at 100 apiece."""
    target = PortfolioTarget.of_equity(
        instrument("A", ""), Decimal(share), equity=Decimal(10_000), price=Decimal(100), rate=Decimal(1)
    )
    assert PortfolioTarget("A", Decimal(expected)) == target


def test_a_share_counts_lots_and_multipliers() -> None:
    """A contract over ten units, in halves of it."""
    traded = instrument("F", "", lot="0.5", multiplier="10")
    target = PortfolioTarget.of_equity(traded, Decimal(1), equity=Decimal(10_000), price=Decimal(130), rate=Decimal(1))
    assert Decimal("7.5") == target.quantity


def test_a_share_counts_the_rate_of_its_currency() -> None:
    """10,000 dollars at 100 euros of 1.25 dollars apiece."""
    traded = instrument("DAX", "")
    figures = {"equity": Decimal(10_000), "price": Decimal(100), "rate": Decimal("1.25")}
    assert Decimal(80) == PortfolioTarget.of_equity(traded, Decimal(1), **figures).quantity


@pytest.mark.parametrize("equity", ["0", "-1"])
def test_a_share_of_no_equity_is_nothing(equity: str) -> None:
    """A share of a loss must not become a position on the other side."""
    target = PortfolioTarget.of_equity(
        instrument("A", ""), Decimal(1), equity=Decimal(equity), price=Decimal(1), rate=Decimal(1)
    )
    assert Decimal(0) == target.quantity


@pytest.mark.parametrize("quantity", [Decimal("NaN"), Decimal("Infinity"), 1.5, 3])
def test_what_is_no_finite_decimal_is_refused(quantity: Decimal) -> None:
    """A float is not the figure that was meant."""
    with pytest.raises(ValueError, match="finite Decimal"):
        PortfolioTarget("A", quantity)


def test_whole_lots_go_towards_zero() -> None:
    """Never more risk than was asked for, on either side."""
    assert (Decimal("1.5"), Decimal("-1.5")) == tuple(whole_lots(Decimal(q), Decimal("0.5")) for q in ("1.99", "-1.99"))
