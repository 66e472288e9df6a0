"""What the book says to whoever asks: reads only, of a state that is already durable."""

from decimal import Decimal
from itertools import islice

from tidegate.errors import RefusedError
from tidegate.ledger import Ledger
from tidegate.numbers import ONE, ZERO, plain, round_ratio
from tidegate.orders import Order
from tidegate.publications import INSTRUCTIONS_MAX, instructions_for
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.book import Book
from tidegate.risk.checks import check_of
from tidegate.risk.checks.scoped_limit import Measured
from tidegate.risk.draft import Archive, order_key
from tidegate.risk.engine import Engine
from tidegate.risk.limit import CONCENTRATION, STRATEGY_CORRELATION, Limit
from tidegate.risk.market_data import require_adapter
from tidegate.risk.scopes import PORTFOLIO
from tidegate.risk.session_history import OBSERVATIONS_MIN, SESSIONS_MAX
from tidegate.risk.sessions import require_switch
from tidegate.strategy_book import SUSPENSE
from tidegate.times import NS_PER_S, to_ns, to_stamp
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, orders_pb2, portfolio_pb2, risk_pb2

_PAGE_SIZE = 100
_PAGE_SIZE_MAX = 1_000
# A token is a sequence, of at most 64 bits.
_PAGE_TOKEN_LENGTH_MAX = 20


def risk_metrics(book: Book) -> risk_pb2.GetRiskMetricsResponse:
    """Show how near the portfolio is to its limits."""
    equity, peak = book.equity, book.high_water_mark
    exposures = {symbol: book.instrument_exposure(symbol) for symbol in book.totals.worst_quantities}
    largest = max(exposures, key=lambda symbol: exposures[symbol], default="")
    held = (position for strategy in book.strategies.values() for position in strategy.ledger.positions.values())
    net = sum((position.net_exposure * position.rate for position in held), ZERO)
    return risk_pb2.GetRiskMetricsResponse(
        sequence=book.sequence,
        time=to_stamp(book.time_ns),
        equity=plain(equity),
        high_water_mark=plain(peak),
        drawdown=drawdown(book),
        gross_exposure=plain(book.totals.gross_exposure),
        net_exposure=plain(net),
        leverage=plain(round_ratio(book.totals.gross_exposure / equity)) if equity > ZERO else "",
        largest_symbol=largest,
        largest_exposure=plain(exposures[largest]) if largest else "0",
        working_orders=len(book.orders),
        breaches=[*book.breaches.values(), *(alike.violation for alike in book.correlation_breaches.by_pair.values())],
        held_prices=[_held_price(book, symbol) for symbol in book.held_prices],
    )


def _held_price(book: Book, symbol: str) -> risk_pb2.HeldPrice:
    held = book.held_prices[symbol]
    return risk_pb2.HeldPrice(
        symbol=symbol,
        price=plain(held[-1].price),
        mark=plain(book.marks[symbol]),
        time=to_stamp(held[-1].time_ns),
        mark_time=to_stamp(book.mark_times_ns[symbol]),
        prints=len(held),
    )


def risk_metrics_after(book: Book, request: risk_pb2.WatchRiskMetricsRequest) -> risk_pb2.WatchRiskMetricsResponse:
    """Show the metrics when something has changed since a sequence; an empty answer until then."""
    if book.sequence <= request.after_sequence:
        return risk_pb2.WatchRiskMetricsResponse()
    return risk_pb2.WatchRiskMetricsResponse(metrics=risk_metrics(book))


def drawdown(book: Book) -> str:
    """Write how far equity is below its high-water mark, as a negative share; empty without a mark."""
    peak = book.high_water_mark
    return plain(round_ratio(book.equity / peak - 1)) if peak > ZERO else ""


def halt_state(book: Book) -> risk_pb2.GetHaltStateResponse:
    """Show every scope that is halted."""
    standing = book.halts.get(PORTFOLIO)
    return risk_pb2.GetHaltStateResponse(
        level=common_pb2.HALT_LEVEL_ACTIVE if standing is None else standing.level,
        halts=[halt.to_wire() for halt in book.halts.values()],
        pending_resets=[_pending_reset(book, event) for event in book.reset_requests.values()],
        flattenings=[
            risk_pb2.Flattening(strategy_id=place[0], symbol=place[1], operator=one.operator, sequence=one.sequence)
            for place, one in book.flattenings.items()
        ],
    )


