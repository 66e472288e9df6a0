"""Trend: hold an instrument while its fast average is above its slow one."""

from collections import deque
from decimal import Decimal

from tidegate.strategy import Bar, Context, Strategy


class Average:
    """A moving average over a fixed number of bars, as a running sum."""

    def __init__(self, bars: int) -> None:
        """Take the number of bars."""
        self.window: deque[Decimal] = deque(maxlen=bars)
        self.total = Decimal(0)

    def update(self, close: Decimal) -> Decimal | None:
        """Take a close; return the average, or None while there are too few."""
        if len(self.window) == self.window.maxlen:
            self.total -= self.window[0]
        self.window.append(close)
        self.total += close
        return self.total / len(self.window) if len(self.window) == self.window.maxlen else None


class Trend(Strategy):
    """Buy when the fast average crosses above the slow one, sell when it crosses back; equal shares."""

    def __init__(self, fast: int, slow: int) -> None:
        """Take the two averages' lengths in bars."""
        self.fast, self.slow = fast, slow
        self.averages: dict[str, tuple[Average, Average]] = {}

    def on_bar(self, bar: Bar, context: Context) -> None:
        """Look at each instrument by itself."""
        cash = context.cash
        for symbol, close in bar.closes.items():
            pair = self.averages.setdefault(symbol, (Average(self.fast), Average(self.slow)))
            fast, slow = (average.update(close) for average in pair)
            if fast is None or slow is None:
                continue
            if fast <= slow and context.expected_position(symbol):
                context.move_to(symbol, Decimal(0))
            elif fast > slow and not context.expected_position(symbol):
                budget = context.equity / len(context.symbols) * Decimal("0.95")
                if budget <= cash:
                    context.move_to(symbol, budget / close)
                    cash -= budget
