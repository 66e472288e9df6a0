"""Flash-crash detection: out of what moves against us as prices hardly ever do, and not into it."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from statistics import median

from tidegate.numbers import ZERO
from tidegate.targets.closes import Closes
from tidegate.targets.context import RiskContext
from tidegate.targets.model import RiskModel, positive, share
from tidegate.targets.target import PortfolioTarget

# Of a normal distribution, the standard deviation is so many times the median absolute deviation.
_DEVIATIONS = Decimal("1.4826")
_RETURNS_MIN = 20


class FlashCrash(RiskModel):
    """
    What both detectors share: liquidate a position or target that an extreme move goes against.

    A fall goes against what is long, a rise against what is short.
    """

    def __init__(self, closes: int) -> None:
        """Take how many closes the detector looks at."""
        self._closes = Closes(closes)

    def on_instruments_changed(self, added: Sequence[str], removed: Sequence[str]) -> None:  # noqa: ARG002 -- closes come by themselves
        """Forget what has gone: what comes back later is warmed up anew."""
        self._closes.forget(removed)

    def observe(self, context: RiskContext) -> None:
        """Take the bar's closes."""
        self._closes.add(context.closes)

    def manage_risk(self, context: RiskContext, targets: Sequence[PortfolioTarget]) -> list[PortfolioTarget]:
        """Return a liquidation for each instrument in an extreme move against its position or its target."""
        wanted = {target.symbol: target.quantity for target in targets}
        changed = []
        for symbol in sorted({*context.positions, *wanted}):
            held = (context.worst(symbol), context.held(symbol), wanted.get(symbol, ZERO))
            for sign in (1, -1):
                if any(quantity * sign > ZERO for quantity in held):
                    reason = self.extreme(self._closes.of(symbol), sign)
                    if reason:
                        changed.append(PortfolioTarget.liquidation(symbol, f"{symbol} {reason}"))
                        break
        return changed

    def extreme(self, closes: Sequence[Decimal], sign: int) -> str:
        """Describe the extreme move against a position of this sign, by its closes; empty when there is none."""
        raise NotImplementedError


class FlashCrashByFall(FlashCrash):
    """
    Flash crash as a fall of more than a share within some bars, from the highest close among them.

    Defaults: more than 0.10 within 5 bars. For shorts a rise from the lowest one. It looks at the closes that there
    are, also at fewer. Strict: exactly the share stays.
    """

    def __init__(self, fall: Decimal | str = "0.10", bars: int = 5) -> None:
        """Take the share, and within how many bars."""
        self._fall = share("fall", fall)
        super().__init__(int(positive("bars", bars)) + 1)

    def extreme(self, closes: Sequence[Decimal], sign: int) -> str:
        """Compare the newest close with the best of the window."""
        if not closes:
            return ""
        best = max(closes) if sign > 0 else min(closes)
        against = sign * (best - closes[-1])
        return f"went from {best} to {closes[-1]} within {len(closes) - 1} bars" if against > self._fall * best else ""


class FlashCrashByScore(FlashCrash):
    """
    Flash crash as one bar's return far from the usual ones, by a robust z-score.

    Score: (return - median) / (1.4826 x MAD) over the returns before it, MAD being the median absolute deviation.
    Defaults: more than 8, over 60 returns; the divisor is at least ``calm`` (0.001), so that a price that stood still
    does not crash by moving one tick. Until 20 returns are known an instrument is not warmed up, and nothing is added
    to what is held of it. Strict: exactly the score stays.
    """

    def __init__(self, score: Decimal | str = "8", returns: int = 60, calm: Decimal | str = "0.001") -> None:
        """Take the score, over how many returns it is measured, and the least deviation that counts."""
        self._score, self._calm = positive("score", score), positive("calm", calm)
        if returns < _RETURNS_MIN:
            message = f"returns is {returns}; a median needs at least {_RETURNS_MIN}"
            raise ValueError(message)
        super().__init__(returns + 2)

    def manage_risk(self, context: RiskContext, targets: Sequence[PortfolioTarget]) -> list[PortfolioTarget]:
        """Hold back what would add risk in an instrument that is not warmed up, and look at the others."""
        changed = super().manage_risk(context, targets)
        for target in targets:
            held = context.held(target.symbol)
            if len(self._closes.of(target.symbol)) < _RETURNS_MIN + 2 and not _lies_within(target.quantity, held):
                kept = held if held * target.quantity > ZERO else ZERO
                changed.append(PortfolioTarget(target.symbol, kept, reason="not warmed up"))
        return changed

    def extreme(self, closes: Sequence[Decimal], sign: int) -> str:
        """Compare the newest return with the ones before it."""
        if len(closes) < _RETURNS_MIN + 2:
            return ""
        returns = [after / before - 1 for before, after in pairwise(closes)]
        usual, newest = returns[:-1], returns[-1]
        middle = median(usual)
        deviation = max(_DEVIATIONS * median(abs(entry - middle) for entry in usual), self._calm)
        score = sign * (middle - newest) / deviation
        return f"moved by {score:.1f} deviations in one bar" if score > self._score else ""


def _lies_within(quantity: Decimal, held: Decimal) -> bool:
    """Tell whether a target is between nothing and what is held."""
    return min(held, ZERO) <= quantity <= max(held, ZERO)