def _pending_reset(book: Book, event: journal_pb2.Event) -> risk_pb2.PendingReset:
    asked, within_s = event.reset_requested, book.configuration.halts.confirm_within_s if book.configuration else 0
    return risk_pb2.PendingReset(
        request_sequence=event.sequence,
        scope=asked.scope,
        operator=asked.operator,
        reason=asked.reason,
        rebase=asked.high_water_mark == admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE,
        time=event.time,
        expires=to_stamp(to_ns(event.time) + within_s * NS_PER_S),
    )


def portfolio(engine: Engine) -> portfolio_pb2.GetPortfolioResponse:
    """Show the portfolio as a whole, and that its capital is conserved."""
    book, performance = engine.book, engine.performance
    configured = book.configuration
    return portfolio_pb2.GetPortfolioResponse(
        name=configured.name if configured else "",
        currency=configured.currency if configured else "",
        equity=plain(book.equity),
        performance=performance.portfolio.to_wire(),
        conservation=conservation(book),
        halts=performance.halts,
        halted_bars=performance.halted_bars,
        bar_time=to_stamp(book.completed_bar_time_ns),
        sequence=book.sequence,
        cash_by_currency=cash_by_currency(book, [s.ledger for s in book.strategies.values()], book.reserve),
        rebalance=_pending_rebalance(book),
    )


def _pending_rebalance(book: Book) -> portfolio_pb2.PendingRebalance | None:
    standing = book.rebalance
    if standing is None:
        return None
    return portfolio_pb2.PendingRebalance(
        rebalance_id=standing.rebalance_id,
        sequence=standing.sequence,
        operator=standing.operator,
        reason=standing.reason,
        pending=[
            portfolio_pb2.PendingCapital(strategy_id=strategy_id, amount=plain(amount))
            for strategy_id, amount in standing.pending.items()
        ],
    )


def cash_by_currency(book: Book, ledgers: list[Ledger], reserve: Decimal = ZERO) -> list[portfolio_pb2.CurrencyCash]:
    """Show the cash of some ledgers together, currency by currency, the portfolio's first."""
    cash: dict[str, Decimal] = {book.currency: sum((ledger.cash for ledger in ledgers), reserve)}
    for currency in sorted({currency for ledger in ledgers for currency in ledger.foreign}):
        cash[currency] = sum((ledger.foreign[currency].cash for ledger in ledgers if currency in ledger.foreign), ZERO)
    return [
        portfolio_pb2.CurrencyCash(
            currency=currency,
            cash=plain(amount),
            rate=plain(rate) if (rate := book.rate(currency)) else "",
            base_value=plain(amount * rate),
        )
        for currency, amount in cash.items()
    ]


def conservation(book: Book) -> portfolio_pb2.Conservation:
    """
    Add the capital up from the ledgers, on both sides.

    The left side is cash and value at the marks; the right one is what was put in, what trades earned against their
    cost, what exchanged currencies are worth against what they took, and fees. Neither uses the running sums.
    """
    ledgers = [strategy.ledger for strategy in book.strategies.values()]
    strategies = sum((_equity(s.ledger) for id_, s in book.strategies.items() if id_ != SUSPENSE), ZERO)
    suspense = _equity(book.strategies[SUSPENSE].ledger)
    pnl = sum((realised_pnl(ledger) + ledger.unrealised_pnl + ledger.exchange_pnl for ledger in ledgers), ZERO)
    fees = sum((fees_of(ledger) for ledger in ledgers), ZERO)
    return portfolio_pb2.Conservation(
        strategies=plain(strategies),
        reserve=plain(book.reserve),
        suspense=plain(suspense),
        capital=plain(book.deposits),
        pnl=plain(pnl),
        fees=plain(fees),
        difference=plain(strategies + book.reserve + suspense - (book.deposits + pnl - fees)),
    )


def strategies(engine: Engine) -> portfolio_pb2.ListStrategiesResponse:
    """Show every strategy, in the portfolio file's order."""
    return portfolio_pb2.ListStrategiesResponse(
        strategies=[_summary(engine, strategy_id) for strategy_id in engine.book.terms]
    )


def strategy(engine: Engine, strategy_id: str) -> portfolio_pb2.GetStrategyResponse:
    """Show one strategy with its positions."""
    require_strategy(engine.book, strategy_id)
    ledger = engine.book.strategies[strategy_id].ledger
    return portfolio_pb2.GetStrategyResponse(
        strategy=_summary(engine, strategy_id), positions=positions_of(engine.book, ledger)
    )


