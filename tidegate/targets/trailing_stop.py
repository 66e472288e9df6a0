"""Trailing stop: out of a position that has come back too far from its best price."""

from collections.abc import Sequence
from decimal import Decimal

from tidegate.ledger import Position
from tidegate.numbers import ZERO
from tidegate.targets.context import RiskContext
from tidegate.targets.model import share
from tidegate.targets.per_position import PerPosition


class TrailingStop(PerPosition):
    """
    Liquidate a position whose price is more than a share away from its best since the position was opened.

    The best price is the highest for a long position and the lowest for a short one; it begins with what was paid.
    Strict: a distance of exactly the limit stays.
    """

    def __init__(self, limit: Decimal | str = "0.05", ignore: Sequence[str] = ()) -> None:
        """Take the largest distance as a share of the best price."""
        super().__init__(ignore)
        self._limit = share("limit", limit)
        self._best: dict[str, tuple[bool, Decimal]] = {}

    def observe(self, context: RiskContext) -> None:
        """Move the best prices on; a position that was closed or turned round begins anew."""
        best = {}
        for symbol, position in context.positions.items():
            if position.quantity:
                is_long = position.quantity > ZERO
                known = self._best.get(symbol)
                start = known[1] if known is not None and known[0] is is_long else position.average_cost
                best[symbol] = (is_long, (max if is_long else min)(start, position.mark))
        self._best = best

    def reason_to_leave(self, symbol: str, position: Position) -> str:
        """Compare the price with the best one."""
        is_long, best = self._best[symbol]
        back = best - position.mark if is_long else position.mark - best
        return f"{symbol} is at {position.mark}, its best was {best}" if back > self._limit * best else ""
