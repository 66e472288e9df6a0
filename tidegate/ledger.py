"""A ledger: cash, positions at cost, profit and loss. Everything in one currency, exact to the last digit."""

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from tidegate.instruments import Instrument
from tidegate.numbers import ZERO, plain, round_money
from tidegate.orders import BUY, Reservation


@dataclass(slots=True)
class Position:
    """
    One instrument in one ledger; negative quantities are short.

    cost: what was paid for the quantity held, signed like it; total, so that no division is ever stored.
    working_buys, working_sells: what accepted orders may still fill.
    worst_quantity: the largest quantity, long or short, that the working orders could make of the position.
    """

    multiplier: Decimal
    mark: Decimal
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    working_buys: Decimal = ZERO
    working_sells: Decimal = ZERO
    worst_quantity: Decimal = ZERO

    def recount(self) -> Decimal:
        """Work the worst case out again after a change; return by how much it grew."""
        quantity, before = self.quantity, self.worst_quantity
        up, down = abs(quantity + self.working_buys), abs(quantity - self.working_sells)
        self.worst_quantity = max(down, up)
        return self.worst_quantity - before

    @property
    def market_value(self) -> Decimal:
        """Signed value at the mark."""
        return self.quantity * self.mark * self.multiplier

    @property
    def average_cost(self) -> Decimal:
        """Price paid per unit held; for display, since it is rarely exact."""
        return self.cost / (self.quantity * self.multiplier) if self.quantity else ZERO

    @property
    def unrealised_pnl(self) -> Decimal:
        """Value at the mark less cost."""
        return self.market_value - self.cost


@dataclass(slots=True)
class Totals:
    """
    Running sums over ledgers, kept by the ledgers themselves: a portfolio's figures cost the same at any size.

    worst_quantities: by symbol, the worst-case quantities of all ledgers; symbols that nobody holds are not in it.
    exposure_bound: no instrument's exposure is above it; growth raises it, only a look at all of them lowers it.
    groups: by symbol, the groups whose exposures are summed; group_exposures: those sums.
    """

    cash: Decimal = ZERO
    market_value: Decimal = ZERO
    gross_exposure: Decimal = ZERO
    reserved_loss: Decimal = ZERO
    worst_quantities: dict[str, Decimal] = field(default_factory=dict)
    exposure_bound: Decimal = ZERO
    groups: Mapping[str, tuple[Hashable, ...]] = field(default_factory=dict)
    group_exposures: dict[Hashable, Decimal] = field(default_factory=dict)

    def group(self, groups: Mapping[str, tuple[Hashable, ...]]) -> None:
        """Sum other groups from now on; each ledger then counts what it holds."""
        self.groups, self.group_exposures = groups, {}

    def expose(self, symbol: str, amount: Decimal) -> None:
        """Carry a change of an instrument's exposure over to the groups that it is in."""
        for group in self.groups.get(symbol, ()):
            self.group_exposures[group] = self.group_exposures.get(group, ZERO) + amount


