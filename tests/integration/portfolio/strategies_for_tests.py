"""Strategies that do what a test needs."""

import os
import time
from decimal import Decimal
from pathlib import Path

from tidegate.strategy import Bar, Context, Fill, Strategy


class Holder(Strategy):
    """Keep a fixed quantity of each instrument, and swing it a little every bar."""

    def __init__(self, quantity: int) -> None:
        self.quantity = quantity
        self.bars = 0
        self.fills = 0

    def on_fill(self, fill: Fill, context: Context) -> None:
        self.fills += 1

    def on_bar(self, bar: Bar, context: Context) -> None:
        self.bars += 1
        for symbol in context.symbols:
            context.move_to(symbol, Decimal(self.quantity + self.bars % 3 + self.fills % 2))


class Breaking(Strategy):
    """Raise on the third bar."""

    def __init__(self) -> None:
        self.bars = 0

    def on_bar(self, bar: Bar, context: Context) -> None:
        self.bars += 1
        if self.bars == 3:
            message = "what no test foresaw"
            raise RuntimeError(message)


class Hanging(Strategy):
    """Do not come back from the third bar."""

    def __init__(self) -> None:
        self.bars = 0

    def on_bar(self, bar: Bar, context: Context) -> None:
        self.bars += 1
        if self.bars == 3:
            time.sleep(3_600)


class Crashing(Strategy):
    """Take the process down on the third bar, once for each count in a file."""

    def __init__(self, lives: str) -> None:
        self.lives = Path(lives)
        self.bars = 0

    def on_bar(self, bar: Bar, context: Context) -> None:
        self.bars += 1
        left = int(self.lives.read_text(encoding="utf-8"))
        if self.bars == 3 and left:
            self.lives.write_text(str(left - 1), encoding="utf-8")
            os._exit(1)


class Remembering(Holder):
    """A holder that saves what it has counted."""

    def save_state(self) -> bytes:
        return f"{self.bars} {self.fills}".encode()

    def load_state(self, state: bytes) -> None:
        self.bars, self.fills = map(int, state.split())
