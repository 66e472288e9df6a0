"""Which instruments a model has liquidated, and when the strategy's own targets count again."""

from collections.abc import Mapping

from tidegate.targets.collection import PortfolioTargetCollection
from tidegate.targets.context import RiskContext
from tidegate.targets.target import PortfolioTarget


class Suppression:
    """
    While an instrument is suppressed its target is zero, whatever the strategy says.

    It is re-armed by hand, or once the strategy itself has wanted nothing of it and nothing is held or working.
    """

    def __init__(self) -> None:
        """Begin with nothing suppressed."""
        self._reasons: dict[str, str] = {}
        self._accepted: set[str] = set()

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why each suppressed instrument is."""
        return self._reasons

    def begin(self, target: PortfolioTarget) -> None:
        """Suppress what a model has liquidated; the first reason stays."""
        self._reasons.setdefault(target.symbol, target.reason)

    def end(self, symbol: str) -> None:
        """Re-arm an instrument by hand; one that is not suppressed stays as it is."""
        self._reasons.pop(symbol, None)
        self._accepted.discard(symbol)

    def settle(self, own: PortfolioTargetCollection, context: RiskContext) -> None:
        """Note where the strategy wants nothing any more, and re-arm what has also become nothing."""
        self._accepted |= {symbol for symbol in self._reasons if symbol in own and not own[symbol].quantity}
        for symbol in sorted(self._accepted):
            if symbol not in context.positions:
                self.end(symbol)
