"""A strategy's targets on their way: suppressed, shown to the risk models, and turned into what is to be done."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tidegate.numbers import ZERO
from tidegate.targets.chain import Chain
from tidegate.targets.collection import PortfolioTargetCollection
from tidegate.targets.context import RiskContext
from tidegate.targets.model import RiskModel
from tidegate.targets.move import Move, move_to
from tidegate.targets.suppression import Suppression
from tidegate.targets.target import PortfolioTarget


class Targeting:
    """
    One strategy's targets and risk models.

    A strategy's own target counts for one bar; what an order of it could not get is not tried again unless the strategy
    wants it again. A liquidation counts until nothing is held, on every bar.
    """

    def __init__(self, models: Sequence[RiskModel] = ()) -> None:
        """Take the risk models in their order."""
        self.has_models = bool(models)
        self._chain = Chain(models)
        self._suppression = Suppression()
        self._own = PortfolioTargetCollection()

    @property
    def suppressed(self) -> Mapping[str, str]:
        """Why each suppressed instrument is."""
        return self._suppression.reasons

    def on_instruments_changed(self, added: Sequence[str], removed: Sequence[str]) -> None:
        """Tell the models."""
        self._chain.on_instruments_changed(added, removed)

    def want(self, target: PortfolioTarget) -> None:
        """Take a target of the strategy, for the bar that is being decided."""
        self._own.add(target)

    def wants(self, symbol: str) -> bool:
        """Tell whether the strategy has a target of an instrument on the bar that is being decided."""
        return symbol in self._own

    def rearm(self, symbol: str) -> None:
        """Let the strategy's targets of one instrument count again; what the models measure stays."""
        self._suppression.end(symbol)

    def rearm_all(self, *, rebase: bool) -> None:
        """Re-arm every instrument and every model."""
        for symbol in list(self._suppression.reasons):
            self._suppression.end(symbol)
        self._chain.rearm(rebase=rebase)

    def warm_up(self, context: RiskContext) -> None:
        """Let the models take in a bar on which the strategy decides nothing; what it wanted before is void."""
        self._own.clear()
        self._chain.observe(context)

    def decide(self, context: RiskContext) -> list[Move]:
        """Show the bar's targets to the models; return what is to be done, what reduces risk first."""
        self._suppression.settle(self._own, context)
        self._chain.observe(context)
        reasons = self._suppression.reasons
        targets = PortfolioTargetCollection(target for target in self._own.values() if target.symbol not in reasons)
        targets.add(*(PortfolioTarget.liquidation(symbol, reason) for symbol, reason in reasons.items()))
        self._own.clear()
        seen = replace(context, suppressed=frozenset(reasons))
        changed = self._chain.manage_risk(seen, tuple(targets.values()))
        targets.add(*changed)
        for target in changed:
            if target.liquidates:
                self._suppression.begin(target)
        moves = [move_to(target, context) for target in targets.order_by_margin_impact(context)]
        return [move for move in moves if move.quantity != ZERO or move.cancel]
