"""The strategies of a run with real processes."""

from decimal import Decimal

from tidegate.strategy import Bar, Context, Strategy


class Swinger(Strategy):
    """Hold a little of everything, and a little more or less every bar."""

    def __init__(self, quantity: int) -> None:
        """Begin with no bar."""
        self.quantity = quantity
        self.bars = 0

    def on_bar(self, bar: Bar, context: Context) -> None:
        """Swing."""
        self.bars += 1
        for symbol in bar.closes:
            context.move_to(symbol, Decimal(self.quantity + self.bars % 5))
