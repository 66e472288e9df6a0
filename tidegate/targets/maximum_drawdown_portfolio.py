"""Maximum drawdown of the portfolio: out of everything once the equity has fallen too far."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal

from tidegate.numbers import ZERO
from tidegate.targets.context import RiskContext
from tidegate.targets.model import RiskModel, share
from tidegate.targets.target import PortfolioTarget

_STEP = Decimal("1e-8")


class MaximumDrawdownPortfolio(RiskModel):
    """
    Liquidate everything once the strategy's equity is more than a share below the reference.

    The reference is the equity of the first bar, or, trailing, the highest so far; capital put in or taken out moves it
    in proportion. Strict: exactly at the limit stays. Once it was crossed nothing is held until the model is re-armed
    by hand: neither a recovery nor the liquidation itself moves the reference.
    """

    def __init__(self, limit: Decimal | str = "0.05", *, trailing: bool = False) -> None:
        """Take the largest fall as a share of the reference."""
        self._limit = share("limit", limit)
        self._trailing = trailing
        self._reference: Decimal | None = None
        self._capital = ZERO
        self._crossed = ""

    def observe(self, context: RiskContext) -> None:
        """Move the reference, and note when the equity is too far below it."""
        equity, moved = context.equity, context.capital - self._capital
        self._capital = context.capital
        if not equity and (self._reference is None or moved):
            self._reference = None  # no capital yet, or no more: the next one begins anew
            return
        if self._reference is None:
            self._reference = equity
        elif moved:
            self._reference = _carried(self._reference, equity - moved, equity)
        if self._trailing and not self._crossed:
            self._reference = max(self._reference, equity)
        if equity <= ZERO or self._reference - equity > self._limit * self._reference:
            self._crossed = self._crossed or f"equity of {equity} is over {self._limit} below {self._reference}"

    def manage_risk(self, context: RiskContext, targets: Sequence[PortfolioTarget]) -> list[PortfolioTarget]:
        """Return a liquidation of all that is held, works or is wanted, once the limit was crossed."""
        if not self._crossed:
            return []
        symbols = sorted({*context.positions, *(target.symbol for target in targets)})
        return [PortfolioTarget.liquidation(symbol, self._crossed) for symbol in symbols]

    def rearm(self, *, rebase: bool) -> None:
        """Look again; against the next bar's equity when the reference is to begin anew."""
        self._crossed = ""
        if rebase:
            self._reference = None


def _carried(reference: Decimal, before: Decimal, after: Decimal) -> Decimal:
    """Carry the reference over a movement of capital, rounded down so that none looks like a loss."""
    if before > ZERO and after > ZERO:
        return (reference * after / before).quantize(_STEP, rounding=ROUND_DOWN)
    return reference + after - before
