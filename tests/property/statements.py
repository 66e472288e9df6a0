"""What a broker would state of everything that went through the one account, by the naive model."""

from decimal import Decimal
from fractions import Fraction

from tests.property.facts import NS_PER_S
from tests.property.naive import Naive
from tidegate.numbers import plain, round_money
from tidegate.v1 import reconciliation_pb2


def account_of(naive: Naive) -> dict[str, Fraction]:
    """Add up what all owners hold, by symbol; fx is cash."""
    held: dict[str, Fraction] = {}
    for (_, symbol), quantity in naive.held.items():
        if not naive.bought(symbol):
            held[symbol] = held.get(symbol, Fraction(0)) + quantity
    return held


def fill_name(naive: Naive, number: int) -> str:
    """Choose a fill that stands, one in suspense more often than not; or one that there never was."""
    stray = [name for name, fill in naive.fills.items() if not fill.owner]
    names = stray if stray and number % 4 else [*naive.fills, "never"]
    return names[number % len(names)]


def statement(
    naive: Naive, cash: dict[str, Decimal], symbol: str, step: int, cent: int
) -> reconciliation_pb2.ReconcilePositionsRequest:
    """Write what the broker has of everything, now; one position and the cash changed."""
    message = reconciliation_pb2.ReconcilePositionsRequest(account="main", adapter="paper", operator="ann")
    message.time.seconds, message.time.nanos = divmod(naive.time_ns, NS_PER_S)
    message.sequence = naive.sequence
    held = account_of(naive)
    held[symbol] = held.get(symbol, Fraction(0)) + step
    for name, quantity in held.items():
        if quantity and not naive.bought(name):
            message.positions.add(symbol=name, quantity=_written(quantity))
    for currency, amount in cash.items():
        changed = round_money(amount, currency) + (Decimal(cent) / 100 if currency == "USD" else 0)
        message.cash.add(currency=currency, amount=plain(changed))
    for order_id, order in naive.working_orders():
        if order.request.route == "paper" and (order.claimed or order.acknowledged):
            filled, left = _written(order.filled), _written(max(order.quantity - order.filled, Fraction(0)))
            message.orders.add(order_id=order_id, cumulative_quantity=filled, leaves_quantity=left)
    return message


def _written(number: Fraction) -> str:
    """Write a fraction that is a decimal of at most eight digits."""
    return plain(Decimal(int(number * 10**8)).scaleb(-8))
