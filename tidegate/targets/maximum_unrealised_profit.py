"""Maximum unrealised profit per security: take the profit of a position that has made enough."""

from collections.abc import Sequence
from decimal import Decimal

from tidegate.ledger import Position
from tidegate.targets.model import positive
from tidegate.targets.per_position import PerPosition


class MaximumUnrealisedProfitPerSecurity(PerPosition):
    """
    Liquidate a position whose unrealised profit is more than a share of its cost.

    Strict: a profit of exactly the limit stays.
    """

    def __init__(self, limit: Decimal | str = "0.05", ignore: Sequence[str] = ()) -> None:
        """Take the largest profit as a share of the position's cost; it may be above 1."""
        super().__init__(ignore)
        self._limit = positive("limit", limit)

    def reason_to_leave(self, symbol: str, position: Position) -> str:
        """Compare products, for a cost of nothing has no shares."""
        profit, most = position.unrealised_pnl, self._limit * abs(position.cost)
        return f"{symbol} has gained {profit}, over {most}" if profit > most else ""
