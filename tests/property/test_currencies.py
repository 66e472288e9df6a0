"""Currencies and futures: running sums at any rates equal a fresh sum over all fills, to the last digit."""

import decimal
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.property import wire
from tests.property.rig import Rig, close_gate, request, scratch
from tests.property.test_exactness import BOUNDED, SIGNED
from tidegate.instruments import BY_VARIATION, Instrument
from tidegate.ledger import Ledger
from tidegate.orders import BUY, SELL, Reservation
from tidegate.v1 import common_pb2, market_data_pb2, orders_pb2
from tidegate.views import fees_of, realised_pnl

KINDS = [("STOCK", "USD", "equity", ""), ("DAX", "EUR", "equity", ""), ("BUND", "EUR", "future", "")]
KINDS += [("ES", "USD", "future", ""), ("EURUSD", "USD", "fx", "EUR"), ("EURCHF", "CHF", "fx", "EUR")]
CURRENCIES = ("EUR", "CHF")
STEPS = st.tuples(st.integers(0, 5), SIGNED, BOUNDED, SIGNED, st.booleans(), BOUNDED, st.sampled_from(CURRENCIES))
Step = tuple[int, Decimal, Decimal, Decimal, bool, Decimal, str]


@dataclass
class Fresh:
    """Fills and rates, added up anew whenever somebody asks."""

    instruments: list[Instrument]
    fills: list[tuple[Instrument, Fraction, Fraction, Fraction]] = field(default_factory=list)
    marks: dict[str, Fraction] = field(default_factory=dict)
    rates: dict[str, Fraction] = field(default_factory=dict)

    def rate(self, currency: str) -> Fraction:
        return Fraction(1) if currency == "USD" else self.rates.get(currency, Fraction(0))

    def held(self, instrument: Instrument) -> Fraction:
        return sum((quantity for one, quantity, *_ in self.fills if one is instrument), Fraction(0))

    def value(self, instrument: Instrument) -> Fraction:
        mark = self.marks.get(instrument.symbol, Fraction(0))
        return mark * Fraction(instrument.multiplier) * self.rate(instrument.currency)

    def equity(self) -> Fraction:
        """Say what was paid and got, currency by currency, and what is held."""
        total = Fraction(0)
        for one, quantity, price, fee in self.fills:
            total -= (quantity * price * Fraction(one.multiplier) + fee) * self.rate(one.currency)
            total += quantity * self.rate(one.buys) if one.buys else 0
        return total + sum((self.held(one) * self.value(one) for one in self.instruments if not one.buys), Fraction(0))

    def gross(self) -> Fraction:
        return sum((abs(self.held(one)) * self.value(one) for one in self.instruments), Fraction(0))


@given(multiplier=BOUNDED, steps=st.lists(STEPS, min_size=1, max_size=12))
def test_no_rate_and_no_currency_makes_a_sum_inexact(multiplier: Decimal, steps: list[Step]) -> None:
    """Fills, marks, reservations and rates at the digit bounds: equity, exposure and capital agree after each."""
    instruments = [
        Instrument(symbol, Decimal(1), Decimal(1), Decimal(1) if buys else multiplier, currency, "", kind, buys)
        for symbol, currency, kind, buys in KINDS
    ]
    ledger, fresh = Ledger("USD"), Fresh(instruments)
    for number, quantity, price, fee, against, rate, currency in steps:
        one = instruments[number]
        held = fresh.held(one)
        if against and held:
            quantity = Decimal(int(-held * 10**8)).scaleb(-8)  # noqa: PLW2901 -- the drawn quantity is one of two
        splits = held * Fraction(quantity) < 0 and abs(Fraction(quantity)) < abs(held)
        mark = fresh.marks.setdefault(one.symbol, Fraction(price))
        exact = Decimal(int(mark * 10**8)).scaleb(-8)
        with decimal.localcontext() as context:
            context.traps[decimal.Inexact] = not splits
            ledger.fill(one, quantity, price=price, fee=fee, mark=exact)
        fresh.fills.append((one, Fraction(quantity), Fraction(price), Fraction(fee)))
        with decimal.localcontext() as context:
            context.traps[decimal.Inexact] = True
            sign, working = BUY if against else SELL, Reservation(abs(quantity), price, price)
            ledger.reserve(one, sign, working, exact)
            ledger.mark(one.symbol, price)
            ledger.translate(currency, rate)
            ledger.reserve(one, sign, Reservation(-abs(quantity), price, price), price)
            fresh.marks[one.symbol] = Fraction(price)
            if currency in ledger.foreign:
                fresh.rates[currency] = Fraction(rate)
            earned = realised_pnl(ledger) + ledger.unrealised_pnl + ledger.exchange_pnl - fees_of(ledger)
            assert ledger.equity == ledger.capital + earned
        assert Fraction(ledger.equity) == fresh.equity()
        assert Fraction(ledger.gross_exposure) == fresh.gross()
        assert ledger.reserved_loss == ledger.reserved_cash == 0
        assert not any(account.reserved_cash or account.reserved_loss for account in ledger.foreign.values())
        assert all(p.settlement != BY_VARIATION or p.quantity for p in ledger.positions.values())


RATES = st.sampled_from(["12.5", "12.6", "11", "0.00000001", "999.12345678"])
AMOUNTS = st.integers(1, 900)
LIVES = st.lists(st.tuples(st.sampled_from(["exchange", "buy", "back", "sell", "rate", "mark"]), AMOUNTS, RATES))


@given(life=LIVES)
def test_a_cash_strategy_never_owes_a_currency(life: list[tuple[str, int, str]]) -> None:
    """Whatever it exchanges, buys and sells, filled at its worst prices: no cash below zero, and the model agrees."""
    with scratch() as folder:
        rig = Rig(Path(folder))
        try:
            _trade(rig, [("rate", 1, "12.5"), ("mark", 1, "8"), *life])
        finally:
            close_gate(rig.gate)


def _trade(rig: Rig, life: list[tuple[str, int, str]]) -> None:
    orders = {"exchange": ("FX", BUY), "buy": ("FOR", BUY), "back": ("FX", SELL), "sell": ("FOR", SELL)}
    for number, (act, quantity, price) in enumerate(life):
        if act in orders:
            symbol, sign = orders[act]
            lots = quantity if symbol == "FX" else quantity // 30 + 1
            order = orders_pb2.NewOrder(
                strategy_id="saver",
                client_order_id=str(number),
                symbol=symbol,
                side=common_pb2.SIDE_BUY if sign == BUY else common_pb2.SIDE_SELL,
                order_type=common_pb2.ORDER_TYPE_MARKET,
                quantity=str(lots),
                route="paper",
            )
            (reply,) = rig.send(request("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order)))
            decision = orders_pb2.SubmitOrderResponse.FromString(reply.body).decision
            if decision.order_id:
                working = rig.gate.engine.book.orders[decision.order_id]
                rig.send(wire.report([wire.answer(str(number), working, well=True)]))
        else:
            symbol = "FX" if act == "rate" else "FOR"
            entry = market_data_pb2.Price(symbol=symbol, price=price)
            entry.time.seconds = 1_000_000_000 + number
            rig.send(request("PublishPrices", market_data_pb2.PublishPricesRequest(prices=[entry])))
        ledger = rig.gate.engine.book.strategies["saver"].ledger
        assert ledger.lowest_cash()[0] >= 0
