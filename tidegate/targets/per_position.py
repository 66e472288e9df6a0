"""What the models have in common that look at one position after the other and want out of some."""

from collections.abc import Sequence

from tidegate.ledger import Position
from tidegate.targets.context import RiskContext
from tidegate.targets.model import RiskModel
from tidegate.targets.target import PortfolioTarget


class PerPosition(RiskModel):
    """
    Liquidate each position that a subclass gives a reason for.

    ignore: instruments that are not looked at, such as the puts of an option hedge.
    """

    def __init__(self, ignore: Sequence[str] = ()) -> None:
        """Take what is not looked at."""
        self._ignore = frozenset(ignore)

    def manage_risk(self, context: RiskContext, targets: Sequence[PortfolioTarget]) -> list[PortfolioTarget]:  # noqa: ARG002 -- it looks at positions
        """Return a liquidation for each position that has a reason for one."""
        changed = []
        for symbol, position in sorted(context.positions.items()):
            if position.quantity and symbol not in self._ignore:
                reason = self.reason_to_leave(symbol, position)
                if reason:
                    changed.append(PortfolioTarget.liquidation(symbol, reason))
        return changed

    def reason_to_leave(self, symbol: str, position: Position) -> str:
        """Say why a position must go; empty when it may stay."""
        raise NotImplementedError
