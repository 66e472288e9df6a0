"""Running sums over ledgers: a portfolio's figures cost the same at any size."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from tidegate.accounts import Account
from tidegate.numbers import ZERO


@dataclass(slots=True)
class Totals:
    """
    Running sums over ledgers, kept by the ledgers themselves: a portfolio's figures cost the same at any size.

    All in the portfolio's currency, foreign ones at their rates.
    currencies: the foreign ones that any ledger has had to do with.
    worst_quantities: by symbol, the worst-case quantities of all ledgers; symbols that nobody holds are not in it.
    exposure_bound: no instrument's exposure is above it; growth raises it, only a look at all of them lowers it.
    groups: by symbol, the groups whose exposures are summed; group_exposures: those sums.
    option_exposures: by symbol, options' exposures, each in its currency: no product of quantity and price gives them.
    foreign_groups: by currency, the part of those sums that is in it, in that currency.
    """

    cash: Decimal = ZERO
    market_value: Decimal = ZERO
    gross_exposure: Decimal = ZERO
    reserved_loss: Decimal = ZERO
    worst_quantities: dict[str, Decimal] = field(default_factory=dict)
    exposure_bound: Decimal = ZERO
    currencies: set[str] = field(default_factory=set)
    groups: Mapping[str, tuple[Hashable, ...]] = field(default_factory=dict)
    group_exposures: dict[Hashable, Decimal] = field(default_factory=dict)
    option_exposures: dict[str, Decimal] = field(default_factory=dict)
    foreign_groups: dict[str, dict[Hashable, Decimal]] = field(default_factory=dict)

    def group(self, groups: Mapping[str, tuple[Hashable, ...]]) -> None:
        """Sum other groups from now on; each ledger then counts what it holds."""
        self.groups, self.group_exposures, self.foreign_groups = groups, {}, {}

    def expose(self, symbol: str, amount: Decimal, account: Account | None) -> None:
        """Carry a change of an instrument's exposure, in its own currency, over to the groups that it is in."""
        groups = self.groups.get(symbol, ())
        if groups and account is not None:
            own = self.foreign_groups.setdefault(account.currency, {})
            for group in groups:
                own[group] = own.get(group, ZERO) + amount
            amount *= account.rate
        for group in groups:
            self.group_exposures[group] = self.group_exposures.get(group, ZERO) + amount

    def translate(self, currency: str, step: Decimal) -> None:
        """Carry a change of a currency's rate over to the groups; each ledger does so for its own sums."""
        for group, exposure in self.foreign_groups.get(currency, {}).items():
            self.group_exposures[group] += exposure * step
