"""
The checks: one small module a family, each with ``check(proposal) -> Violation | None``.

Permission checks look at every order. Exposure checks leave reducing orders alone: a limit that blocks the way out
makes the loss. A new check is a new module and a line in ``build``.
"""

from typing import NamedTuple, Protocol

from tidegate.risk.checks.capital import Capital
from tidegate.risk.checks.concentration import Concentration
from tidegate.risk.checks.drawdown import Drawdown
from tidegate.risk.checks.halt_state import HaltState
from tidegate.risk.checks.held_price import HeldPrice
from tidegate.risk.checks.increments import Increments
from tidegate.risk.checks.leverage import Leverage
from tidegate.risk.checks.order_size import OrderSize
from tidegate.risk.checks.price_age import PriceAge
from tidegate.risk.checks.reduce_only import ReduceOnly
from tidegate.risk.limits import Limits
from tidegate.risk.price_bands import PriceBands
from tidegate.risk.proposal import Proposal
from tidegate.risk.violation import Violation


class Check(Protocol):
    """One limit on orders."""

    def check(self, proposal: Proposal) -> Violation | None:
        """Return what the order would violate, or None."""


class Checks(NamedTuple):
    """The checks that are configured, in the order in which equally severe violations are named."""

    for_all: tuple[Check, ...]
    for_reducing: tuple[Check, ...]


def build(limits: Limits, price_bands: PriceBands) -> Checks:
    """Build the checks that these limits ask for; one that is not configured costs nothing."""
    permission: list[Check] = [HaltState(), PriceAge(limits.max_price_age_ns), Increments(), ReduceOnly()]
    if price_bands.is_on:
        permission.append(HeldPrice())
    if limits.max_order_quantity is not None or limits.max_order_notional is not None:
        permission.append(OrderSize(limits.max_order_quantity, limits.max_order_notional))
    exposure: list[Check] = []
    if limits.halt_drawdown is not None or limits.max_drawdown is not None or limits.warn_drawdown is not None:
        exposure.append(Drawdown(limits.warn_drawdown, limits.max_drawdown, limits.halt_drawdown))
    if limits.max_leverage is not None or limits.warn_leverage is not None:
        exposure.append(Leverage(limits.warn_leverage, limits.max_leverage))
    if limits.max_concentration is not None or limits.warn_concentration is not None:
        exposure.append(Concentration(limits.warn_concentration, limits.max_concentration))
    exposure.append(Capital())
    return Checks((*permission, *exposure), tuple(permission))
