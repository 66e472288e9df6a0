"""What an order would make of the book: the figures that the checks look at, computed once."""

from decimal import Decimal
from typing import TYPE_CHECKING

from tidegate.numbers import ONE, ZERO, round_worst
from tidegate.orders import BUY, NOTHING, Order
from tidegate.v1 import orders_pb2

if TYPE_CHECKING:
    from tidegate.positions import Position
    from tidegate.risk.book import Book


class Ask:
    """The names and figures of a well-formed order, read once; a price that its type has not is None."""

    __slots__ = ("limit_price", "quantity", "sign", "stop_price", "strategy_id", "symbol")

    def __init__(  # noqa: PLR0913, PLR0917 -- an order has as many parts
        self,
        strategy_id: str,
        symbol: str,
        sign: int,
        quantity: Decimal,
        limit_price: Decimal | None,
        stop_price: Decimal | None = None,
    ) -> None:
        """Take what was read."""
        self.strategy_id = strategy_id
        self.symbol = symbol
        self.sign = sign
        self.quantity = quantity
        self.limit_price = limit_price
        self.stop_price = stop_price

    def sized(self, quantity: Decimal) -> "Ask":
        """Return the same order for another quantity."""
        return Ask(self.strategy_id, self.symbol, self.sign, quantity, self.limit_price, self.stop_price)

    def worst_price(self, mark: Decimal, collar: Decimal | None) -> Decimal | None:
        """
        Return the worst price that a fill may have; None is the mark, for a market order without a collar.

        A limit is the worst by itself. A market order reaches as far as the collar, from the mark; a stop order from
        its stop, or from the mark where that is beyond the stop already.
        """
        if self.limit_price is not None:
            return self.limit_price
        start = mark
        if self.stop_price is not None:
            start = max(mark, self.stop_price) if self.sign == BUY else min(mark, self.stop_price)
        elif collar is None:
            return None
        return start if collar is None else round_worst(start * (ONE + self.sign * collar), self.sign)


