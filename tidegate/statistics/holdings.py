"""What is held today, against the returns of the past: how much each session would have made of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from tidegate.errors import StatisticsError
from tidegate.numbers import ZERO, round_ratio
from tidegate.statistics.vectors import Vector, same_length, vector

Returns = Mapping[str, Vector]


@dataclass(frozen=True, slots=True)
class Holding:
    """
    What one strategy holds of one instrument: its value in the base currency, below zero for a short.

    Without a rate of its currency the value is None, and so is every sum that it belongs to.
    """

    strategy_id: str
    symbol: str
    sector: str
    value: Decimal | None


def by_strategy(holding: Holding) -> str:
    """Name a holding's strategy."""
    return holding.strategy_id


def by_symbol(holding: Holding) -> str:
    """Name a holding's instrument."""
    return holding.symbol


def by_sector(holding: Holding) -> str:
    """Name a holding's sector."""
    return holding.sector


def summed(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Add amounts up; None where one of them is."""
    total = ZERO
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


def net_values(holdings: Sequence[Holding], part: Callable[[Holding], str]) -> dict[str, Decimal | None]:
    """Sum the values of each part, longs against shorts."""
    sums: dict[str, Decimal | None] = {}
    for holding in holdings:
        sums[part(holding)] = summed((sums.get(part(holding), ZERO), holding.value))
    return sums


def exposures(holdings: Sequence[Holding], part: Callable[[Holding], str]) -> dict[str, Decimal | None]:
    """Sum the sizes of each part, gross across strategies: a long and a short do not cancel."""
    sums: dict[str, Decimal | None] = {}
    for holding in holdings:
        size = None if holding.value is None else abs(holding.value)
        sums[part(holding)] = summed((sums.get(part(holding), ZERO), size))
    return sums


def share(amount: Decimal | None, equity: Decimal) -> Decimal | None:
    """Return an amount as a share of equity, for display; None at equity <= 0."""
    return None if amount is None or equity <= ZERO else round_ratio(amount / equity)


def checked(returns: Returns) -> dict[str, Vector]:
    """
    Take session returns by instrument, oldest first.

    Raises:
        StatisticsError: a return is no finite number, or the instruments do not have the same sessions.
    """
    taken = {symbol: vector(one) for symbol, one in returns.items()}
    same_length(*taken.values())
    return taken


def without_history(holdings: Sequence[Holding], returns: Returns) -> tuple[str, ...]:
    """Name what is held and has no returns, or no value: no figure of a whole with it is defined."""
    return tuple(sorted({one.symbol for one in holdings if one.symbol not in returns or one.value is None}))


def profits(holdings: Sequence[Holding], returns: Returns, part: Callable[[Holding], str]) -> dict[str, Vector]:
    """
    Return what each session of the past would have made of each part as it is held today.

    Raises:
        StatisticsError: an instrument has no returns, or no value.
    """
    nets: dict[tuple[str, str], Decimal] = {}  # exact, so that what cancels leaves no dust
    for holding in holdings:
        if holding.value is None or holding.symbol not in returns:
            message = f"{holding.symbol} has no {'value' if holding.value is None else 'returns'}"
            raise StatisticsError(message)
        key = part(holding), holding.symbol
        nets[key] = nets.get(key, ZERO) + holding.value
    made: dict[str, Vector] = {}
    for (name, symbol), value in nets.items():
        profit = float(value) * returns[symbol]
        made[name] = made[name] + profit if name in made else profit
    return made


def whole(parts: Mapping[str, Vector], sessions: int) -> Vector:
    """Return the profits of all parts together; nothing held makes nothing."""
    made: Vector = np.sum([*parts.values(), np.zeros(sessions)], axis=0)
    return made
