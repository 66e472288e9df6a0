"""Equal shares: as much of each instrument, by targets that pass the risk models of the portfolio file."""

from decimal import Decimal

from tidegate.strategy import Bar, Context, Strategy


class EqualShares(Strategy):
    """
    Every ``period`` bars, spread a share of the equity evenly over all instruments that have traded.

    What a risk model has liquidated is left alone for ``rest`` bars, then re-armed: the next period buys it again.
    """

    def __init__(self, exposure: Decimal | int, period: int, rest: int) -> None:
        """Take the share of the equity to hold in all, how often to rebalance, and how long to stay out."""
        self.exposure = Decimal(exposure)
        self.period = period
        self.rest = rest
        self.bars = 0
        self.out: dict[str, int] = {}

    def on_bar(self, bar: Bar, context: Context) -> None:
        """Re-arm what has rested, then say what is to be held; a target counts for this bar."""
        self.out = {symbol: self.out.get(symbol, 0) + 1 for symbol in context.suppressed}
        for symbol, bars in self.out.items():
            if bars >= self.rest:
                context.rearm(symbol)
        if self.bars % self.period == 0:
            for symbol in bar.closes:
                context.target_share(symbol, self.exposure / len(context.symbols))
        self.bars += 1
