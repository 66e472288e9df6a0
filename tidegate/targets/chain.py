"""Risk models one after the other: each gets what the one before it has left."""

from collections.abc import Sequence

from tidegate.targets.context import RiskContext
from tidegate.targets.model import RiskModel
from tidegate.targets.target import PortfolioTarget


class Chain(RiskModel):
    """
    Several models as one, in order; the last one that changes a target is right.

    But a liquidation is final: no model further down brings the position back.
    """

    def __init__(self, models: Sequence[RiskModel]) -> None:
        """Take the models in their order."""
        self.models = tuple(models)

    def on_instruments_changed(self, added: Sequence[str], removed: Sequence[str]) -> None:
        """Tell every model."""
        for model in self.models:
            model.on_instruments_changed(added, removed)

    def observe(self, context: RiskContext) -> None:
        """Let every model take the bar in."""
        for model in self.models:
            model.observe(context)

    def manage_risk(self, context: RiskContext, targets: Sequence[PortfolioTarget]) -> list[PortfolioTarget]:
        """Pass the targets from model to model; return those that are not what they were."""
        before = {target.symbol: target for target in targets}
        now = dict(before)
        for model in self.models:
            for changed in model.manage_risk(context, tuple(now.values())):
                earlier = now.get(changed.symbol)
                if earlier is None or not earlier.liquidates:
                    now[changed.symbol] = changed
        return [target for symbol, target in now.items() if target != before.get(symbol)]

    def rearm(self, *, rebase: bool) -> None:
        """Re-arm every model."""
        for model in self.models:
            model.rearm(rebase=rebase)
