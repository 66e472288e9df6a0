"""How each event changes the book: one function a kind. What was recorded has happened; nothing is decided here."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from tidegate.instruments import Instrument
from tidegate.ledger import Ledger
from tidegate.orders import DecidedOrder
from tidegate.risk.alerts import ALERT_KINDS
from tidegate.risk.counters import Counters
from tidegate.risk.folding_capital import CAPITAL
from tidegate.risk.folding_controls import CONTROLS, group_exposures_of_limits, note_alert, note_exit
from tidegate.risk.folding_instruments import upsert_instrument
from tidegate.risk.folding_reconciliation import RECONCILIATION, open_accounts, take_execution
from tidegate.risk.held_prices import Print, Prints, judge, prints_of_bar, prints_of_prices
from tidegate.risk.high_water import HighWater
from tidegate.risk.limit import Limit
from tidegate.risk.limit_table import LimitTable, portfolio_limits
from tidegate.risk.limits import Limits
from tidegate.risk.order_rules import OrderRules
from tidegate.risk.price_bands import Band, PriceBands
from tidegate.risk.scopes import PORTFOLIO as PORTFOLIO_SCOPE
from tidegate.risk.scopes import Scope, strategy_scope
from tidegate.risk.terms import Terms
from tidegate.strategy_book import SUSPENSE, StrategyBook
from tidegate.times import to_ns
from tidegate.v1 import journal_pb2

if TYPE_CHECKING:
    from tidegate.risk.book import Book

# Bars that no allocator completed; past the bound the oldest is given up, so that memory stays flat.
PENDING_BARS_MAX = 1_000


def _configure(book: "Book", event: journal_pb2.Event) -> None:
    configured = event.portfolio_configured
    book.configuration = configured
    book.currency = configured.currency
    book.limits = Limits.from_wire(configured.limits)
    book.order_rules = OrderRules.from_wire(configured)
    book.counters = Counters(book.order_rules)
    book.price_bands = PriceBands(map(Band.from_wire, configured.price_bands))
    book.instruments = {i.symbol: Instrument.from_wire(i) for i in configured.instruments}
    book.currencies.configure(configured.currency_rates, book.instruments)
    book.options.configure(book.instruments)
    book.terms = {s.strategy_id: Terms.from_wire(s) for s in configured.strategies}
    book.adapters = frozenset(configured.adapters)
    book.routes = {route.strategy_id: route.adapter for route in configured.routes}
    book.limits_in_force = LimitTable(portfolio_limits(book.limits))
    for message in configured.further_limits:
        book.limits_in_force.set(Limit.from_wire(message))
    book.high_water = HighWater(configured.currency)
    book.deposits = book.reserve = Decimal(configured.capital)
    for strategy_id in (*book.terms, SUSPENSE):
        ledger = Ledger(configured.currency, book.totals, book.currencies.rates, book.options)
        book.strategies[strategy_id] = StrategyBook(strategy_id, ledger, book.instruments, book.marks)
    for strategy_id, terms in book.terms.items():
        book.strategies[strategy_id].ledger.transfer(terms.capital)
        book.reserve -= terms.capital
    open_accounts(book, configured)
    group_exposures_of_limits(book)
    _raise_high_water(book, equities(book))
    book.high_water.begin_day(to_ns(event.time), equities(book))


def _decide(book: "Book", decided: DecidedOrder) -> None:
    if decided.order_id:
        order = book.strategies[decided.strategy_id].accept(decided)
        book.orders[order.order_id] = order
        book.touch(decided.strategy_id, decided.symbol)
        (book.awaiting if order.request.route else book.unreported)[order.order_id] = order
        if book.flattenings and order.is_emergency:
            note_exit(book, order)


def _decide_replace(book: "Book", event: journal_pb2.Event) -> None:
    decided = event.replace_decided
    if decided.decision.order_id:
        book.strategies[decided.replace.strategy_id].apply(event)
        book.touch(decided.replace.strategy_id, book.orders[decided.order_id].request.symbol)
        _track(book, decided.order_id)


def _apply_to_order(book: "Book", event: journal_pb2.Event) -> None:
    order_id: str = getattr(event, event.WhichOneof("body") or "").order_id
    book.orders[order_id].apply(event)
    _track(book, order_id)


def _track(book: "Book", order_id: str) -> None:
    """Note whether an order still works, and whether a report on it is owed."""
    order = book.orders.get(order_id)
    if order is None:
        return
    if order.is_done:
        del book.orders[order_id]
    if order.request.route:
        owed, is_owed = book.awaiting, order.awaits_report
    else:
        owed, is_owed = book.unreported, order.awaits_report and not order.overdue
    if not is_owed or order.instructed_sequence > book.sequence:
        owed.pop(order_id, None)  # done with, or told anew: then it is the newest
    if is_owed:
        owed[order_id] = order


def _book_execution(book: "Book", event: journal_pb2.Event) -> None:
    booked = event.execution_booked
    execution, symbol, strategy_id = booked.execution, booked.symbol, booked.strategy_id
    if last_price := execution.last_price:
        if symbol not in book.marks:
            # Never priced: worth what it cost, until a price comes. Orders stay refused, for it has no mark time.
            book.marks[symbol] = Decimal(last_price)
            _translate(book, symbol, book.marks[symbol])
        book.traded.add(symbol)
    strategy = book.strategies[strategy_id]
    strategy.apply(event)
    if book.accounts or strategy_id == SUSPENSE:
        take_execution(book, event)
    book.touch(strategy_id, symbol)
    _track(book, execution.order_id)
    book.high_water.raise_to(PORTFOLIO_SCOPE, book.equity)
    if strategy_id != SUSPENSE:
        book.high_water.raise_to(strategy_scope(strategy_id), strategy.ledger.equity)


def _publish_bar(book: "Book", event: journal_pb2.Event) -> None:
    bar = event.bar_published
    _mark_all(book, prints_of_bar(bar))
    book.last_bar = bar
    book.last_bar_sequence = event.sequence
    book.pending_bars[event.sequence] = to_ns(bar.time)
    if len(book.pending_bars) > PENDING_BARS_MAX:
        del book.pending_bars[next(iter(book.pending_bars))]


def _publish_prices(book: "Book", event: journal_pb2.Event) -> None:
    _mark_all(book, prints_of_prices(event.prices_published))


def _mark_all(book: "Book", prints: Prints) -> None:
    for symbol, new in prints.by_symbol.items():
        _mark(book, symbol, new, book.price_bands.over(symbol, prints.feed, prints.interval))
    _raise_high_water(book, equities(book))


def _mark(book: "Book", symbol: str, new: Print, band: Band) -> None:
    marked_ns = book.mark_times_ns.get(symbol)
    if marked_ns is not None:
        if new.time_ns < marked_ns:
            return  # a bar may be older than a price that came between bars
        if book.price_bands.is_on:
            mark = Print(book.marks[symbol], marked_ns)
            new, held = judge(mark, book.held_prices.pop(symbol, ()), new, band)
            if held:
                book.held_prices[symbol] = held
            if new is mark:
                return
    book.marks[symbol], book.mark_times_ns[symbol] = new
    if book.history.mark(symbol, *new):
        book.strategy_returns.close(book)
    _revalue(book, symbol, new)


def _revalue(book: "Book", symbol: str, new: Print) -> None:
    """Value everything that a mark is the price of: positions in it, options on it, a currency by its rate."""
    if symbol in book.totals.worst_quantities:
        for strategy_id, strategy in book.strategies.items():
            strategy.ledger.mark(symbol, new.price)
            book.touch(strategy_id, symbol)
    for option in book.options.take(symbol, *new):
        if option.symbol in book.totals.worst_quantities:
            for strategy_id, strategy in book.strategies.items():
                strategy.ledger.weigh(option)
                book.touch(strategy_id, option.symbol)
    _translate(book, symbol, new.price)


def _translate(book: "Book", symbol: str, price: Decimal) -> None:
    """Value a foreign currency anew, if the price is its rate."""
    currency, step = book.currencies.take(symbol, price)
    if currency:
        book.totals.translate(currency, step)
        for strategy in book.strategies.values():
            strategy.ledger.translate(currency, price)


def _note_held_price(book: "Book", event: journal_pb2.Event) -> None:
    book.held_alerts_ns[event.price_held.symbol] = to_ns(event.time)


def _acknowledge_bar(book: "Book", event: journal_pb2.Event) -> None:
    book.acknowledged_bars[event.bar_acknowledged.adapter] = event.bar_acknowledged.bar_sequence


def _complete_bar(book: "Book", event: journal_pb2.Event) -> None:
    book.completed_bar_sequence = event.bar_completed.bar_sequence
    book.seen_sequence = event.bar_completed.seen_sequence
    book.completed_bar_time_ns = book.pending_bars.pop(book.completed_bar_sequence, book.completed_bar_time_ns)
    for halt in book.halts.values():
        halt.bars += 1
    for strategy_id in event.bar_completed.strategy_ids:
        book.bars_since_saved[strategy_id] = book.bars_since_saved.get(strategy_id, 0) + 1
    for state in event.bar_completed.states:
        # Bars that wait already are lived through after it.
        book.saved_sequences[state.strategy_id] = min(
            book.seen_sequence, (book.next_bar_sequence or event.sequence) - 1
        )
        book.bars_since_saved[state.strategy_id] = 0


def _move_capital(book: "Book", event: journal_pb2.Event) -> None:
    amount = Decimal(event.capital_moved.amount)
    book.high_water.move(PORTFOLIO_SCOPE, book.equity, amount)
    book.reserve += amount
    book.deposits += amount
    if event.capital_moved.account:
        book.accounts[event.capital_moved.account].give(book.currency, amount)


def equities(book: "Book") -> dict[Scope, Decimal]:
    """Return the equity of the portfolio and of each strategy."""
    equities = {strategy_scope(strategy_id): book.strategies[strategy_id].ledger.equity for strategy_id in book.terms}
    return {PORTFOLIO_SCOPE: book.equity, **equities}


def _raise_high_water(book: "Book", equities: dict[Scope, Decimal]) -> None:
    for scope, equity in equities.items():
        book.high_water.raise_to(scope, equity)


def _ignore(_book: "Book", _event: journal_pb2.Event) -> None:
    """Take an event that is a record only."""


_APPLIERS: dict[str, Callable[["Book", journal_pb2.Event], None]] = {
    **CONTROLS,
    **RECONCILIATION,
    **CAPITAL,
    "portfolio_configured": _configure,
    "replace_decided": _decide_replace,
    "order_claimed": _apply_to_order,
    "cancel_requested": _apply_to_order,
    "order_overdue": _apply_to_order,
    "execution_booked": _book_execution,
    "bar_published": _publish_bar,
    "prices_published": _publish_prices,
    "bar_acknowledged": _acknowledge_bar,
    "bar_completed": _complete_bar,
    "capital_moved": _move_capital,
    "price_held": _note_held_price,
    "instrument_upserted": upsert_instrument,
    "command_refused": _ignore,
    "alert_raised": _ignore,
    "refusals_counted": _ignore,
}


def fold(book: "Book", event: journal_pb2.Event, kind: str, decided: DecidedOrder | None) -> None:
    """Let the book take an event of a kind, and its counters and alerts with it; decided: a decision, read already."""
    if decided is None and kind == "order_decided":
        decided = DecidedOrder.read(event)
    time_ns = to_ns(event.time) if decided is None else decided.time_ns
    if time_ns >= book.high_water.day_ends_ns:
        book.high_water.begin_day(time_ns, equities(book))
    if decided is None:
        _APPLIERS[kind](book, event)
    else:
        _decide(book, decided)
    book.counters.take(event, kind, book)
    if kind in ALERT_KINDS:
        note_alert(book, event)
    book.sequence += 1
    book.time_ns = max(book.time_ns, time_ns)
