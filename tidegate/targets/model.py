"""A risk model: looks at targets on their way to becoming orders, and changes what is too risky."""

from collections.abc import Sequence
from decimal import Decimal

from tidegate.numbers import ONE, ZERO
from tidegate.targets.context import RiskContext
from tidegate.targets.target import PortfolioTarget


class RiskModel:
    """
    Subclass it and override what is needed; ``__init__`` takes the portfolio file's ``parameters``.

    A model depends on nothing but what it is given here: after a restart it is built anew and sees its history again.
    """

    def on_instruments_changed(self, added: Sequence[str], removed: Sequence[str]) -> None:
        """Run before the first bar with all instruments, and whenever some come or go."""

    def observe(self, context: RiskContext) -> None:
        """Take a bar in; run on every bar, also on those that only warm the model up, where nothing is decided."""

    def manage_risk(self, context: RiskContext, targets: Sequence[PortfolioTarget]) -> list[PortfolioTarget]:
        """Return the targets that have to change, and only those; also of instruments that had none."""
        raise NotImplementedError

    def rearm(self, *, rebase: bool) -> None:
        """Run when everything is re-armed by hand; rebase: what the whole is measured against begins anew."""


def positive(name: str, number: Decimal | int | str) -> Decimal:
    """
    Take a model's parameter above zero.

    Raises:
        TypeError: it is a float, which is not the figure that was written down.
        ValueError: it is not above zero.
    """
    if isinstance(number, float):
        message = f"{name} is the float {number}; write it as a Decimal or a string"
        raise TypeError(message)
    read = Decimal(number)
    if not read.is_finite() or read <= ZERO:
        message = f"{name} is {number}; it must be above zero"
        raise ValueError(message)
    return read


def share(name: str, number: Decimal | int | str) -> Decimal:
    """Take a model's parameter above zero and at most one; raises as ``positive`` does."""
    read = positive(name, number)
    if read > ONE:
        message = f"{name} is {number}; a share is at most 1"
        raise ValueError(message)
    return read
