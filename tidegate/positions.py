"""A position: one instrument in one ledger, at cost and at its mark."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.accounts import Account
from tidegate.instruments import BY_EXCHANGE, BY_VARIATION, IN_FULL
from tidegate.numbers import ONE, ZERO
from tidegate.options import Units


@dataclass(slots=True)
class Position:
    """
    One instrument in one ledger; negative quantities are short.

    cost: what was paid for the quantity held, signed like it; total, so that no division is ever stored.
    working_buys, working_sells: what accepted orders may still fill.
    worst_quantity: the largest quantity, long or short, that the working orders could make of the position.
    account: that of the currency that it is priced in; None for the portfolio's own. bought: of fx, the other one's.
    units: of an option, what a unit of it is exposed to; None for what is exposed to its own price. is_put: whether it
    moves against its underlying.
    """

    multiplier: Decimal
    mark: Decimal
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    working_buys: Decimal = ZERO
    working_sells: Decimal = ZERO
    worst_quantity: Decimal = ZERO
    settlement: int = IN_FULL
    account: Account | None = None
    bought: Account | None = None
    units: Units | None = None
    is_put: bool = False

    def recount(self) -> Decimal:
        """Work the worst case out again after a change; return by how much it grew."""
        quantity, before = self.quantity, self.worst_quantity
        up, down = abs(quantity + self.working_buys), abs(quantity - self.working_sells)
        self.worst_quantity = max(down, up)
        return self.worst_quantity - before

    @property
    def market_value(self) -> Decimal:
        """What the ledger has in it at the mark: of a future what it gained on its cost, of fx nothing but cash."""
        if self.settlement == BY_EXCHANGE:
            return ZERO
        value = self.quantity * self.mark * self.multiplier
        return value - self.cost if self.settlement == BY_VARIATION else value

    @property
    def exposure(self) -> Decimal:
        """Worst-case exposure, in its own currency."""
        if self.units is None:
            return self.worst_quantity * self.mark * self.multiplier
        return self.units.worst(self.quantity + self.working_buys, self.quantity - self.working_sells)

    @property
    def net_exposure(self) -> Decimal:
        """Signed exposure of what is held, whatever was paid for it; a put's is against its underlying."""
        if self.units is None:
            return self.quantity * self.mark * self.multiplier
        return -self.quantity * self.units.held if self.is_put else self.quantity * self.units.held

    @property
    def average_cost(self) -> Decimal:
        """Price paid per unit held; for display, since it is rarely exact."""
        return self.cost / (self.quantity * self.multiplier) if self.quantity else ZERO

    @property
    def unrealised_pnl(self) -> Decimal:
        """Value at the mark less cost."""
        return self.market_value - self.cost if self.settlement == IN_FULL else self.market_value

    @property
    def rate(self) -> Decimal:
        """What a unit of its currency is worth in the portfolio's."""
        return ONE if self.account is None else self.account.rate
