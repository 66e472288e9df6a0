"""The figures of the checks that the rules on orders ask for."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tidegate.numbers import ZERO, plain
from tidegate.risk.checks.collar import Collar
from tidegate.risk.checks.daily_total import DailyTotal
from tidegate.risk.checks.duplicate import Duplicate
from tidegate.risk.checks.instrument_size import InstrumentSize
from tidegate.risk.checks.market_hours import MarketHours
from tidegate.risk.checks.message_rate import MessageRate
from tidegate.risk.checks.permitted import Permitted
from tidegate.risk.checks.price_move import PriceMove
from tidegate.risk.checks.self_trade import SelfTrade
from tidegate.risk.checks.short_sale import ShortSale
from tidegate.risk.checks.throttle import Throttle
from tidegate.risk.checks.working_orders import WorkingOrders
from tidegate.risk.counters.duplicates import sameness
from tidegate.risk.figure import Figure
from tidegate.risk.order_rules import Rates
from tidegate.risk.proposal import Proposal
from tidegate.times import NS_PER_MS, NS_PER_S, compact

# The counters' name for all strategies together.
_ALL = ""


def _collar(check: Collar, proposal: Proposal) -> list[Figure]:
    price, mark = proposal.limit_price, proposal.book.marks[proposal.instrument.symbol]
    reference = mark if proposal.stop_price is None else proposal.stop_price
    low, high = reference * (1 - check.share), reference * (1 + check.share)
    return [Figure("limit price", "none" if price is None else plain(price), f"{plain(low)} to {plain(high)}")]


def _daily_total(_check: DailyTotal, proposal: Proposal) -> list[Figure]:
    found = []
    for name, rates in _rates(proposal):
        so_far = proposal.book.counters.daily.amount(name, proposal.now_ns)
        if rates.daily_quantity is not None:
            limit = plain(rates.daily_quantity)
            found.append(Figure(f"{_of(name)} quantity of the day so far", plain(so_far.quantity), limit))
        if rates.daily_notional is not None:
            limit = plain(rates.daily_notional)
            found.append(Figure(f"{_of(name)} value of the day so far", plain(so_far.notional), limit))
    return found


def _duplicate(check: Duplicate, proposal: Proposal) -> list[Figure]:
    last_ns = proposal.book.counters.duplicates.last_ns(sameness(proposal.request))
    ago = "never" if last_ns is None else plain(Decimal(proposal.now_ns - last_ns) / NS_PER_MS)
    return [Figure("the same order, ms ago", ago, plain(Decimal(check.within_ns) / NS_PER_MS))]


def _instrument_size(_check: InstrumentSize, proposal: Proposal) -> list[Figure]:
    instrument = proposal.instrument
    return [
        Figure("quantity", plain(proposal.quantity), _range(instrument.min_quantity, instrument.max_quantity)),
        Figure(
            "value of the order", plain(proposal.notional), _range(instrument.min_notional, instrument.max_notional)
        ),
    ]


def _market_hours(_check: MarketHours, proposal: Proposal) -> list[Figure]:
    name = proposal.instrument.calendar
    return [Figure("time of the command", compact(proposal.now_ns), f"sessions of {name}" if name else "")]


def _message_rate(_check: MessageRate, proposal: Proposal) -> list[Figure]:
    return [
        Figure(
            f"{_of(name)} messages of this second, with it",
            str(proposal.book.counters.messages.count(name, proposal.now_ns) + 1),
            str(rates.messages_per_s),
        )
        for name, rates in _rates(proposal)
        if rates.messages_per_s is not None
    ]


def _permitted(check: Permitted, proposal: Proposal) -> list[Figure]:
    allowed = check.lists.get(proposal.request.strategy_id)
    return [Figure("instrument", proposal.request.symbol, "" if allowed is None else ", ".join(sorted(allowed)))]


def _price_move(check: PriceMove, proposal: Proposal) -> list[Figure]:
    symbol = proposal.instrument.symbol
    recent, mark = proposal.book.counters.price_moves.low_and_high(symbol, proposal.now_ns), proposal.book.marks[symbol]
    if recent is None:
        return [Figure("move of the mark", "0")]
    low, high = recent
    seconds = check.within_ns // NS_PER_S
    return [
        Figure(f"rise of the mark within {seconds} s", plain(mark - low), plain(check.share * low)),
        Figure(f"fall of the mark within {seconds} s", plain(high - mark), plain(check.share * high)),
    ]


def _self_trade(_check: SelfTrade, proposal: Proposal) -> list[Figure]:
    best = proposal.book.counters.resting.best(proposal.request.symbol, -proposal.sign)
    if best is None:
        return [Figure("our own order on the other side", "none")]
    reach, order_id = best
    price = plain(abs(reach)) if reach.is_finite() else "at market"
    return [Figure("our own order on the other side", f"{order_id}, {price}")]


def _short_sale(check: ShortSale, proposal: Proposal) -> list[Figure]:
    if proposal.request.strategy_id not in check.long_only:
        return [Figure("quantity", plain(proposal.leaves_quantity))]
    left = max(proposal.position_quantity - proposal.working_sells, ZERO)
    return [Figure("quantity, if it sells", plain(proposal.leaves_quantity), plain(left))]


def _throttle(_check: Throttle, proposal: Proposal) -> list[Figure]:
    throttles, strategy_id = proposal.book.throttles, proposal.request.strategy_id
    reason = throttles.get((strategy_id, "")) or throttles.get((strategy_id, proposal.request.symbol))
    return [Figure("throttled", "no" if reason is None else str(reason))]


def _working_orders(_check: WorkingOrders, proposal: Proposal) -> list[Figure]:
    book = proposal.book
    return [
        Figure(
            f"{_of(name)} working orders, with it",
            str(len(book.strategies[name].orders if name else book.orders) + 1),
            str(rates.working_orders),
        )
        for name, rates in _rates(proposal)
        if rates.working_orders is not None
    ]


def _rates(proposal: Proposal) -> list[tuple[str, Rates]]:
    """Name the rates that bear on an order: its strategy's and those of all."""
    rules, strategy_id = proposal.book.order_rules, proposal.request.strategy_id
    found = [(_ALL, rules.rates)]
    if strategy_id in rules.strategy_rates:
        found.insert(0, (strategy_id, rules.strategy_rates[strategy_id]))
    return found


def _of(name: str) -> str:
    return f"strategy {name}:" if name else "portfolio:"


def _range(least: Decimal | None, most: Decimal | None) -> str:
    known = (("at least", least), ("at most", most))
    return ", ".join(f"{word} {plain(bound)}" for word, bound in known if bound is not None)


ORDER_FIGURES: dict[type, Callable[[Any, Proposal], list[Figure]]] = {
    Collar: _collar,
    DailyTotal: _daily_total,
    Duplicate: _duplicate,
    InstrumentSize: _instrument_size,
    MarketHours: _market_hours,
    MessageRate: _message_rate,
    Permitted: _permitted,
    PriceMove: _price_move,
    SelfTrade: _self_trade,
    ShortSale: _short_sale,
    Throttle: _throttle,
    WorkingOrders: _working_orders,
}
