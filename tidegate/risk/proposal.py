"""What an order would make of the book: the figures that the checks look at, computed once."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from tidegate.instruments import Instrument
from tidegate.numbers import ZERO
from tidegate.orders import BUY
from tidegate.strategy_book import StrategyBook
from tidegate.v1 import orders_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book


class Ask(NamedTuple):
    """The figures of a well-formed order; no limit price is a market order."""

    sign: int
    quantity: Decimal
    limit_price: Decimal | None


@dataclass(slots=True)
class Proposal:
    """
    One order against the book as it is.

    mark_age_ns: how old the mark is, by the command's stamp.
    valuation_price: what a unit costs at worst: a limit buy its limit when above the mark, else the mark.
    reducing: opposite to the position, and no larger than what all working orders on that side leave of it.
    unit_loss: what a unit loses against the mark if it is filled at its limit: a limit is the worst that a fill may be.
    added_exposure: by how much the worst case of the strategy's position grows, at the mark, in money.
    """

    book: "Book"
    strategy: StrategyBook
    request: orders_pb2.NewOrder
    instrument: Instrument
    sign: int
    quantity: Decimal
    limit_price: Decimal | None
    mark: Decimal
    mark_age_ns: int
    valuation_price: Decimal
    reducing: bool
    added_exposure: Decimal
    unit_loss: Decimal
    position_quantity: Decimal
    working_sells: Decimal

    @property
    def notional(self) -> Decimal:
        """The order's own value, at the valuation price."""
        return self.quantity * self.valuation_price * self.instrument.multiplier

    @property
    def loss(self) -> Decimal:
        """What equity loses at once if the order is filled at its limit."""
        return self.quantity * self.unit_loss * self.instrument.multiplier

    @property
    def equity(self) -> Decimal:
        """The portfolio's equity if this and all working orders are filled at their limits."""
        return self.book.equity - self.book.reserved_loss - self.loss

    @property
    def strategy_equity(self) -> Decimal:
        """The strategy's equity if this and all its working orders are filled at their limits."""
        ledger = self.strategy.ledger
        return ledger.equity - ledger.reserved_loss - self.loss

    @property
    def gross_exposure(self) -> Decimal:
        """The portfolio's worst case with the order."""
        return self.book.gross_exposure + self.added_exposure

    @property
    def instrument_exposure(self) -> Decimal:
        """The instrument's worst case over all strategies, with the order."""
        return self.book.instrument_exposure(self.instrument.symbol) + self.added_exposure


def propose(book: "Book", strategy: StrategyBook, request: orders_pb2.NewOrder, ask: Ask, now_ns: int) -> Proposal:
    """Work out what a well-formed order in a priced instrument would do."""
    sign, quantity, limit_price = ask
    instrument = book.instruments[request.symbol]
    mark = book.marks[request.symbol]
    position = strategy.ledger.positions.get(request.symbol)
    if position is None:
        held = buys = sells = before = ZERO
    else:
        held, buys, sells = position.quantity, position.working_buys, position.working_sells
        before = position.worst_quantity
    if sign == BUY:
        after = max(abs(held + buys + quantity), abs(held - sells))
        reducing = held < ZERO and quantity <= -held - buys
    else:
        after = max(abs(held + buys), abs(held - sells - quantity))
        reducing = held > ZERO and quantity <= held - sells
    unit_loss = ZERO if limit_price is None else max((limit_price - mark) * sign, ZERO)
    return Proposal(
        book=book,
        strategy=strategy,
        request=request,
        instrument=instrument,
        sign=sign,
        quantity=quantity,
        limit_price=limit_price,
        mark=mark,
        mark_age_ns=now_ns - book.mark_times_ns[request.symbol],
        valuation_price=mark + unit_loss if sign == BUY else mark,
        reducing=reducing,
        added_exposure=(after - before) * mark * instrument.multiplier,
        unit_loss=unit_loss,
        position_quantity=held,
        working_sells=sells,
    )
