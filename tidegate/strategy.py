"""What a user writes: a Strategy, one class in one file, named in the portfolio file as ``module:Class``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from tidegate.instruments import Instrument
from tidegate.ledger import Ledger
from tidegate.numbers import ZERO, parse_positive, plain
from tidegate.v1 import common_pb2, orders_pb2


@dataclass(frozen=True, slots=True)
class Bar:
    """
    One synchronised bar of all instruments.

    closes: by symbol, the prices of this bar only; an instrument that did not trade is not in it.
    """

    time: datetime
    closes: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Fill:
    """What the broker did for one of this strategy's orders; quantity is negative for a sale."""

    client_order_id: str
    symbol: str
    quantity: Decimal
    price: Decimal
    fee: Decimal


@dataclass(slots=True)
class Context:
    """
    What a strategy may see and do: its own ledger, and its orders of this bar.

    Every order goes through the gate; it is decided after ``on_bar`` has returned.
    """

    instruments: Mapping[str, Instrument]
    ledger: Ledger
    route: str
    orders: list[orders_pb2.NewOrder] = field(default_factory=list)

    @property
    def symbols(self) -> Sequence[str]:
        """All instruments of the portfolio, in the portfolio file's order."""
        return tuple(self.instruments)

    @property
    def cash(self) -> Decimal:
        """Cash in the portfolio's currency that no working order has reserved."""
        return self.ledger.free_cash(self.ledger.currency)

    def cash_in(self, currency: str) -> Decimal:
        """Return the cash in any currency that no working order has reserved."""
        return self.ledger.free_cash(currency)

    @property
    def equity(self) -> Decimal:
        """What the strategy is worth at the marks of this bar."""
        return self.ledger.equity

    def position(self, symbol: str) -> Decimal:
        """Return the quantity held; negative is short."""
        held = self.ledger.positions.get(symbol)
        return held.quantity if held is not None else ZERO

    def expected_position(self, symbol: str) -> Decimal:
        """Return the quantity held once all working orders are filled."""
        held = self.ledger.positions.get(symbol)
        return held.quantity + held.working_buys - held.working_sells if held is not None else ZERO

    def buy(self, symbol: str, quantity: Decimal, *, limit_price: Decimal | None = None) -> None:
        """
        Ask to buy a positive quantity, at market or at a limit.

        Raises:
            ValueError: the quantity or the price is not one that an order can carry.
        """
        self._order(symbol, common_pb2.SIDE_BUY, quantity, limit_price)

    def sell(self, symbol: str, quantity: Decimal, *, limit_price: Decimal | None = None) -> None:
        """Ask to sell a positive quantity, at market or at a limit; raises as ``buy`` does."""
        self._order(symbol, common_pb2.SIDE_SELL, quantity, limit_price)

    def move_to(self, symbol: str, quantity: Decimal) -> None:
        """Ask for the market order that leads from the expected position to this one, in whole lots; none if small."""
        lot = self.instruments[symbol].lot
        missing = quantity - self.expected_position(symbol)
        lots = (abs(missing) / lot).to_integral_value(rounding=ROUND_DOWN)
        if lots:
            (self.buy if missing > ZERO else self.sell)(symbol, lots * lot)

    def _order(
        self, symbol: str, side: common_pb2.Side.ValueType, quantity: Decimal, limit_price: Decimal | None
    ) -> None:
        for name, number in (("quantity", quantity), ("limit_price", limit_price)):
            if number is not None and parse_positive(format(number, "f")) is None:
                text = (
                    f"{name} {number} of {symbol}: an order takes positive decimals, at most 8 digits behind the point"
                )
                raise ValueError(text)
        order = orders_pb2.NewOrder(
            symbol=symbol,
            side=side,
            order_type=common_pb2.ORDER_TYPE_MARKET if limit_price is None else common_pb2.ORDER_TYPE_LIMIT,
            quantity=plain(quantity),
            limit_price="" if limit_price is None else plain(limit_price),
            time_in_force=common_pb2.TIME_IN_FORCE_GTC,
            route=self.route,
        )
        self.orders.append(order)


class Strategy:
    """
    Subclass it and override what is needed; ``__init__`` takes the portfolio file's ``parameters``.

    After a restart a strategy is built anew and lives through its history again, bars and fills in their order, with
    the orders it asks for thrown away: so it must depend on nothing but what it is given here.
    """

    def on_start(self, context: Context) -> None:
        """Run once, before the first bar; what it orders goes out with that bar."""

    def on_bar(self, bar: Bar, context: Context) -> None:
        """Run on every bar, after its fills; order by ``context.buy``, ``sell`` and ``move_to``."""

    def on_fill(self, fill: Fill, context: Context) -> None:
        """Run on every fill, before the bar that follows it; what it orders goes out with that bar."""