def positions_of(book: Book, ledger: Ledger) -> list[portfolio_pb2.Position]:
    """Show what a ledger holds, and what works in it."""
    return [
        portfolio_pb2.Position(
            symbol=symbol,
            quantity=plain(position.quantity),
            average_cost=plain(round_ratio(position.average_cost)),
            mark=plain(position.mark),
            market_value=plain(position.market_value),
            unrealised_pnl=plain(position.unrealised_pnl),
            working_buys=plain(position.working_buys),
            working_sells=plain(position.working_sells),
            currency=book.currency if position.account is None else position.account.currency,
            base_value=plain(position.market_value * position.rate),
        )
        for symbol, position in sorted(ledger.positions.items())
    ]


def order(book: Book, archive: Archive, request: orders_pb2.GetOrderRequest) -> orders_pb2.GetOrderResponse:
    """Show one order, working or long done, and the decision on it."""
    if request.order_id:
        events = archive.events_of_order(request.order_id)
        decided = events[0] if events else None
    else:
        decided = archive.find(order_key(request.strategy_id, request.client_order_id))
    if decided is None:
        text = f"the gate has no such order: {door.shown(request.order_id or request.client_order_id)}"
        raise RefusedError(Reason.ORDER_UNKNOWN, text)
    is_order = decided.HasField("order_decided")
    decision = decided.order_decided.decision if is_order else decided.replace_decided.decision
    if not decision.order_id:
        return orders_pb2.GetOrderResponse(decision=decision)
    working = book.orders.get(decision.order_id)
    found = working or Order.from_events(archive.events_of_order(decision.order_id))
    return orders_pb2.GetOrderResponse(order=found.to_wire(), decision=decision)


def working_orders(book: Book, request: orders_pb2.ListOrdersRequest) -> orders_pb2.ListOrdersResponse:
    """Show working orders page by page, oldest first; the token is the last order's id."""
    token = request.page_token or "0"
    if not (token.isascii() and token.isdigit() and len(token) <= _PAGE_TOKEN_LENGTH_MAX):
        text = f"page_token is {door.shown(token)}, which the gate never gave out"
        raise RefusedError(Reason.PAGE_TOKEN_INVALID, text, field="page_token")
    size, after = min(request.page_size or _PAGE_SIZE, _PAGE_SIZE_MAX), int(token)
    matching = (
        order
        for order in book.orders.values()
        if int(order.order_id) > after and request.strategy_id in ("", order.request.strategy_id)
    )
    found = list(islice(matching, size + 1))
    return orders_pb2.ListOrdersResponse(
        orders=[order.to_wire() for order in found[:size]],
        next_page_token=found[size - 1].order_id if len(found) > size else "",
    )


def instructions(book: Book, request: orders_pb2.WatchOrdersRequest) -> orders_pb2.WatchOrdersResponse:
    """
    Show an adapter what is to be done now, what it was told up to after_sequence left out.

    Bounded: where there is more, the sequence is that of the last instruction shown, to ask on from there.
    """
    require_adapter(book, request.adapter)
    require_switch(request)
    mine = (o for o in book.orders.values() if o.request.route == request.adapter)
    told = sorted((o for o in mine if o.instructed_sequence > request.after_sequence), key=_instructed)
    found = [(o, instruction) for o in told for instruction in instructions_for(o, book)]
    shown, is_cut = found[:INSTRUCTIONS_MAX], len(found) > INSTRUCTIONS_MAX
    if is_cut and found[INSTRUCTIONS_MAX][0] is shown[-1][0]:
        shown.pop()  # whoever goes on from an order's place has been told all of it
    return orders_pb2.WatchOrdersResponse(
        sequence=shown[-1][0].instructed_sequence if is_cut else book.sequence,
        instructions=[instruction for _, instruction in shown],
        bar_sequence=book.last_bar_sequence,
        is_cut=is_cut,
    )


def _instructed(order: Order) -> int:
    return order.instructed_sequence


def limits(book: Book) -> risk_pb2.GetLimitsResponse:
    """Show the limits in force."""
    in_force = [_limit_state(book, limit) for limit in book.limits_in_force]
    return risk_pb2.GetLimitsResponse(limits=book.limits.to_wire(), in_force=in_force)


