"""What the gate says about its state at the end, held against the sums, and against what a replay says."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from chaos.sums import SUSPENSE, ZERO, Sums
from tidegate.v1 import orders_pb2, portfolio_pb2, risk_pb2

# Method and request by the name under which its answer is kept; ListOrders one page after the other.
Answers = Mapping[str, list[bytes]]


def check_replay(live: Answers, replayed: Answers) -> Iterator[str]:
    """Name what a replay of the journal says otherwise than the gate that lived through it, to the byte."""
    for name in sorted({*live, *replayed}):
        if live.get(name) != replayed.get(name):
            yield f"{name}: the replayed journal answers otherwise than the gate did"


def check_capital(sums: Sums, live: Answers) -> Iterator[str]:
    """Name every figure that is not, to the last digit, what the events add up to."""
    whole = portfolio_pb2.GetPortfolioResponse.FromString(live["GetPortfolio"][0])
    kept = whole.conservation
    strategies = sum((sums.equity_of(name) for name in sums.terms), ZERO)
    fees = sum(sums.fees.values(), ZERO)
    expected = {
        "strategies": strategies,
        "reserve": sums.reserve,
        "suspense": sums.equity_of(SUSPENSE),
        "capital": sums.deposits,
        "fees": fees,
        "pnl": sums.equity() + fees - sums.deposits,
        "difference": ZERO,
    }
    yield from _compare("conservation", kept, expected)
    yield from _compare("portfolio", whole, {"equity": sums.equity()})
    for one in portfolio_pb2.ListStrategiesResponse.FromString(live["ListStrategies"][0]).strategies:
        name = one.strategy_id
        own = {
            "capital": sums.capital[name],
            "cash": sums.cash[name],
            "equity": sums.equity_of(name),
            "reserved_cash": sums.reserved_cash[name],
            "gross_exposure": sums.exposure(name),
            "fees": sums.fees[name],
        }
        yield from _compare(name, one, own)
    metrics = risk_pb2.GetRiskMetricsResponse.FromString(live["GetRiskMetrics"][0])
    of_risk = {"equity": sums.equity(), "gross_exposure": sums.exposure(), "high_water_mark": sums.peak}
    yield from _compare("metrics", metrics, of_risk)


def check_state(sums: Sums, live: Answers) -> Iterator[str]:
    """Name orders and halts that the gate has otherwise than the events say."""
    pages = [orders_pb2.ListOrdersResponse.FromString(page) for page in live["ListOrders"]]
    shown = {order.order_id: (Decimal(order.cumulative_quantity), Decimal(order.leaves_quantity))
             for page in pages for order in page.orders}  # fmt: skip
    working = {order_id: (one.filled, one.leaves) for order_id, one in sums.orders.items() if not one.ended}
    for order_id in sorted({*shown, *working}, key=int):
        if shown.get(order_id) != working.get(order_id):
            yield f"order {order_id} works as {shown.get(order_id)}, by the events as {working.get(order_id)}"
    state = risk_pb2.GetHaltStateResponse.FromString(live["GetHaltState"][0])
    halts = {(halt.scope.kind, halt.scope.name): halt.level for halt in state.halts}
    if halts != sums.halts:
        yield f"halted are {halts}, by the events {sums.halts}"


def _compare(what: str, answer: object, expected: Mapping[str, Decimal]) -> Iterator[str]:
    for name, figure in expected.items():
        said = getattr(answer, name)
        if Decimal(said) != figure:
            yield f"{what}: {name} is {said}, by the events {figure}"
