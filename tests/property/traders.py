"""What the machine's strategies do: little, and always the same; and how one of them comes to life."""

from decimal import Decimal

from tests.property.rig import CONFIGURATION
from tidegate.gate import Gate
from tidegate.history import read_history
from tidegate.strategy import Bar, Context, Fill, Strategy
from tidegate.strategy_runner import StrategyRunner
from tidegate.v1 import actors_pb2


class Wavering(Strategy):
    """Buys and sells by the last digit of a price, and sells what fills have given it."""

    def __init__(self) -> None:
        """Begin without a fill."""
        self.filled = Decimal(0)

    def on_bar(self, bar: Bar, context: Context) -> None:
        for symbol, close in bar.closes.items():
            lot = context.instruments[symbol].lot
            if int(close * 1000) % 2:
                context.buy(symbol, lot * 3)
            elif context.position(symbol) > 0 and self.filled > 0:
                context.sell(symbol, lot)

    def on_fill(self, fill: Fill, context: Context) -> None:
        del context
        self.filled += fill.quantity

    def save_state(self) -> bytes:
        return str(self.filled).encode()

    def load_state(self, state: bytes) -> None:
        self.filled = Decimal(state.decode())


def revive(strategy_id: str, gate: Gate, up_to: int, page: int, saved: int = 0) -> StrategyRunner:
    """
    Build a strategy anew and let it live through the journal up to a sequence, some events at a time.

    saved: after which event its saved state is found; 0 for its whole history.
    """
    runner = StrategyRunner(strategy_id, Wavering(), CONFIGURATION, route="paper")
    after = saved
    while after < up_to:
        history = actors_pb2.ReadHistoryRequest(
            strategy_id=strategy_id, after_sequence=after, up_to_sequence=min(after + page, up_to)
        )
        response = read_history(gate.journal, history)
        runner.catch_up(response.events)
        after = response.next_after_sequence
    runner.end_catch_up()
    return runner
