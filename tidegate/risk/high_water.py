"""What losses are measured from: high-water marks, and the equity when the day began; capital moved is no loss."""

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal

from tidegate.numbers import ZERO, round_money
from tidegate.risk.scopes import Scope
from tidegate.times import NS_PER_S

NS_PER_DAY = 86_400 * NS_PER_S


class HighWater:
    """
    Each scope's high-water mark, and its equity when the UTC day of the newest event began.

    The drawdown stays what it was when capital comes or goes; the day's beginning moves with it.
    """

    def __init__(self, currency: str) -> None:
        """Begin with no scope."""
        self._currency = currency
        self._peaks: dict[Scope, Decimal] = {}
        self._day_starts: dict[Scope, Decimal] = {}
        self.day_ends_ns = 0

    def peak_of(self, scope: Scope) -> Decimal:
        """Return a scope's high-water mark."""
        return self._peaks.get(scope, ZERO)

    def day_start_of(self, scope: Scope) -> Decimal:
        """Return a scope's equity when the day began, with what was put in since."""
        return self._day_starts.get(scope, ZERO)

    def begin_day(self, time_ns: int, equities: Mapping[Scope, Decimal]) -> None:
        """Take the equities of before the day's first event."""
        self._day_starts = dict(equities)
        self.day_ends_ns = (time_ns // NS_PER_DAY + 1) * NS_PER_DAY

    def raise_to(self, scope: Scope, equity: Decimal) -> None:
        """Take an equity that may be a new high."""
        self._peaks[scope] = max(self._peaks.get(scope, equity), equity)

    def rebase(self, scope: Scope, equity: Decimal) -> None:
        """Let losses count from now, as an operator has chosen."""
        self._peaks[scope] = self._day_starts[scope] = equity

    def move(self, scope: Scope, before: Decimal, amount: Decimal) -> None:
        """Take capital that came, or went with a negative amount; before: the equity without it."""
        after, peak = before + amount, self.peak_of(scope)
        self._day_starts[scope] = self.day_start_of(scope) + amount
        if before <= ZERO or after <= ZERO or peak == before:
            self._peaks[scope] = peak + amount
            return
        # A part of a cent is dropped, so that no movement of capital halts.
        scaled = round_money(peak * after / before, self._currency, ROUND_FLOOR)
        self._peaks[scope] = max(scaled, after)