@dataclass(slots=True)
class Ledger:
    """
    Cash and positions of one owner, with running sums, so that equity and exposure cost the same at any size.

    equity = cash + market_value = capital + realised + unrealised - fees, always and exactly.
    reserved_loss: what equity loses at once if all working orders are filled at their limits.
    totals: sums over this ledger and whichever others share them.
    """

    currency: str
    totals: Totals = field(default_factory=Totals)
    cash: Decimal = ZERO
    capital: Decimal = ZERO
    realised_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    reserved_cash: Decimal = ZERO
    reserved_loss: Decimal = ZERO
    market_value: Decimal = ZERO
    gross_exposure: Decimal = ZERO
    positions: dict[str, Position] = field(default_factory=dict)

    @property
    def equity(self) -> Decimal:
        """What the ledger is worth at the marks."""
        return self.cash + self.market_value

    @property
    def unrealised_pnl(self) -> Decimal:
        """Value at the marks less cost, over all positions."""
        return sum((position.unrealised_pnl for position in self.positions.values()), ZERO)

    @property
    def short_proceeds(self) -> Decimal:
        """Cash that came from selling short and is owed back."""
        return -sum((position.cost for position in self.positions.values() if position.quantity < ZERO), ZERO)

    def worst_quantity(self, symbol: str) -> Decimal:
        """Return the worst-case quantity in one instrument, working orders included."""
        position = self.positions.get(symbol)
        return position.worst_quantity if position is not None else ZERO

    def transfer(self, amount: Decimal) -> None:
        """Put capital in, or take it out with a negative amount: never performance."""
        self.cash += amount
        self.totals.cash += amount
        self.capital += amount

    def mark(self, symbol: str, price: Decimal) -> None:
        """Value a position at a new price; an instrument without a position is ignored."""
        position = self.positions.get(symbol)
        if position is None:
            return
        step = (price - position.mark) * position.multiplier
        position.mark = price
        self._revalue(position.quantity * step)
        self._expose(symbol, position, ZERO, position.worst_quantity * step)

    def reserve(self, instrument: Instrument, sign: int, reservation: Reservation, mark: Decimal | None) -> None:
        """Count a buy's or a sell's reservation as working; a negative quantity releases it."""
        quantity, price, unit_loss = reservation
        symbol = instrument.symbol
        position = self.positions.get(symbol)
        if position is None:
            position = self._open(instrument, price if mark is None else mark)
        if sign == BUY:
            position.working_buys += quantity
            self.reserved_cash += quantity * price * position.multiplier
        else:
            position.working_sells += quantity
        if unit_loss:
            loss = quantity * unit_loss * position.multiplier
            self.reserved_loss += loss
            self.totals.reserved_loss += loss
        if grown := position.recount():
            self._expose(symbol, position, grown, grown * position.mark * position.multiplier)
            if not position.worst_quantity:
                del self.positions[symbol]

    def fill(
        self, instrument: Instrument, quantity: Decimal, *, price: Decimal, fee: Decimal, mark: Decimal | None
    ) -> None:
        """
        Book what the broker did; quantity is negative for a sale.

        A sale of more than is held closes the position and opens a short one; the same the other way round.
        """
        symbol = instrument.symbol
        position = self.positions.get(symbol)
        if position is None:
            position = self._open(instrument, price if mark is None else mark)
        before = position.market_value
        opening = quantity
        if position.quantity * quantity < ZERO:
            opening = self._close(position, quantity, price)
        position.cost += opening * price * position.multiplier
        position.quantity += quantity
        paid = quantity * price * position.multiplier + fee
        self.cash -= paid
        self.totals.cash -= paid
        self.fees += fee
        self._revalue(position.market_value - before)
        grown = position.recount()
        self._expose(symbol, position, grown, grown * position.mark * position.multiplier)
        if not position.worst_quantity:
            del self.positions[symbol]

    def count_groups(self) -> None:
        """Count what is held into new groups."""
        if self.totals.groups:
            for symbol, position in self.positions.items():
                self.totals.expose(symbol, position.worst_quantity * position.mark * position.multiplier)

    def digest(self) -> bytes:
        """Hash what the ledger holds, marks left out: equal digests mean equal ledgers."""
        lines = [plain(n) for n in (self.cash, self.capital, self.realised_pnl, self.fees)]
        lines += [plain(self.reserved_cash), plain(self.reserved_loss)]
        for symbol, position in sorted(self.positions.items()):
            figures = (position.quantity, position.cost, position.working_buys, position.working_sells)
            lines.append(" ".join([symbol, *map(plain, figures)]))
        return hashlib.sha256("\n".join(lines).encode()).digest()

    def _close(self, position: Position, quantity: Decimal, price: Decimal) -> Decimal:
        """Realise the part of a fill that closes; return the part that opens."""
        held = position.quantity
        if abs(quantity) >= abs(held):
            closing, released = -held, position.cost  # the last slice takes what rounding left over
        else:
            closing = quantity
            released = round_money(position.cost * -closing / held, self.currency)
        self.realised_pnl += -closing * price * position.multiplier - released
        position.cost -= released
        return quantity - closing

    def _open(self, instrument: Instrument, mark: Decimal) -> Position:
        position = self.positions[instrument.symbol] = Position(instrument.multiplier, mark)
        return position

    def _revalue(self, change: Decimal) -> None:
        self.market_value += change
        self.totals.market_value += change

    def _expose(self, symbol: str, position: Position, quantity: Decimal, amount: Decimal) -> None:
        """Carry a change of one position's worst case over to the sums."""
        totals = self.totals
        self.gross_exposure += amount
        totals.gross_exposure += amount
        if totals.groups:
            totals.expose(symbol, amount)
        worst = totals.worst_quantities.get(symbol, ZERO) + quantity
        if worst:
            totals.worst_quantities[symbol] = worst
            exposure = worst * position.mark * position.multiplier
            totals.exposure_bound = max(totals.exposure_bound, exposure)
        elif quantity:
            del totals.worst_quantities[symbol]
