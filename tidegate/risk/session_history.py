"""Each instrument's returns from session to session: what past days would make of the positions of today."""

from collections import deque
from decimal import Decimal

from tidegate.risk.high_water import NS_PER_DAY

# A year of sessions; older ones are forgotten.
SESSIONS_MAX = 252
# Fewer returns than these say nothing: what is computed from them is undefined, never zero.
OBSERVATIONS_MIN = 60


class SessionHistory:
    """
    Returns by symbol, the newest last; a session is a UTC day, whatever the bars; the next one's first mark closes it.

    A session without a mark has no return, None, and the next one's is over both: every symbol has its newest session
    in the same place.
    """

    def __init__(self) -> None:
        """Begin before the first session."""
        self.returns: dict[str, deque[float | None]] = {}
        # How many of the returns that are kept are none of None.
        self.observations: dict[str, int] = {}
        # Sessions closed so far: whoever keeps something computed from the returns sees by it that they have changed.
        self.sessions = 0
        self._day = 0
        self._closes: dict[str, float] = {}
        self._marks: dict[str, float] = {}

    @property
    def day(self) -> int:
        """The UTC day of the session that goes on, in days since 1970."""
        return self._day

    def mark(self, symbol: str, price: Decimal, time_ns: int) -> bool:
        """Take a mark; one of a later day closes the session before it, which is told."""
        day, before = time_ns // NS_PER_DAY, self.sessions
        if day > self._day:
            self._close()
            self._day = day
        self._marks[symbol] = float(price)
        return self.sessions > before

    def _close(self) -> None:
        for symbol in self.returns:
            if symbol not in self._marks:
                self._append(symbol, None)
        for symbol, mark in self._marks.items():
            before = self._closes.get(symbol)
            if before is not None:
                self._append(symbol, mark / before - 1.0)
            self._closes[symbol] = mark
        self.sessions += bool(self._marks)
        self._marks.clear()

    def _append(self, symbol: str, new: float | None) -> None:
        returns = self.returns.setdefault(symbol, deque(maxlen=SESSIONS_MAX))
        forgotten = returns[0] if len(returns) == SESSIONS_MAX else None
        returns.append(new)
        self.observations[symbol] = self.observations.get(symbol, 0) + (new is not None) - (forgotten is not None)
