"""A ledger: cash, positions at cost, profit and loss, each in its own currency, exact to the last digit."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from tidegate.accounts import Account
from tidegate.instruments import BY_EXCHANGE, BY_VARIATION, IN_FULL, PUT, Instrument
from tidegate.numbers import ZERO, plain, round_money
from tidegate.options import Options
from tidegate.orders import BUY, Reservation
from tidegate.positions import Position

__all__ = ["Ledger", "Position"]
from tidegate.totals import Totals


@dataclass(slots=True)
class Ledger:
    """
    Cash and positions of one owner, with running sums, so that equity and exposure cost the same at any size.

    equity = capital + realised + unrealised + exchange P&L - fees, always and exactly, at whatever rates.
    cash, reserved_cash, realised_pnl, fees, exchanged: in the portfolio's currency only; ``foreign`` has the others'.
    foreign_cash, market_value, gross_exposure, reserved_loss: of all currencies, at their rates.
    reserved_loss: what equity loses at once if all working orders are filled at their limits.
    totals: sums over this ledger and whichever others share them.
    """

    currency: str
    totals: Totals = field(default_factory=Totals)
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    options: Options = field(default_factory=Options, compare=False)
    foreign: dict[str, Account] = field(default_factory=dict)
    foreign_cash: Decimal = ZERO
    exchanged: Decimal = ZERO
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
        """What the ledger is worth at the marks and rates."""
        return self.cash + self.foreign_cash + self.market_value

    @property
    def unrealised_pnl(self) -> Decimal:
        """Value at the marks less cost, over all positions."""
        return sum((position.unrealised_pnl * position.rate for position in self.positions.values()), ZERO)

    @property
    def exchange_pnl(self) -> Decimal:
        """What was exchanged, at the rates of now: what fx fills and the rates since have earned."""
        return self.exchanged + self.foreign_sum(lambda account: account.exchanged)

    def foreign_sum(self, figure: Callable[[Account], Decimal]) -> Decimal:
        """Add one figure of the foreign currencies up, at their rates."""
        return sum((figure(account) * account.rate for account in self.foreign.values()), ZERO)

    @property
    def not_transferable(self) -> Decimal:
        """Cash that is owed: proceeds of short sales, losses on futures that are not paid yet, foreign debts."""
        held = self.positions.values()
        at_home = [position for position in held if position.settlement == IN_FULL and position.account is None]
        proceeds = -sum((position.cost for position in at_home if position.quantity < ZERO), ZERO)
        futures = (position for position in held if position.settlement == BY_VARIATION)
        variation = sum((position.market_value * position.rate for position in futures), ZERO)
        debts = self.foreign_sum(lambda account: min(account.cash, ZERO))
        return max(proceeds, ZERO) - min(variation, ZERO) - debts

    def free_cash(self, currency: str) -> Decimal:
        """Cash in one currency that no working order has reserved."""
        if currency == self.currency:
            return self.cash - self.reserved_cash
        account = self.foreign.get(currency)
        return ZERO if account is None else account.cash - account.reserved_cash

    def lowest_cash(self) -> tuple[Decimal, str]:
        """Return a currency's cash that is below zero, if there is one; else the portfolio's currency's."""
        if self.cash >= ZERO:
            for currency, account in sorted(self.foreign.items()):
                if account.cash < ZERO:
                    return account.cash, currency
        return self.cash, self.currency

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
        if position.settlement != BY_EXCHANGE:
            self._revalue(position.account, position.quantity * step)
        if position.units is None:
            self._expose(symbol, position, ZERO, position.worst_quantity * step)

    def weigh(self, instrument: Instrument) -> None:
        """Expose a position in an option to its underlying's new price."""
        position = self.positions.get(instrument.symbol)
        if position is not None and instrument.option is not None:
            before = position.exposure
            position.units = self.options.units(instrument, instrument.option)
            self._expose(instrument.symbol, position, ZERO, position.exposure - before)

    def translate(self, currency: str, rate: Decimal) -> None:
        """Value a foreign currency at a new rate: by its sums, however many positions there are."""
        account = self.foreign.get(currency)
        if account is None:
            return
        step = rate - account.rate
        account.rate = rate
        totals = self.totals
        cash, value = account.cash * step, account.market_value * step
        self.foreign_cash += cash
        totals.cash += cash
        self.market_value += value
        totals.market_value += value
        exposure, loss = account.gross_exposure * step, account.reserved_loss * step
        self.gross_exposure += exposure
        totals.gross_exposure += exposure
        # No instrument's exposure grows by more than all of the currency's together.
        totals.exposure_bound += max(exposure, ZERO)
        self.reserved_loss += loss
        totals.reserved_loss += loss

    def reserve(self, instrument: Instrument, sign: int, reservation: Reservation, mark: Decimal | None) -> None:
        """Count a buy's or a sell's reservation as working; a negative quantity releases it."""
        quantity, price, unit_loss = reservation.quantity, reservation.price, reservation.unit_loss
        symbol = instrument.symbol
        position = self.positions.get(symbol)
        if position is None:
            position = self._open(instrument, price if mark is None else mark)
        before = ZERO if position.units is None else position.exposure
        if sign == BUY:
            position.working_buys += quantity
            if position.settlement != BY_VARIATION:
                self._reserve_cash(position.account, quantity * price * position.multiplier)
        else:
            position.working_sells += quantity
            if position.settlement == BY_EXCHANGE:
                self._reserve_cash(position.bought, quantity)
        if unit_loss:
            loss, account = quantity * unit_loss * position.multiplier, position.account
            if account is not None:
                account.reserved_loss += loss
                loss *= account.rate
            self.reserved_loss += loss
            self.totals.reserved_loss += loss
        self._recount(symbol, position, before)

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
        before, account = position.market_value, position.account
        exposed = ZERO if position.units is None else position.exposure
        if position.settlement == BY_EXCHANGE:
            self._exchange(position, quantity, price)
        else:
            opening, gained = quantity, ZERO
            if position.quantity * quantity < ZERO:
                opening, gained = self._close(position, quantity, price)
            position.cost += opening * price * position.multiplier
            is_future = position.settlement == BY_VARIATION
            self._pay(account, -gained if is_future else quantity * price * position.multiplier)
        position.quantity += quantity
        if fee:
            self._pay(account, fee)
            if account is None:
                self.fees += fee
            else:
                account.fees += fee
        self._revalue(account, position.market_value - before)
        self._recount(symbol, position, exposed)

    def count_groups(self) -> None:
        """Count what is held into new groups."""
        if self.totals.groups:
            for symbol, position in self.positions.items():
                self.totals.expose(symbol, position.exposure, position.account)

    def digest(self) -> bytes:
        """Hash what the ledger holds, marks and rates left out: equal digests mean equal ledgers."""
        lines = [plain(n) for n in (self.cash, self.capital, self.realised_pnl, self.fees, self.exchanged)]
        own_loss = self.reserved_loss - self.foreign_sum(lambda account: account.reserved_loss)
        lines += [plain(self.reserved_cash), plain(own_loss)]
        for currency, account in sorted(self.foreign.items()):
            own = (account.cash, account.realised_pnl, account.fees, account.exchanged)
            figures = (*own, account.reserved_cash, account.reserved_loss)
            lines.append(" ".join([currency, *map(plain, figures)]))
        for symbol, position in sorted(self.positions.items()):
            held = (position.quantity, position.cost, position.working_buys, position.working_sells)
            lines.append(" ".join([symbol, *map(plain, held)]))
        return hashlib.sha256("\n".join(lines).encode()).digest()

    def _exchange(self, position: Position, quantity: Decimal, price: Decimal) -> None:
        """Turn one currency's cash into another's."""
        paid = quantity * price
        self._pay(position.account, paid)
        self._pay(position.bought, -quantity)
        for account, amount in ((position.account, -paid), (position.bought, quantity)):
            if account is None:
                self.exchanged += amount
            else:
                account.exchanged += amount

    def _close(self, position: Position, quantity: Decimal, price: Decimal) -> tuple[Decimal, Decimal]:
        """Realise the part of a fill that closes; return the part that opens, and what was gained."""
        held, account = position.quantity, position.account
        if abs(quantity) >= abs(held):
            closing, released = -held, position.cost  # the last slice takes what rounding left over
        else:
            closing = quantity
            currency = self.currency if account is None else account.currency
            released = round_money(position.cost * -closing / held, currency)
        gained = -closing * price * position.multiplier - released
        if account is None:
            self.realised_pnl += gained
        else:
            account.realised_pnl += gained
        position.cost -= released
        return quantity - closing, gained

    def _open(self, instrument: Instrument, mark: Decimal) -> Position:
        position = Position(instrument.multiplier, mark, settlement=instrument.settlement)
        position.account = self._account(instrument.currency)
        if position.settlement == BY_EXCHANGE:
            position.bought = self._account(instrument.buys)
        elif instrument.option is not None:
            position.units = self.options.units(instrument, instrument.option)
            position.is_put = instrument.option.right == PUT
        self.positions[instrument.symbol] = position
        return position

    def _account(self, currency: str) -> Account | None:
        """Return a foreign currency's account, a new one at first; None for the portfolio's own."""
        if currency == self.currency:
            return None
        account = self.foreign.get(currency)
        if account is None:
            account = self.foreign[currency] = Account(currency, self.rates.get(currency, ZERO))
            self.totals.currencies.add(currency)
        return account

    def _pay(self, account: Account | None, amount: Decimal) -> None:
        if account is None:
            self.cash -= amount
        else:
            account.cash -= amount
            amount *= account.rate
            self.foreign_cash -= amount
        self.totals.cash -= amount

    def _reserve_cash(self, account: Account | None, amount: Decimal) -> None:
        if account is None:
            self.reserved_cash += amount
        else:
            account.reserved_cash += amount

    def _revalue(self, account: Account | None, change: Decimal) -> None:
        if account is not None:
            account.market_value += change
            change *= account.rate
        self.market_value += change
        self.totals.market_value += change

    def _recount(self, symbol: str, position: Position, exposed: Decimal) -> None:
        """Carry a change of quantities over to the exposures; exposed: an option's before it."""
        grown = position.recount()
        if position.units is not None:
            self._expose(symbol, position, grown, position.exposure - exposed)
        elif grown:
            self._expose(symbol, position, grown, grown * position.mark * position.multiplier)
        if not position.worst_quantity:
            self.positions.pop(symbol)

    def _expose(self, symbol: str, position: Position, quantity: Decimal, amount: Decimal) -> None:
        """Carry a change of one position's worst case over to the sums."""
        totals, account = self.totals, position.account
        if totals.groups:
            totals.expose(symbol, amount, account)
        own = amount
        if account is not None:
            account.gross_exposure += amount
            amount *= account.rate
        self.gross_exposure += amount
        totals.gross_exposure += amount
        worst = totals.worst_quantities.get(symbol, ZERO) + quantity
        if worst:
            totals.worst_quantities[symbol] = worst
            if position.units is None:
                exposure = worst * position.mark * position.multiplier
            else:
                exposure = totals.option_exposures.get(symbol, ZERO) + own
                totals.option_exposures[symbol] = exposure
            if account is not None:
                exposure *= account.rate
            totals.exposure_bound = max(totals.exposure_bound, exposure)
        elif quantity:
            del totals.worst_quantities[symbol]
            totals.option_exposures.pop(symbol, None)
