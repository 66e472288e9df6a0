"""From a target to what is to be done: an order, and the working orders that stand in its way."""

from decimal import Decimal
from typing import NamedTuple

from tidegate.numbers import ZERO
from tidegate.orders import BUY, SELL
from tidegate.targets.context import RiskContext
from tidegate.targets.target import PortfolioTarget, whole_lots


class Move(NamedTuple):
    """
    What leads to a target.

    quantity: of one order, negative sells; zero is none. cancel: the side whose working orders lead away from the
    target, BUY or SELL; 0 is neither.
    """

    symbol: str
    quantity: Decimal
    cancel: int


def move_to(target: PortfolioTarget, context: RiskContext) -> Move:
    """
    Work out what leads to a target; what works already counts, and the order is in whole lots.

    Orders that lead away are to be canceled, and until they are done only so much is ordered as is right whether they
    are filled or not: the position never goes past the target by our own order.
    """
    symbol, position = target.symbol, context.positions.get(target.symbol)
    held, buys, sells = ZERO, ZERO, ZERO
    if position is not None:
        held, buys, sells = position.quantity, position.working_buys, position.working_sells
    step, lot = target.quantity - context.expected(symbol), context.instruments[symbol].lot
    if step > ZERO:
        missing = max(target.quantity - held - buys, ZERO)
        return Move(symbol, whole_lots(missing, lot), SELL if sells else 0)
    if step < ZERO:
        surplus = max(held - sells - target.quantity, ZERO)
        return Move(symbol, ZERO - whole_lots(surplus, lot), BUY if buys else 0)
    return Move(symbol, ZERO, 0)
