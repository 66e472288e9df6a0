"""The flow: the portfolio and the orders of every run; each order is new, and each is allowed."""

from collections.abc import Sequence
from decimal import Decimal

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.client import new_order
from tidegate.portfolio_file import PortfolioFile
from tidegate.v1 import common_pb2, market_data_pb2, orders_pb2

STRATEGY = "flow"
# Halted again and again while the other one trades.
HALTED_STRATEGY = "halted"
ADAPTER = "paper"
SYMBOLS = tuple(f"S{number:03}" for number in range(20))
MARK = "100.25"
# On the passive side of the mark, a tick apart.
_PRICES = {
    common_pb2.SIDE_BUY: [f"100.{cents:02}" for cents in range(25)],
    common_pb2.SIDE_SELL: [f"100.{cents:02}" for cents in range(26, 51)],
}
_QUANTITIES = [str(quantity) for quantity in range(10, 100)]


def portfolio(symbols: Sequence[str] = SYMBOLS, strategies: int = 2, further: Sequence[object] = ()) -> PortfolioFile:
    """Describe a portfolio with every limit of its own set, further ones, and capital for all orders of a run."""
    limits = {"max_order_notional": Decimal(1_000_000), "max_order_quantity": Decimal(100_000), "further": further}
    more = [f"more{number}" for number in range(strategies - 2)]
    return PortfolioFile.model_validate(
        {
            "name": "bench",
            "currency": "USD",
            "capital": Decimal(100_000_000_000),
            "limits": limits,
            "instruments": [{"symbol": symbol} for symbol in symbols],
            "strategies": [
                {"id": STRATEGY, "kind": "external", "allocation": Decimal("0.9"), "max_leverage": Decimal(2)},
                {"id": HALTED_STRATEGY, "kind": "external", "allocation": Decimal("0.05")},
                *({"id": name, "kind": "external", "allocation": Decimal("0.0001")} for name in more),
            ],
            "adapters": [{"name": ADAPTER}],
        }
    )


def order(
    prefix: str, number: int, *, strategy_id: str = STRATEGY, symbols: Sequence[str] = SYMBOLS
) -> orders_pb2.NewOrder:
    """
    Write a limit order of its submitter's own routing: symbols, buys and sells, quantities and prices in turn.

    All orders of a prefix have the same size in bytes.
    """
    side = common_pb2.SIDE_SELL if number // len(symbols) % 2 else common_pb2.SIDE_BUY
    return new_order(
        strategy_id=strategy_id,
        client_order_id=f"{prefix}-{number:08}",
        symbol=symbols[number % len(symbols)],
        side=side,
        quantity=_QUANTITIES[number % len(_QUANTITIES)],
        limit_price=_PRICES[side][number % len(_PRICES[side])],
    )


def single(prefix: str, number: int, symbols: Sequence[str] = SYMBOLS) -> bytes:
    """Write a SubmitOrder request with one order."""
    return orders_pb2.SubmitOrderRequest(order=order(prefix, number, symbols=symbols)).SerializeToString()


def batch(prefix: str, number: int, size: int) -> bytes:
    """Write a SubmitOrders request with ``size`` orders."""
    orders = [order(prefix, number * size + place) for place in range(size)]
    return orders_pb2.SubmitOrdersRequest(orders=orders).SerializeToString()


def prices(symbols: Sequence[str] = SYMBOLS) -> market_data_pb2.PublishPricesRequest:
    """Write a price of now for each symbol, always the same one."""
    now = Timestamp()
    now.GetCurrentTime()
    entries = [market_data_pb2.Price(symbol=symbol, price=MARK, time=now) for symbol in symbols]
    return market_data_pb2.PublishPricesRequest(prices=entries)


def limits_of_every_scope(strategies: int, symbols: Sequence[str] = SYMBOLS) -> list[object]:
    """Write limits that a desk would set: the portfolio's, each strategy's, each instrument's, the asset class's."""
    names = [STRATEGY, HALTED_STRATEGY, *(f"more{number}" for number in range(strategies - 2))]
    much = Decimal(100_000_000_000)
    found: list[object] = [
        {"figure": "daily_loss", "limit": Decimal("0.5"), "action": "halt"},
        {"figure": "gross_exposure", "limit": much},
        {"figure": "concentration", "asset_class": "equity", "limit": Decimal(2)},
    ]
    for figure, limit in (("leverage", 2), ("drawdown", "0.5"), ("daily_loss", "0.5"), ("gross_exposure", much)):
        found += [{"figure": figure, "strategy": name, "limit": Decimal(limit)} for name in names]
    return found + [{"figure": "gross_exposure", "instrument": symbol, "limit": much} for symbol in symbols]


def past_prices(session: int, symbols: Sequence[str] = SYMBOLS) -> market_data_pb2.PublishPricesRequest:
    """Write the prices of a session so many days ago: each symbol's own zigzag."""
    request = prices(symbols)
    for place, entry in enumerate(request.prices):
        entry.price = str(100 + Decimal((place * 7 + session * 13) % 11) / 4)
        entry.time.seconds -= 86_400 * session
    return request
