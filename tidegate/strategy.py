"""What a user writes: a Strategy, one class in one file, named in the portfolio file as ``module:Class``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from tidegate.instruments import Instrument
from tidegate.ledger import Ledger
from tidegate.numbers import ONE, ZERO, parse_positive, plain
from tidegate.targets.target import PortfolioTarget
from tidegate.targets.targeting import Targeting
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
    What a strategy may see and do: its own ledger, and its orders or targets of this bar.

    Every order goes through the gate; it is decided after ``on_bar`` has returned. A strategy with risk models speaks
    in targets only: an order would pass them by.
    marks: the newest price by symbol.
    """

    instruments: Mapping[str, Instrument]
    ledger: Ledger
    route: str
    orders: list[orders_pb2.NewOrder] = field(default_factory=list)
    marks: Mapping[str, Decimal] = field(default_factory=dict)
    targeting: Targeting = field(default_factory=Targeting)

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

    def target(self, symbol: str, quantity: Decimal) -> None:
        """
        Ask to hold a quantity, negative for short; the risk models may make it less.

        It counts for this bar: what its order could not get is not tried again unless it is asked for again.

        Raises:
            ValueError: it is no finite Decimal, there is no such instrument, or this bar has an order in it already.
        """
        self._want(PortfolioTarget(symbol, quantity))

    def target_share(self, symbol: str, share: Decimal) -> None:
        """
        Ask to hold so much that it is worth a share of the equity at the newest price, negative for short.

        Raises:
            ValueError: as ``target`` does, and when the instrument has no price yet, or its currency no rate.
        """
        price = self.marks.get(symbol)
        if price is None or symbol not in self.instruments:
            message = f"a share in {symbol} cannot be counted: it is no instrument with a price yet"
            raise ValueError(message)
        instrument = self.instruments[symbol]
        rate = ONE if instrument.currency == self.ledger.currency else self.ledger.rates.get(instrument.currency)
        if rate is None:
            message = f"a share in {symbol} cannot be counted: {instrument.currency} has no rate yet"
            raise ValueError(message)
        self._want(PortfolioTarget.of_equity(instrument, share, equity=self.equity, price=price, rate=rate))

    @property
    def suppressed(self) -> Mapping[str, str]:
        """Why each instrument is suppressed that a risk model has liquidated and that is not re-armed."""
        return self.targeting.suppressed

    def rearm(self, symbol: str) -> None:
        """Let the targets of an instrument that was liquidated count again, from this bar on."""
        self.targeting.rearm(symbol)

    def rearm_all(self, *, rebase: bool) -> None:
        """Re-arm every instrument and risk model; rebase: drawdown is measured anew, from this bar's equity."""
        self.targeting.rearm_all(rebase=rebase)

    def _want(self, target: PortfolioTarget) -> None:
        if target.symbol not in self.instruments:
            message = f"there is no instrument {target.symbol}"
            raise ValueError(message)
        if any(order.symbol == target.symbol for order in self.orders):
            message = f"{target.symbol} has an order in this bar already; a target does not know of it"
            raise ValueError(message)
        self.targeting.want(target)

    def _order(
        self, symbol: str, side: common_pb2.Side.ValueType, quantity: Decimal, limit_price: Decimal | None
    ) -> None:
        if self.targeting.has_models or self.targeting.wants(symbol):
            message = f"no order in {symbol}: a strategy with risk models, or with a target in it, speaks in targets"
            raise ValueError(message)
        self.orders.append(self.write(symbol, side, quantity, limit_price))

    def write(
        self, symbol: str, side: common_pb2.Side.ValueType, quantity: Decimal, limit_price: Decimal | None = None
    ) -> orders_pb2.NewOrder:
        """Write an order without asking for it; raises as ``buy`` does."""
        for name, number in (("quantity", quantity), ("limit_price", limit_price)):
            if number is not None and parse_positive(format(number, "f")) is None:
                text = (
                    f"{name} {number} of {symbol}: an order takes positive decimals, at most 8 digits behind the point"
                )
                raise ValueError(text)
        return orders_pb2.NewOrder(
            symbol=symbol,
            side=side,
            order_type=common_pb2.ORDER_TYPE_MARKET if limit_price is None else common_pb2.ORDER_TYPE_LIMIT,
            quantity=plain(quantity),
            limit_price="" if limit_price is None else plain(limit_price),
            time_in_force=common_pb2.TIME_IN_FORCE_GTC,
            route=self.route,
        )


class Strategy:
    """
    Subclass it and override what is needed; ``__init__`` takes the portfolio file's ``parameters``.

    After a restart a strategy is built anew and lives through its history again, bars and fills in their order, with
    the orders it asks for thrown away: so it must depend on nothing but what it is given here. One that saves its state
    goes on from there, and lives through what followed only.
    """

    def on_start(self, context: Context) -> None:
        """Run once, before the first bar; what it orders goes out with that bar."""

    def on_bar(self, bar: Bar, context: Context) -> None:
        """Run on every bar, after its fills; order by ``context.buy`` and its like, or by ``target``."""

    def on_fill(self, fill: Fill, context: Context) -> None:
        """Run on every fill, before the bar that follows it; what it orders goes out with that bar."""

    def save_state(self) -> bytes | None:
        """
        Return what it needs to go on from here, at most 1 MiB; None, the default, to live through its history.

        Asked after ``on_bar``, with one bar in fifty; it is kept in the journal with that bar. The ledger, working
        orders and prices are kept beside it. A strategy with risk models is not asked.
        """
        return None

    def load_state(self, state: bytes) -> None:
        """
        Take what ``save_state`` has returned, by this or an earlier version of the class; after ``on_start``.

        What it raises pauses the strategy, as everything that its code raises does.
        """
        del state
