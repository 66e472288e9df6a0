"""Exactness: at the bounds of the digits no product and no sum is rounded, but where a cost is split."""

import decimal
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property import wire
from tests.property.rig import CONFIGURATION, SYMBOLS, request, scratch
from tidegate.clocks import bar_clock
from tidegate.gate import Gate
from tidegate.instruments import Instrument
from tidegate.journal.sqlite import SqliteJournal
from tidegate.ledger import Ledger
from tidegate.numbers import plain
from tidegate.orders import BUY, SELL, Reservation
from tidegate.v1 import admin_pb2, common_pb2, market_data_pb2, orders_pb2

LARGEST = 10**20 - 1
CENT = Fraction(1, 100)

# As the door lets them in: at most 12 digits before the point and 8 behind it.
BOUNDED = st.one_of(st.integers(1, LARGEST), st.sampled_from([1, LARGEST, LARGEST - 1, 10**8])).map(
    lambda units: Decimal(units).scaleb(-8)
)
SIGNED = st.builds(lambda number, sign: number * sign, BOUNDED, st.sampled_from([1, -1]))


@dataclass
class Books:
    """One position and its cash, in fractions."""

    multiplier: Fraction
    cash: Fraction = Fraction(0)
    quantity: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)
    realised: Fraction = Fraction(0)

    def splits(self, quantity: Fraction) -> bool:
        """Tell whether a fill closes a part of the position: the one case in which a cost is split."""
        return self.quantity * quantity < 0 and abs(quantity) < abs(self.quantity)

    def fill(self, quantity: Fraction, price: Fraction, fee: Fraction) -> None:
        closed = Fraction(0)
        if self.quantity * quantity < 0:
            closed = min(abs(quantity), abs(self.quantity)) * (1 if self.quantity > 0 else -1)
            released = self.cost * closed / self.quantity
            if self.splits(quantity):
                released = round(released / CENT) * CENT  # half to even
            self.realised += closed * price * self.multiplier - released
            self.cost -= released
        self.cost += (quantity + closed) * price * self.multiplier
        self.quantity += quantity
        self.cash -= quantity * price * self.multiplier + fee


@given(
    multiplier=BOUNDED,
    steps=st.lists(st.tuples(SIGNED, BOUNDED, SIGNED, BOUNDED, st.booleans()), min_size=1, max_size=12),
)
def test_a_ledger_rounds_nothing_but_the_cost_that_a_partial_close_splits(
    multiplier: Decimal, steps: list[tuple[Decimal, Decimal, Decimal, Decimal, bool]]
) -> None:
    """Fills, marks and reservations at the digit bounds are exact; a split cost is rounded once, to the cent."""
    instrument = Instrument("ONE", Decimal("0.01"), Decimal(1), multiplier, "USD", "", "")
    ledger, books, mark = Ledger("USD"), Books(Fraction(multiplier)), None
    for quantity, price, fee, new_mark, part in steps:
        # Half of the fills go against the position, and some of these by just a part of it.
        against = -books.quantity if part and books.quantity else Fraction(quantity)
        amount = Decimal(int(against * 10**8) // (3 if int(price) % 2 else 1) or 1).scaleb(-8)
        with decimal.localcontext() as context:
            context.traps[decimal.Inexact] = not books.splits(Fraction(amount))
            ledger.fill(instrument, amount, price=price, fee=fee, mark=mark)
        books.fill(Fraction(amount), Fraction(price), Fraction(fee))
        sign, working = BUY if part else SELL, Reservation(abs(amount), price, price)
        with decimal.localcontext() as context:
            context.traps[decimal.Inexact] = True
            ledger.reserve(instrument, sign, working, mark or price)
            ledger.mark("ONE", new_mark)
            mark = new_mark
            ledger.reserve(instrument, sign, Reservation(-abs(amount), price, price), mark)
            assert ledger.equity == ledger.capital + ledger.realised_pnl + ledger.unrealised_pnl - ledger.fees
        position = ledger.positions.get("ONE")
        assert Fraction(ledger.cash) == books.cash
        assert Fraction(ledger.realised_pnl) == books.realised
        assert Fraction(position.cost if position else 0) == books.cost
        assert Fraction(position.quantity if position else 0) == books.quantity
        assert Fraction(ledger.market_value) == books.quantity * Fraction(mark) * books.multiplier
        assert Fraction(ledger.gross_exposure) == abs(books.quantity) * Fraction(mark) * books.multiplier
        assert ledger.reserved_cash == 0


@pytest.mark.control("conservation")
@given(
    multiplier=BOUNDED,
    prices=st.lists(BOUNDED, min_size=1, max_size=6),
    fills=st.lists(st.tuples(BOUNDED, BOUNDED, SIGNED, st.booleans()), min_size=1, max_size=6),
    amount=BOUNDED,
)
def test_a_gate_at_the_digit_bounds_rounds_nothing(
    multiplier: Decimal, prices: list[Decimal], fills: list[tuple[Decimal, Decimal, Decimal, bool]], amount: Decimal
) -> None:
    """Prices, orders, replacements, fills, transfers and what follows are decided and booked without a rounding."""
    configured = type(CONFIGURATION).FromString(CONFIGURATION.SerializeToString())
    configured.instruments[0].multiplier = plain(multiplier)
    configured.limits.max_leverage = plain(Decimal(LARGEST).scaleb(-8))
    with scratch() as folder:
        gate = Gate(SqliteJournal(Path(folder) / "journal.db"), bar_clock)
        gate.start(configured)
        requests = []
        for number, price in enumerate(prices):
            bar = market_data_pb2.PublishBarsRequest(bars=[market_data_pb2.Bar(symbol=SYMBOLS[0], close=plain(price))])
            bar.time.seconds = 1_000_000_000 + number
            requests.append(request("PublishBars", bar))
        executions = []
        for number, (quantity, price, fee, is_order) in enumerate(fills):
            if is_order:
                order = orders_pb2.NewOrder(
                    strategy_id="lever",
                    client_order_id=str(number),
                    symbol=SYMBOLS[0],
                    side=common_pb2.SIDE_BUY,
                    order_type=common_pb2.ORDER_TYPE_LIMIT,
                    quantity=plain(quantity),
                    limit_price=plain(price),
                )
                replacement = orders_pb2.ReplaceOrderRequest(
                    strategy_id="lever",
                    orig_client_order_id=str(number),
                    client_order_id=f"{number}-replaced",
                    quantity=plain(amount),
                    limit_price=plain(price),
                )
                requests.append(request("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order)))
                requests.append(request("ReplaceOrder", replacement))
            executions.append(
                orders_pb2.Execution(
                    execution_id=str(number),
                    execution_type=orders_pb2.EXECUTION_TYPE_TRADE,
                    last_quantity=plain(quantity),
                    last_price=plain(price),
                    fee=plain(fee),
                    symbol=SYMBOLS[0],
                    side=common_pb2.SIDE_BUY,
                )
            )
        transfer = admin_pb2.TransferCapitalRequest(
            transfer_id="t", from_strategy_id="lever", amount=plain(amount), operator="ann", reason="r"
        )
        requests += [wire.report(executions), request("TransferCapital", transfer), requests[len(prices) - 1]]
        with decimal.localcontext() as context:
            context.traps[decimal.Inexact] = True
            batch = gate.process(requests)
        assert not batch.failures, batch.failures
        gate.journal.close()
