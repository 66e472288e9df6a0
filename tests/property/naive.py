"""
A naive model of the book: everything added up afresh from the facts, in fractions.

Where the engine keeps running sums, this keeps none; where the engine decides, this says what had to be decided.
"""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from math import floor

from tests.property.facts import NS_PER_S, PORTFOLIO, Accepted, Facts, ScopeName
from tidegate.instruments import Instrument, OptionTerms
from tidegate.options import delta_share
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2

Finding = tuple[str, common_pb2.Action.ValueType]

HALTED = common_pb2.HALT_LEVEL_HALTED
WARN, REJECT, HALT = common_pb2.ACTION_WARN, common_pb2.ACTION_REJECT, common_pb2.ACTION_HALT

_REBASE = admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE


class Naive(Facts):
    """What the facts add up to, and what has to follow from them."""

    def __init__(self, configured: journal_pb2.PortfolioConfigured) -> None:
        """Begin with the peak that the capital is."""
        super().__init__(configured)
        self.peak = Fraction(configured.capital)

    def fold(self, event: journal_pb2.Event) -> None:
        """Take one event; the peak is the one thing that no fact tells."""
        before = self.equity()
        self.take(event)
        after = self.equity()
        if event.HasField("capital_moved"):
            moved = after - before
            if before <= 0 or after <= 0 or self.peak == before:
                self.peak += moved
            else:
                self.peak = Fraction(floor(self.peak * after / before * 100), 100)
        elif event.halt_reset.high_water_mark == _REBASE and not event.halt_reset.scope.name:
            self.peak = after
        self.peak = max(self.peak, after)

    # Adding up.

    def price_of_unit(self, symbol: str) -> Fraction:
        """Value a unit in the portfolio's currency."""
        return self.marks.get(symbol, Fraction(0)) * self.multiplier(symbol) * self.rate(self.currency(symbol))

    def working(self, owner: str, symbol: str, *, buys: bool) -> Fraction:
        found = (o for o in self._orders_of(owner) if o.request.symbol == symbol)
        return sum((order.may_fill for order in found if order.is_buy is buys), Fraction(0))

    def reserved_cash(self, owner: str, currency: str = "") -> Fraction:
        """Add up what working orders may take of a currency: buys what they cost, sales of a currency that itself."""
        wanted = currency or self.configured.currency
        reserved = Fraction(0)
        for order in self._orders_of(owner):
            symbol = order.request.symbol
            if not order.is_buy:
                reserved += order.may_fill if self.bought(symbol) == wanted else 0
            elif self.currency(symbol) == wanted and not self.is_future(symbol):
                reserved += order.may_fill * order.worst_cost * self.multiplier(symbol)
        return reserved

    def reserved_loss(self, owner: str) -> Fraction:
        def loss(order: Accepted) -> Fraction:
            symbol = order.request.symbol
            return order.may_fill * order.worst_loss * self.multiplier(symbol) * self.rate(self.currency(symbol))

        return sum(map(loss, self._orders_of(owner)), Fraction(0))

    def _orders_of(self, owner: str) -> Iterator[Accepted]:
        return (one for one in self.orders.values() if not one.ended and one.request.strategy_id == owner)

    def worst(self, owner: str, symbol: str) -> Fraction:
        held = self.held.get((owner, symbol), Fraction(0))
        buys, sells = (self.working(owner, symbol, buys=is_buy) for is_buy in (True, False))
        return max(abs(held + buys), abs(held - sells))

    def option(self, symbol: str) -> OptionTerms | None:
        known = self.instruments.get(symbol)
        return Instrument.from_wire(known).option if known is not None else None

    def worst_exposure(self, owner: str, symbol: str) -> Fraction:
        """Value the worst case; of an option by the end that is exposed most, delta where held and whole where sold."""
        terms = self.option(symbol)
        if terms is None:
            return self.worst(owner, symbol) * self.price_of_unit(symbol)
        spot, share = Fraction(terms.strike), Fraction(1)
        if (time_ns := self.mark_times_ns.get(terms.underlying)) is not None:
            spot = self.marks[terms.underlying]
            share = Fraction(delta_share(terms, Decimal(spot.numerator) / Decimal(spot.denominator), time_ns))
        held = self.held.get((owner, symbol), Fraction(0))
        buys, sells = (self.working(owner, symbol, buys=is_buy) for is_buy in (True, False))
        whole = spot * self.multiplier(symbol) * self.rate(self.currency(symbol))
        return max(max(end * share, -end) * whole for end in (held + buys, held - sells))

    def value(self, owner: str) -> Fraction:
        """Add up what is held; of fx nothing but the cash that it moved."""
        mine = ((s, quantity) for (who, s), quantity in self.held.items() if who == owner and not self.bought(s))
        return sum((quantity * self.price_of_unit(symbol) for symbol, quantity in mine), Fraction(0))

    def equity_of(self, owner: str) -> Fraction:
        foreign = sum((self.cash_in(owner, one) * self.rate(one) for one in self.rate_symbols), Fraction(0))
        return self.cash[owner] + foreign + self.value(owner)

    def equity(self) -> Fraction:
        return self.reserve + sum((self.equity_of(owner) for owner in self.owners), Fraction(0))

    def instrument_exposure(self, symbol: str) -> Fraction:
        return sum((self.worst_exposure(owner, symbol) for owner in self.owners), Fraction(0))

    def gross_of(self, owner: str) -> Fraction:
        return sum((self.worst_exposure(owner, symbol) for symbol in self.marks), Fraction(0))

    def gross(self) -> Fraction:
        return sum((self.gross_of(owner) for owner in self.owners), Fraction(0))

    def halt_levels(self, strategy_id: str, symbol: str) -> list[int]:
        scopes = [
            PORTFOLIO,
            (common_pb2.SCOPE_KIND_STRATEGY, strategy_id),
            (common_pb2.SCOPE_KIND_INSTRUMENT, symbol),
        ]
        return [self.halts[scope] for scope in scopes if scope in self.halts]

    def free_cents(self, name: str) -> int:
        """Say how many cents may leave a cash strategy that is not short and owes nobody; 0 for every other."""
        mine = [(symbol, quantity) for (owner, symbol), quantity in self.held.items() if owner == name]
        owes = any(self.cash_in(name, currency) < 0 for currency in self.rate_symbols)
        odd = any(quantity < 0 or (quantity and self.is_future(symbol)) for symbol, quantity in mine)
        if self.terms[name].kind != "cash" or owes or odd:
            return 0
        return max(floor((self.cash[name] - self.reserved_cash(name)) * 100), 0)

    # What has to be.

    def drawdown(self, loss: Fraction = Fraction(0)) -> common_pb2.Action.ValueType | None:
        """Name what the fall below the peak, and a further loss, asks for."""
        limits, equity = self.configured.limits, self.equity() - loss
        for share, action in (
            (limits.halt_drawdown, HALT),
            (limits.max_drawdown, REJECT),
            (limits.warn_drawdown, WARN),
        ):
            if share and (equity <= 0 or equity < (1 - Fraction(share)) * self.peak):
                return action
        return None

    def breaches(self) -> Iterator[tuple[str, ScopeName]]:
        """Name every limit that the book is over."""
        limits, equity = self.configured.limits, self.equity()
        if self.drawdown() is not None:
            yield Reason.DRAWDOWN, PORTFOLIO
        if self.gross() > Fraction(limits.max_leverage) * equity:
            yield Reason.LEVERAGE, PORTFOLIO
        for symbol in self.marks:
            exposure = self.instrument_exposure(symbol)
            if exposure and exposure > Fraction(limits.max_concentration) * equity:
                yield Reason.CONCENTRATION, (common_pb2.SCOPE_KIND_INSTRUMENT, symbol)
        for name, terms in self.terms.items():
            currencies = [self.configured.currency, *self.rate_symbols]
            if terms.kind == "cash" and any(self.cash_in(name, currency) < 0 for currency in currencies):
                yield Reason.CASH_NEGATIVE, (common_pb2.SCOPE_KIND_STRATEGY, name)
            gross = self.gross_of(name)
            if terms.kind == "margin" and gross and gross > Fraction(terms.max_leverage) * self.equity_of(name):
                yield Reason.CAPITAL, (common_pb2.SCOPE_KIND_STRATEGY, name)

    def is_held_back(self, order: Accepted) -> bool:
        """Tell whether a halt keeps what was accepted before it from being sent: a new order, or a replacement."""
        owner, symbol = order.request.strategy_id, order.request.symbol
        levels = self.halt_levels(owner, symbol)
        if not levels or (HALTED in levels and not order.is_exit):
            return bool(levels)
        held = self.held.get((owner, symbol), Fraction(0))
        sent = (
            other.may_fill
            for other in self._orders_of(owner)
            if (other.request.symbol, other.is_buy) == (symbol, order.is_buy)
            and other is not order
            and (other.claimed or other.acknowledged or not other.request.route)
        )
        opposite = held < 0 if order.is_buy else held > 0
        return not (opposite and sum(sent, Fraction(0)) + order.may_fill <= abs(held))

    def to_do(self, adapter: str, after: int) -> Iterator[tuple[str, str]]:
        """Say what an adapter has to do that it was not told before."""
        mine = ((order_id, order) for order_id, order in self.working_orders() if order.request.route == adapter)
        for order_id, order in sorted(mine, key=lambda one: one[1].told):
            if order.told <= after:
                continue
            if order.cancel_requested:
                yield "cancel", order_id
                continue
            if not order.acknowledged:
                yield "send", order_id
            if order.replacement is not None and not self.is_held_back(order):
                yield "replace", order_id

    def overdue(self) -> list[str]:
        """Name the orders about which time that goes on has to alert."""
        return [order_id for order_id, order in self._late(1) if not order.overdue]

    def to_give_up(self) -> list[str]:
        """Name the orders whose cancel time that goes on has to ask for."""
        return [order_id for order_id, order in self._late(2) if order.request.route and not order.cancel_requested]

    def _late(self, times: int) -> Iterator[tuple[str, Accepted]]:
        bound_ns = times * self.configured.route_within_s * NS_PER_S
        awaited = ((order_id, order) for order_id, order in self.orders.items() if order.awaits)
        return ((order_id, order) for order_id, order in awaited if self.time_ns - order.told_ns > bound_ns)