class Proposal:
    """
    One well-formed order in a priced instrument against the book as it is.

    Prices and cost are in the instrument's currency, every other amount in the portfolio's.

    ledger, terms: the strategy's.

    now_ns: the command's stamp. mark_age_ns: how old the mark is by it. replaced: the working order, if any.
    unit_loss: what a unit loses against the mark if it is filled at its worst price: a limit is the worst there is.
    valuation_price: what a unit costs at worst: a buy its worst price when above the mark, else the mark.
    notional: the order's own value, at the valuation price.
    leaves_quantity, cost: what it may still fill, and the cash that this takes at worst, in the instrument's currency.
    added_quantity: what it may still fill beyond what the order that it replaces may.
    reducing: opposite to the position, and no larger than what all working orders on that side leave of it.
    added_exposure: by how much the worst case of the strategy's position grows, at the mark, in money.
    gross_exposure, instrument_exposure: the portfolio's and the instrument's worst case over all strategies, with the
        order.
    equity, strategy_equity: the portfolio's and the strategy's, if this and all working orders are filled at their
        limits.
    """

    __slots__ = (
        "added_exposure",
        "added_quantity",
        "book",
        "cost",
        "equity",
        "gross_exposure",
        "instrument",
        "instrument_exposure",
        "leaves_quantity",
        "ledger",
        "limit_price",
        "mark_age_ns",
        "notional",
        "now_ns",
        "position_quantity",
        "quantity",
        "reducing",
        "replaced",
        "request",
        "sign",
        "stop_price",
        "strategy_equity",
        "terms",
        "unit_loss",
        "valuation_price",
        "working_sells",
    )

    def __init__(  # noqa: PLR0915 -- one pass over the figures; each is stated once
        self, book: "Book", request: orders_pb2.NewOrder, ask: Ask, now_ns: int, replaced: Order | None = None
    ) -> None:
        """
        Work the figures out.

        An order that replaces a working one takes over what that one reserves: only what it adds counts.
        """
        symbol, sign, quantity = ask.symbol, ask.sign, ask.quantity
        ledger = book.strategies[ask.strategy_id].ledger
        instrument, mark = book.instruments[symbol], book.marks[symbol]
        multiplier = instrument.multiplier
        worst_price = ask.worst_price(mark, book.order_rules.collar)
        unit_loss = ZERO
        if worst_price is not None:
            unit_loss = max(worst_price - mark if sign == BUY else mark - worst_price, ZERO)
        price = mark + unit_loss if unit_loss and sign == BUY else mark
        notional = quantity * price * multiplier
        if replaced is None:
            leaves, added_quantity, standing, cost = quantity, quantity, NOTHING, notional
            loss = quantity * unit_loss * multiplier if unit_loss else ZERO
        else:
            standing = replaced.reservation
            leaves = max(quantity - replaced.cumulative_quantity, standing.quantity)
            added_quantity = leaves - standing.quantity
            loss = leaves * max(unit_loss, standing.unit_loss) - standing.quantity * standing.unit_loss
            cost = leaves * max(price, standing.price) - standing.quantity * standing.price
            loss, cost = loss * multiplier, cost * multiplier
        position = ledger.positions.get(symbol)
        if position is None:
            held = sells = ZERO
            added, reducing = leaves, False
        else:
            held, buys, sells = position.quantity, position.working_buys, position.working_sells
            if sign == BUY:
                buys -= standing.quantity
                after = max(abs(held + buys + leaves), abs(held - sells))
                reducing = held < ZERO and leaves <= -held - buys
            else:
                sells -= standing.quantity
                after = max(abs(held + buys), abs(held - sells - leaves))
                reducing = held > ZERO and leaves <= held - sells
            added = after - position.worst_quantity
        self.book = book
        self.terms = book.terms[ask.strategy_id]
        self.ledger = ledger
        self.request = request
        self.instrument = instrument
        self.sign = sign
        self.quantity = quantity
        self.leaves_quantity = leaves
        self.limit_price = ask.limit_price
        self.stop_price = ask.stop_price
        self.replaced = replaced
        self.now_ns = now_ns
        self.mark_age_ns = now_ns - book.mark_times_ns[symbol]
        self.unit_loss = unit_loss
        self.valuation_price = price
        worst = book.totals.worst_quantities.get(symbol)
        if instrument.option is None:
            value = mark * multiplier
            exposure = added * value
            total = exposure if worst is None else (worst + added) * value
        else:
            exposure = _option_exposure(self, position, standing.quantity)
            total = book.totals.option_exposures.get(symbol, ZERO) + exposure
        rate = book.currencies.rates.get(instrument.currency)
        if rate is not None:
            notional, exposure, total, loss = notional * rate, exposure * rate, total * rate, loss * rate
        self.notional = notional
        self.cost = cost
        self.added_quantity = added_quantity
        self.reducing = reducing
        self.added_exposure = exposure
        self.instrument_exposure = total
        self.gross_exposure = book.totals.gross_exposure + exposure
        self.equity: Decimal = book.equity - book.totals.reserved_loss
        self.strategy_equity: Decimal = ledger.equity - ledger.reserved_loss
        if loss:
            self.equity -= loss
            self.strategy_equity -= loss
        self.position_quantity = held
        self.working_sells = sells

    @property
    def needs_no_mark(self) -> bool:
        """Whether it is a way out that no doubt about a price blocks: reducing, at its own limit or in an emergency."""
        return self.reducing and (self.limit_price is not None or self.request.HasField("emergency"))


def _option_exposure(proposal: Proposal, position: "Position | None", standing: Decimal) -> Decimal:
    """Return by how much an option's worst-case exposure grows; standing: what the replaced order may still fill."""
    option = proposal.instrument.option
    if option is None:
        return ZERO
    units = proposal.book.options.units(proposal.instrument, option)
    added = proposal.leaves_quantity - standing
    buys, sells = (added, ZERO) if proposal.sign == BUY else (ZERO, added)
    if position is None:
        return units.worst(buys, -sells)
    highest, lowest = position.quantity + position.working_buys, position.quantity - position.working_sells
    return units.worst(highest + buys, lowest - sells) - position.exposure
