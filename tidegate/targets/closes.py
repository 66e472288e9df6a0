"""The newest closes of each instrument, as many as a model needs."""

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal


class Closes:
    """A bounded window of closes for each instrument; bars on which it did not trade are not in it."""

    def __init__(self, count: int) -> None:
        """Take how many closes are kept."""
        self._count = count
        self._windows: dict[str, deque[Decimal]] = {}

    def add(self, closes: Mapping[str, Decimal]) -> None:
        """Take a bar's closes."""
        for symbol, close in closes.items():
            self._windows.setdefault(symbol, deque(maxlen=self._count)).append(close)

    def of(self, symbol: str) -> Sequence[Decimal]:
        """Return an instrument's closes, newest last."""
        return tuple(self._windows.get(symbol, ()))

    def forget(self, symbols: Sequence[str]) -> None:
        """Forget instruments that have gone."""
        for symbol in symbols:
            self._windows.pop(symbol, None)
