"""A broker's statement held against the books of one account: every difference, to the unit."""

from collections.abc import Iterator
from decimal import Decimal

from tidegate.numbers import ZERO, plain, round_money
from tidegate.orders import Order
from tidegate.risk.broker_account import BrokerAccount, Effect, key_of
from tidegate.risk.draft import Draft
from tidegate.times import to_ns, to_stamp
from tidegate.v1 import reconciliation_pb2 as wire

_IN_FLIGHT = frozenset(
    {
        wire.DIFFERENCE_KIND_POSITION_IN_FLIGHT,
        wire.DIFFERENCE_KIND_CASH_IN_FLIGHT,
        wire.DIFFERENCE_KIND_ORDER_FILL_IN_FLIGHT,
        wire.DIFFERENCE_KIND_ORDER_NOT_AT_BROKER,
    }
)


class Comparison:
    """
    One statement against one account.

    Executions that the statement does not know yet are left out of our figures. What an open order's missing report
    can explain is in flight: it is a break only when our figure has not moved for the time that the account allows.
    """

    def __init__(self, draft: Draft, account: BrokerAccount, statement: wire.ReconcilePositionsRequest) -> None:
        """Take a statement whose figures are well-formed."""
        self._draft: Draft = draft
        self._account: BrokerAccount = account
        self._statement: wire.ReconcilePositionsRequest = statement
        self._time_ns = to_ns(statement.time)
        self._later: list[Effect] = account.effects_after(self._time_ns, statement.sequence)
        self._filled_later: dict[str, Decimal] = {}
        for effect in self._later:
            self._filled_later[effect.order_id] = self._filled_later.get(effect.order_id, ZERO) + effect.quantity
        # By symbol, between what and what the fills that we do not know yet may have moved the position.
        self._lowest: dict[str, Decimal] = {}
        self._highest: dict[str, Decimal] = {}
        self.positions = self.currencies = self.orders = 0

    def differences(self) -> list[wire.Difference]:
        """Find them all, breaks first."""
        found = [*self._order_differences(), *self._position_differences()]
        found += self._cash_differences(found)
        for one in found:
            since_ns = self._account.since_ns.get(key_of(one), self._draft.now_ns)
            one.since.CopyFrom(to_stamp(since_ns))
            is_late = self._draft.now_ns - since_ns > self._account.in_flight_ns
            one.is_break = one.kind not in _IN_FLIGHT or is_late
        return sorted(found, key=lambda one: not one.is_break)

    def _order_differences(self) -> Iterator[wire.Difference]:
        stated, missing = {entry.order_id for entry in self._statement.orders}, []
        for order in self._draft.book.orders.values():
            if order.order_id in stated or not self._may_be_there(order):
                continue
            left = order.reservation.quantity + self._later_of(order)
            self._may_move(order.request.symbol, order.sign * left, is_certain=False)
            # One without a route is anybody's; one that was told something since may be there no more.
            if order.request.route and order.instructed_ns <= self._time_ns:
                missing.append(_of_order(wire.DIFFERENCE_KIND_ORDER_NOT_AT_BROKER, order, left, ZERO))
        for entry in self._statement.orders:
            yield from self._of_stated(entry)
        if not self._statement.without_orders:
            self.orders = len(self._statement.orders) + len(missing)
            yield from missing

    def _may_be_there(self, order: Order) -> bool:
        """Tell whether the broker may have an order: its adapter has claimed it, or its submitter sends it."""
        if not order.request.route:
            return True
        return order.request.route == self._account.adapter and (bool(order.claimed_by) or order.acknowledged)

    def _of_stated(self, entry: wire.StatedOrder) -> Iterator[wire.Difference]:
        order = self._draft.book.orders.get(entry.order_id)
        if order is None:
            if not self._was_done_later(entry.order_id):
                yield self._not_ours(entry)
            return
        request = order.request
        if entry.symbol not in ("", request.symbol) or (entry.side and entry.side != request.side):
            yield self._not_ours(entry)
            return
        ours = order.cumulative_quantity - self._later_of(order)
        filled, left = Decimal(entry.cumulative_quantity or 0), Decimal(entry.leaves_quantity or 0)
        if filled > ours:
            self._may_move(request.symbol, order.sign * (filled - ours), is_certain=True)
            yield _of_order(wire.DIFFERENCE_KIND_ORDER_FILL_IN_FLIGHT, order, ours, filled)
        elif filled < ours:
            yield _of_order(wire.DIFFERENCE_KIND_ORDER_QUANTITY, order, ours, filled)
        wholes = [order.quantity] if order.replacement is None else [order.quantity, order.replacement.quantity]
        expected = [max(whole - filled, ZERO) for whole in wholes]
        # What was asked for since, the broker may not work yet.
        if left not in expected and order.instructed_ns <= self._time_ns:
            yield _of_order(wire.DIFFERENCE_KIND_ORDER_QUANTITY, order, expected[0], left)

    def _was_done_later(self, order_id: str) -> bool:
        """Tell whether an order that is not working was done only after the statement."""
        events = self._draft.archive.events_of_order(order_id) if order_id else []
        if not events:
            return False
        if self._statement.sequence:
            return events[-1].sequence > self._statement.sequence
        booked = events[-1].execution_booked.execution
        return to_ns(booked.time if booked.HasField("time") else events[-1].time) > self._time_ns

    def _not_ours(self, entry: wire.StatedOrder) -> wire.Difference:
        left = Decimal(entry.leaves_quantity or 0)
        found = _difference(wire.DIFFERENCE_KIND_ORDER_NOT_OURS, ZERO, left, symbol=entry.symbol)
        found.order_id, found.broker_order_id = entry.order_id, entry.broker_order_id
        return found

    def _later_of(self, order: Order) -> Decimal:
        """Return what an order was filled after the statement."""
        return order.sign * self._filled_later.get(order.order_id, ZERO)

    def _may_move(self, symbol: str, quantity: Decimal, *, is_certain: bool) -> None:
        for bounds, step in ((self._lowest, min(quantity, ZERO)), (self._highest, max(quantity, ZERO))):
            bounds[symbol] = bounds.get(symbol, ZERO) + (quantity if is_certain else step)

    def _position_differences(self) -> Iterator[wire.Difference]:
        ours = self._account.positions()
        for effect in self._later:
            ours[effect.symbol] = ours.get(effect.symbol, ZERO) - effect.quantity
        stated = {entry.symbol: Decimal(entry.quantity or 0) for entry in self._statement.positions}
        instruments = self._draft.book.instruments
        for symbol in sorted({*ours, *stated}):
            known = instruments.get(symbol)
            if known is not None and known.buys:
                continue  # its currencies' cash
            self.positions += 1
            have, has = ours.get(symbol, ZERO), stated.get(symbol, ZERO)
            lowest, highest = self._lowest.get(symbol, ZERO), self._highest.get(symbol, ZERO)
            if has != have:
                is_in_flight = lowest <= has - have <= highest
                kind = wire.DIFFERENCE_KIND_POSITION_IN_FLIGHT if is_in_flight else wire.DIFFERENCE_KIND_POSITION
                yield _difference(kind, have, has, symbol=symbol)

    def _cash_differences(self, found: list[wire.Difference]) -> Iterator[wire.Difference]:
        if not self._statement.cash:
            return
        ours = self._account.cash()
        for effect in self._later:
            for currency, amount in effect.cash:
                ours[currency] = ours.get(currency, ZERO) - amount
        stated = {entry.currency: Decimal(entry.amount or 0) for entry in self._statement.cash}
        moving = self._currencies_in_flight(found)
        for currency in sorted({*ours, *stated}):
            self.currencies += 1
            has = stated.get(currency, ZERO)
            have = _as_fine(ours.get(currency, ZERO), has, currency)
            if has != have:
                is_in_flight = currency in moving
                kind = wire.DIFFERENCE_KIND_CASH_IN_FLIGHT if is_in_flight else wire.DIFFERENCE_KIND_CASH
                yield _difference(kind, have, has, currency=currency)

    def _currencies_in_flight(self, found: list[wire.Difference]) -> set[str]:
        """Name the currencies whose cash fills in flight move; of fx no position shows them, only their orders do."""
        moving: set[str] = set()
        for one in found:
            known = self._draft.book.instruments.get(one.symbol)
            is_fx = known is not None and bool(known.buys)
            if one.kind == wire.DIFFERENCE_KIND_POSITION_IN_FLIGHT or (is_fx and one.kind in _IN_FLIGHT):
                moving |= {self._draft.book.currency} if known is None else {known.currency, known.buys}
        return moving


def _as_fine(amount: Decimal, stated: Decimal, currency: str) -> Decimal:
    """Round an amount to the currency's smallest unit, or to the statement's digits where it has more."""
    rounded = round_money(amount, currency)
    finer = amount.quantize(stated)
    digits, wanted = rounded.as_tuple().exponent, finer.as_tuple().exponent
    return finer if isinstance(digits, int) and isinstance(wanted, int) and wanted < digits else rounded


def _of_order(kind: wire.DifferenceKind.ValueType, order: Order, ours: Decimal, stated: Decimal) -> wire.Difference:
    found = _difference(kind, ours, stated, symbol=order.request.symbol)
    found.order_id, found.strategy_id = order.order_id, order.request.strategy_id
    return found


def _difference(
    kind: wire.DifferenceKind.ValueType, ours: Decimal, stated: Decimal, *, symbol: str = "", currency: str = ""
) -> wire.Difference:
    figures = plain(ours), plain(stated), plain(stated - ours)
    return wire.Difference(
        kind=kind, symbol=symbol, currency=currency, ours=figures[0], stated=figures[1], difference=figures[2]
    )