def _limit_state(book: Book, limit: Limit) -> risk_pb2.LimitState:
    """Hold the book against one limit; of the instruments' shares, and of the correlations, the largest."""
    if limit.figure == STRATEGY_CORRELATION:
        highest = book.strategy_returns.highest()
        measured = None if highest is None else Measured(highest.correlation, ONE)
    else:
        measured = check_of(limit).measure(book)
    threshold = limit.warn if limit.limit is None else limit.limit
    if measured is None or threshold is None:
        return risk_pb2.LimitState(limit=limit.to_wire())
    actual, bound = measured.actual, threshold * measured.base
    if limit.figure == CONCENTRATION and limit.scope == PORTFOLIO:
        actual = max(map(book.instrument_exposure, book.totals.worst_quantities), default=ZERO)
        bound = threshold * book.equity
    headroom = plain(bound - actual)
    return risk_pb2.LimitState(limit=limit.to_wire(), actual=plain(actual), bound=plain(bound), headroom=headroom)


def alerts(book: Book, request: risk_pb2.ListAlertsRequest) -> risk_pb2.ListAlertsResponse:
    """Show the newest alerts, newest first."""
    size = min(request.page_size or _PAGE_SIZE, _PAGE_SIZE_MAX)
    newest = (a for a in reversed(book.alerts.values()) if not (request.open_only and a.acknowledged_by))
    return risk_pb2.ListAlertsResponse(alerts=islice(newest, size))


def performance(engine: Engine, request: portfolio_pb2.GetPerformanceRequest) -> portfolio_pb2.GetPerformanceResponse:
    """Show what a strategy, or the whole portfolio, made of its capital."""
    record = engine.performance.portfolio
    if request.strategy_id:
        require_strategy(engine.book, request.strategy_id)
        record = engine.performance.strategies[request.strategy_id]
    return portfolio_pb2.GetPerformanceResponse(performance=record.to_wire())


def correlations(book: Book) -> portfolio_pb2.GetCorrelationsResponse:
    """Show how alike what the strategies made is, each pair once."""
    return portfolio_pb2.GetCorrelationsResponse(
        correlations=[
            portfolio_pb2.StrategyCorrelation(
                strategy_id=one.pair[0],
                other_strategy_id=one.pair[1],
                correlation="" if one.correlation is None else plain(one.correlation),
                observations=one.observations,
            )
            for one in book.strategy_returns.likenesses().values()
        ],
        window=SESSIONS_MAX,
        observations_min=OBSERVATIONS_MIN,
    )


def require_strategy(book: Book, strategy_id: str) -> None:
    """Refuse a strategy that the portfolio file does not name."""
    if strategy_id not in book.terms:
        text = f"no strategy is called {door.shown(strategy_id)}"
        raise RefusedError(Reason.STRATEGY_UNKNOWN, text, field="strategy_id")


def _summary(engine: Engine, strategy_id: str) -> portfolio_pb2.StrategySummary:
    book = engine.book
    ledger, pause = book.strategies[strategy_id].ledger, book.pauses.get(strategy_id)
    return portfolio_pb2.StrategySummary(
        strategy_id=strategy_id,
        kind=book.terms[strategy_id].kind,
        paused=pause is not None,
        paused_reason=pause.reason if pause is not None else "",
        capital=plain(ledger.capital),
        equity=plain(ledger.equity),
        cash=plain(ledger.cash),
        reserved_cash=plain(ledger.reserved_cash),
        gross_exposure=plain(ledger.gross_exposure),
        realised_pnl=plain(realised_pnl(ledger)),
        unrealised_pnl=plain(ledger.unrealised_pnl),
        fees=plain(fees_of(ledger)),
        performance=engine.performance.strategies[strategy_id].to_wire(),
        exchange_pnl=plain(ledger.exchange_pnl),
        cash_by_currency=cash_by_currency(book, [ledger]),
        removed=strategy_id in book.roster.removed,
        leaving=strategy_id in book.roster.leaving,
    )


def realised_pnl(ledger: Ledger) -> Decimal:
    """Return what a ledger has realised in all currencies, at their rates."""
    return ledger.realised_pnl + ledger.foreign_sum(lambda account: account.realised_pnl)


def fees_of(ledger: Ledger) -> Decimal:
    """Return a ledger's fees in all currencies, at their rates."""
    return ledger.fees + ledger.foreign_sum(lambda account: account.fees)


def _equity(ledger: Ledger) -> Decimal:
    held = sum((position.market_value * position.rate for position in ledger.positions.values()), ZERO)
    return ledger.cash + ledger.foreign_sum(lambda account: account.cash) + held
