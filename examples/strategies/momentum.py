"""Momentum: hold what rose most over the last bars."""

from collections import deque
from decimal import Decimal

from tidegate.strategy import Bar, Context, Strategy


class Momentum(Strategy):
    """
    Every ``lookback`` bars, spread the strategy's equity evenly over the ``holdings`` best risers.

    The return over the lookback decides; only risers are held, the rest is cash.
    """

    def __init__(self, lookback: int, holdings: int) -> None:
        """Take the number of bars to look back, and how many instruments to hold at most."""
        self.holdings = holdings
        self.lookback = lookback
        self.closes: dict[str, deque[Decimal]] = {}
        self.bars = 0

    def on_bar(self, bar: Bar, context: Context) -> None:
        """Rank, then move to the new holdings."""
        for symbol, close in bar.closes.items():
            self.closes.setdefault(symbol, deque(maxlen=self.lookback + 1)).append(close)
        self.bars += 1
        if self.bars <= self.lookback or self.bars % self.lookback:
            return
        rises = {
            symbol: closes[-1] / closes[0] - 1
            for symbol, closes in self.closes.items()
            if symbol in bar.closes and len(closes) > self.lookback
        }
        ranked = sorted(rises, key=lambda symbol: (-rises[symbol], symbol))
        chosen = [symbol for symbol in ranked[: self.holdings] if rises[symbol] > 0]
        for symbol in context.symbols:
            if symbol not in chosen and context.position(symbol):
                context.move_to(symbol, Decimal(0))
        for symbol in chosen:
            budget = context.equity / self.holdings
            context.move_to(symbol, budget / bar.closes[symbol])
