"""Mean reversion: buy what fell too fast, sell it when it has recovered."""

from decimal import Decimal

from tidegate.strategy import Bar, Context, Strategy


class RelativeStrength:
    """The RSI of one instrument, with Wilder's smoothing (1978), 0 to 100."""

    def __init__(self, period: int) -> None:
        """Take the smoothing period in bars."""
        self.period = period
        self.last: float | None = None
        self.bars = 0
        self.rise = 0.0
        self.fall = 0.0

    def update(self, close: float) -> float | None:
        """Take a close; return the RSI, or None while there are too few."""
        change = 0.0 if self.last is None else close - self.last
        self.last = close
        self.bars += 1
        weight = 1 / min(self.bars, self.period)
        self.rise += (max(change, 0.0) - self.rise) * weight
        self.fall += (max(-change, 0.0) - self.fall) * weight
        if self.bars <= self.period:
            return None
        total = self.rise + self.fall
        return 100 * self.rise / total if total else 50.0


class MeanReversion(Strategy):
    """Buy an instrument when its RSI falls below ``oversold``; sell it when the RSI is back above ``exit_above``."""

    def __init__(self, period: int, oversold: int, exit_above: int, slots: int) -> None:
        """Take the RSI's period and thresholds, and how many positions the capital is split into."""
        self.period = period
        self.oversold = oversold
        self.exit_above = exit_above
        self.slots = slots
        self.strengths: dict[str, RelativeStrength] = {}

    def on_bar(self, bar: Bar, context: Context) -> None:
        """Look at each instrument by itself."""
        held = sum(1 for symbol in context.symbols if context.expected_position(symbol))
        for symbol, close in bar.closes.items():
            strength = self.strengths.setdefault(symbol, RelativeStrength(self.period)).update(float(close))
            if strength is None:
                continue
            if context.expected_position(symbol):
                if strength > self.exit_above:
                    context.move_to(symbol, Decimal(0))
            elif strength < self.oversold and held < self.slots:
                # A little below the slot's share: fees and the next close come on top.
                budget = context.equity / self.slots * Decimal("0.95")
                context.move_to(symbol, budget / close)
                held += 1
