"""Maximum drawdown per security: out of a position that has lost too much of what was paid for it."""

from collections.abc import Sequence
from decimal import Decimal

from tidegate.ledger import Position
from tidegate.targets.model import share
from tidegate.targets.per_position import PerPosition


class MaximumDrawdownPerSecurity(PerPosition):
    """
    Liquidate a position whose unrealised loss is more than a share of its cost.

    Strict: a loss of exactly the limit stays.
    """

    def __init__(self, limit: Decimal | str = "0.05", ignore: Sequence[str] = ()) -> None:
        """Take the largest loss as a share of the position's cost."""
        super().__init__(ignore)
        self._limit = share("limit", limit)

    def reason_to_leave(self, symbol: str, position: Position) -> str:
        """Compare products, for a cost of nothing has no shares."""
        loss = -position.unrealised_pnl
        most = self._limit * abs(position.cost)
        return f"{symbol} has lost {loss}, over {most}" if loss > most else ""
