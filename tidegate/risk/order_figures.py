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
from tidegate.risk.counters.messages import ALL
from tidegate.risk.figure import Figure
from tidegate.risk.order_rules import Rates
from tidegate.risk.proposal import Proposal
from tidegate.times import NS_PER_MS


def _permitted(check: Permitted, proposal: Proposal) -> list[Figure]:
    allowed = check.lists.get(proposal.request.strategy_id)
    return [Figure("instrument", proposal.request.symbol, "" if allowed is None else ", ".join(sorted(allowed)))]


def _market_hours(_check: MarketHours, proposal: Proposal) -> list[Figure]:
    name = proposal.instrument.calendar
    calendar = proposal.book.calendars.get(name)
    is_open = not name or (calendar is not None and calendar.is_open(proposal.now_ns))
    return [Figure(f"{name or 'no calendar'} is open", "yes" if is_open else "no", "yes")]


def _instrument_size(_check: InstrumentSize, proposal: Proposal) -> list[Figure]:
    instrument = proposal.instrument
    return [
        Figure("quantity, at least", plain(proposal.quantity), _text(instrument.min_quantity)),
        Figure("quantity, at most", plain(proposal.quantity), _text(instrument.max_quantity)),
        Figure("value of the order, at least", plain(proposal.notional), _text(instrument.min_notional)),
        Figure("value of the order, at most", plain(proposal.notional), _text(instrument.max_notional)),
    ]


def _collar(check: Collar, proposal: Proposal) -> list[Figure]:
    if proposal.limit_price is None:
        return [Figure("limit price", "none")]
    stop = proposal.stop_price
    reference = proposal.book.marks[proposal.instrument.symbol] if stop is None else stop
    off = abs(proposal.limit_price - reference)
    return [Figure(f"limit price away from {plain(reference)}", plain(off), plain(check.share * reference))]


def _price_move(check: PriceMove, proposal: Proposal) -> list[Figure]:
    symbol = proposal.instrument.symbol
    mark = proposal.book.marks[symbol]
    low, high = proposal.book.counters.price_moves.low_and_high(symbol, proposal.now_ns) or (mark, mark)
    return [
        Figure(f"rise of the mark from {plain(low)}", plain(mark - low), plain(check.share * low)),
        Figure(f"fall of the mark from {plain(high)}", plain(high - mark), plain(check.share * high)),
    ]


def _duplicate(check: Duplicate, proposal: Proposal) -> list[Figure]:
    last_ns = proposal.book.counters.duplicates.last_ns(sameness(proposal.request))
    actual = "never" if last_ns is None else plain(Decimal(proposal.now_ns - last_ns) / NS_PER_MS)
    return [Figure("since the same order, ms, at least", actual, plain(Decimal(check.within_ns) / NS_PER_MS))]


def _message_rate(_check: MessageRate, proposal: Proposal) -> list[Figure]:
    messages, limit = proposal.book.counters.messages, proposal.book.order_rules.caller_messages_per_s
    count, of_caller = messages.count, []
    if limit is not None and messages.caller:
        actual = str(messages.count_of_caller(proposal.now_ns) + 1)
        of_caller = [Figure(f"messages within the second of caller {messages.caller}", actual, str(limit))]
    return of_caller + [
        Figure(
            f"messages within the second of {who}", str(count(name, proposal.now_ns) + 1), _text(rates.messages_per_s)
        )
        for who, name, rates in _rates(proposal)
    ]


def _working_orders(_check: WorkingOrders, proposal: Proposal) -> list[Figure]:
    own, book = len(proposal.book.strategies[proposal.request.strategy_id].orders), proposal.book
    more = 1 if proposal.replaced is None else 0
    return [
        Figure(f"working orders of {who}", str((own if name else len(book.orders)) + more), _text(rates.working_orders))
        for who, name, rates in _rates(proposal)
    ]


def _daily_total(_check: DailyTotal, proposal: Proposal) -> list[Figure]:
    found = []
    for who, name, rates in _rates(proposal):
        so_far = proposal.book.counters.daily.amount(name, proposal.now_ns)
        found += [
            Figure(f"quantity of {who} today, so far", plain(so_far.quantity), _text(rates.daily_quantity)),
            Figure(f"value of {who} today, so far", plain(so_far.notional), _text(rates.daily_notional)),
        ]
    return found


def _throttle(_check: Throttle, proposal: Proposal) -> list[Figure]:
    strategy_id, throttles = proposal.request.strategy_id, proposal.book.throttles
    is_off = (strategy_id, "") in throttles or (strategy_id, proposal.request.symbol) in throttles
    return [Figure("throttled", "yes" if is_off else "no", "no")]


def _self_trade(_check: SelfTrade, proposal: Proposal) -> list[Figure]:
    best = proposal.book.counters.resting.best(proposal.request.symbol, -proposal.sign)
    if best is None:
        return [Figure("our best order on the other side", "none")]
    price = plain(abs(best[0])) if best[0].is_finite() else "at market"
    return [Figure("our best order on the other side", f"{price} (order {best[1]})", _text(proposal.limit_price))]


def _short_sale(check: ShortSale, proposal: Proposal) -> list[Figure]:
    if proposal.request.strategy_id not in check.long_only:
        return [Figure("long only", "no")]
    left = max(proposal.position_quantity - proposal.working_sells, ZERO)
    return [Figure("quantity to sell", plain(proposal.leaves_quantity) if proposal.sign < 0 else "0", plain(left))]


def _rates(proposal: Proposal) -> list[tuple[str, str, Rates]]:
    """Name whose rates an order meets: its strategy's, and the portfolio's."""
    rules, strategy_id = proposal.book.order_rules, proposal.request.strategy_id
    own = rules.strategy_rates.get(strategy_id, Rates())
    return [(f"strategy {strategy_id}", strategy_id, own), ("the portfolio", ALL, rules.rates)]


def _text(limit: Decimal | int | None) -> str:
    return "" if limit is None else plain(Decimal(limit))


ORDER_FIGURES: dict[type, Callable[[Any, Proposal], list[Figure]]] = {
    Permitted: _permitted,
    MarketHours: _market_hours,
    InstrumentSize: _instrument_size,
    Collar: _collar,
    PriceMove: _price_move,
    Duplicate: _duplicate,
    MessageRate: _message_rate,
    WorkingOrders: _working_orders,
    DailyTotal: _daily_total,
    Throttle: _throttle,
    SelfTrade: _self_trade,
    ShortSale: _short_sale,
}
