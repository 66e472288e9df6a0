"""A collection of portfolio targets, one an instrument."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from tidegate.numbers import ZERO
from tidegate.targets.context import RiskContext
from tidegate.targets.target import PortfolioTarget


class PortfolioTargetCollection(Mapping[str, PortfolioTarget]):
    """Targets by symbol; a newer target of an instrument takes the place of the older one."""

    def __init__(self, targets: Iterable[PortfolioTarget] = ()) -> None:
        """Begin with some targets."""
        self._targets: dict[str, PortfolioTarget] = {}
        self.add(*targets)

    def add(self, *targets: PortfolioTarget) -> None:
        """Take targets in."""
        for target in targets:
            self._targets[target.symbol] = target

    def contains(self, target: PortfolioTarget) -> bool:
        """Tell whether exactly this target is in it; ``symbol in collection`` asks for any of an instrument."""
        return self._targets.get(target.symbol) == target

    def remove(self, symbol: str) -> bool:
        """Take an instrument's target out; tell whether there was one."""
        return self._targets.pop(symbol, None) is not None

    def clear(self) -> None:
        """Take all targets out."""
        self._targets.clear()

    def clear_fulfilled(self, context: RiskContext) -> None:
        """Take out what is held already and has no order working."""
        for symbol, target in list(self._targets.items()):
            position = context.positions.get(symbol)
            works = position is not None and (position.working_buys or position.working_sells)
            if context.held(symbol) == target.quantity and not works:
                del self._targets[symbol]

    def order_by_margin_impact(self, context: RiskContext) -> list[PortfolioTarget]:
        """
        Return the targets that lead somewhere: first those that only reduce a position, then the largest value first.

        Left out is what has no price yet, and what the position with its working orders comes to already. A target on
        the other side of zero is a new risk and no reduction.
        """
        ranked = []
        for target in self._targets.values():
            expected = context.expected(target.symbol)
            step = target.quantity - expected
            value = context.value(target.symbol, step)
            if value:
                reduces = step * expected < ZERO and abs(step) <= abs(expected)
                ranked.append((not reduces, -abs(value), target.symbol, target))
        return [entry[-1] for entry in sorted(ranked, key=_rank)]

    def __getitem__(self, symbol: str) -> PortfolioTarget:
        """Return an instrument's target."""
        return self._targets[symbol]

    def __iter__(self) -> Iterator[str]:
        """Go through the symbols, oldest target first."""
        return iter(self._targets)

    def __len__(self) -> int:
        """Count the targets."""
        return len(self._targets)


def _rank(entry: tuple[bool, Decimal, str, PortfolioTarget]) -> tuple[bool, Decimal, str]:
    return entry[:3]
