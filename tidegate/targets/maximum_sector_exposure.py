"""Maximum sector exposure: scale a sector's targets down until they fit."""

from collections.abc import Sequence
from decimal import Decimal

from tidegate.numbers import ZERO
from tidegate.targets.context import RiskContext
from tidegate.targets.model import RiskModel, positive
from tidegate.targets.target import PortfolioTarget, whole_lots


class MaximumSectorExposure(RiskModel):
    """
    Keep the gross value of each sector within a share of the equity, by scaling all of its positions alike.

    An instrument counts with this bar's target, without one with what it holds and may still get by working orders.
    Instruments without a sector are one sector together. Strict: exactly at the limit stays.
    """

    def __init__(self, limit: Decimal | str = "0.20") -> None:
        """Take the largest sector as a share of the equity; it may be above 1."""
        self._limit = positive("limit", limit)

    def manage_risk(self, context: RiskContext, targets: Sequence[PortfolioTarget]) -> list[PortfolioTarget]:
        """Return the targets of the sectors that do not fit, scaled, in whole lots towards zero."""
        wanted = {symbol: context.worst(symbol) for symbol in context.positions}
        wanted |= {target.symbol: target.quantity for target in targets}
        sectors: dict[str, dict[str, Decimal]] = {}
        for symbol, quantity in sorted(wanted.items()):
            value = context.value(symbol, quantity)
            if value:
                sectors.setdefault(context.sector(symbol), {})[symbol] = abs(value)
        room = max(self._limit * context.equity, ZERO)
        return [
            PortfolioTarget(symbol, whole_lots(wanted[symbol] * room / total, context.instruments[symbol].lot))
            for values in sectors.values()
            if (total := sum(values.values(), ZERO)) > room
            for symbol in values
        ]
