"""The limits in force: what the portfolio file states, and what operators have changed since."""

from collections.abc import Iterable, Iterator

from tidegate.risk.limit import (
    CONCENTRATION,
    DRAWDOWN,
    LEVERAGE,
    ORDER_NOTIONAL,
    ORDER_QUANTITY,
    Figure,
    Limit,
    LimitKey,
)
from tidegate.risk.limits import Limits
from tidegate.risk.scopes import PORTFOLIO, Scope
from tidegate.v1 import common_pb2

REJECT = common_pb2.ACTION_REJECT
HALT = common_pb2.ACTION_HALT


class LimitTable:
    """One limit a figure, scope and action; a temporary one remembers what stood before it."""

    def __init__(self, limits: Iterable[Limit] = ()) -> None:
        """Begin with the limits of the portfolio file."""
        self._standing: dict[LimitKey, Limit] = {}
        self._before: dict[LimitKey, Limit | None] = {}
        self._expires_ns: dict[LimitKey, int] = {}
        for limit in limits:
            self.set(limit)

    def __iter__(self) -> Iterator[Limit]:
        """Go through the limits in force."""
        return iter(self._standing.values())

    def get(self, figure: Figure, scope: Scope = PORTFOLIO, action: common_pb2.Action.ValueType = REJECT) -> Limit:
        """Return a limit in force; one that bounds nothing where there is none."""
        key = LimitKey(figure, scope, action)
        return self._standing.get(key) or Limit(figure, scope, action=action)

    def set(self, limit: Limit) -> None:
        """Put a limit in the place of the one that stands, for good or for a time."""
        key = limit.key
        if limit.expires_ns:
            self._before.setdefault(key, self._standing.get(key))
            self._expires_ns[key] = limit.expires_ns
        else:
            self._before.pop(key, None)
            self._expires_ns.pop(key, None)
        self._put(key, limit)

    def expire(self, key: LimitKey) -> None:
        """Let what stood before a temporary limit come back."""
        del self._expires_ns[key]
        self._put(key, self._before.pop(key))

    def expired(self, now_ns: int) -> list[LimitKey]:
        """Name the temporary limits whose time has come."""
        return [key for key, expires_ns in self._expires_ns.items() if expires_ns <= now_ns]

    def _put(self, key: LimitKey, limit: Limit | None) -> None:
        if limit is None or limit.is_none:
            self._standing.pop(key, None)
        else:
            self._standing[key] = limit


def portfolio_limits(limits: Limits) -> Iterator[Limit]:
    """Turn the portfolio's own limits into entries of the table."""
    yield Limit(LEVERAGE, warn=limits.warn_leverage, limit=limits.max_leverage)
    yield Limit(CONCENTRATION, warn=limits.warn_concentration, limit=limits.max_concentration)
    yield Limit(DRAWDOWN, warn=limits.warn_drawdown, limit=limits.max_drawdown)
    yield Limit(DRAWDOWN, limit=limits.halt_drawdown, action=HALT)
    yield Limit(ORDER_QUANTITY, limit=limits.max_order_quantity)
    yield Limit(ORDER_NOTIONAL, limit=limits.max_order_notional)
