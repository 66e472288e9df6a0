"""What follows from a price, a fill or an operator's act: halts, and limits breached by no order."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import chain
from typing import Final

from tidegate.numbers import ZERO, plain
from tidegate.reasons import Reason
from tidegate.risk.book import Book
from tidegate.risk.checks import Checks, drawdown_of, leverage_of
from tidegate.risk.checks.concentration import Concentration
from tidegate.risk.draft import Draft
from tidegate.risk.halting import record_halt
from tidegate.risk.limit import CONCENTRATION
from tidegate.risk.scopes import PORTFOLIO, Scope, instrument_scope, strategy_scope
from tidegate.risk.violation import Violation, money
from tidegate.strategy_book import SUSPENSE
from tidegate.v1 import common_pb2, journal_pb2, risk_pb2

# Who halted, when the gate itself did.
GATE = "tidegate"

_HALT = common_pb2.ACTION_HALT
_ACTIONS = (common_pb2.ACTION_WARN, common_pb2.ACTION_REDUCE, common_pb2.ACTION_REJECT, _HALT)
# Of limits that stand in the table, and may be taken away.
_LIMIT_REASONS = frozenset(
    {
        Reason.LEVERAGE,
        Reason.CONCENTRATION,
        Reason.GROSS_EXPOSURE,
        Reason.DRAWDOWN,
        Reason.DAILY_LOSS,
        Reason.VALUE_AT_RISK,
        Reason.EXPECTED_SHORTFALL,
        Reason.VOLATILITY,
    }
)
_CAUSES: Final = frozenset(
    {
        "bar_published",
        "prices_published",
        "halt_reset",
        "execution_booked",
        "capital_transferred",
        "capital_moved",
        "limit_changed",
        "limit_expired",
    }
)


def may_follow(kind: str) -> bool:
    """Tell whether an event of a kind can cause others."""
    return kind in _CAUSES


def follow(draft: Draft, event: journal_pb2.Event) -> None:
    """Record what an applied event causes, with the event as the cause."""
    book = draft.book
    touched, strategy_ids = _touched(book, event)
    states = chain(_states(book, _at_stake(book, touched), strategy_ids), _further(book, draft.checks))
    for reason, scope, violation in _worst(states):
        if violation is not None and violation.action == _HALT:
            _halt(draft, violation)
        _record_change(draft, reason, scope, violation, event.sequence)


def _touched(book: Book, event: journal_pb2.Event) -> tuple[list[str], list[str]]:
    """Name the symbols whose exposure an event changes, and the strategies whose own limits it bears on."""
    match event.WhichOneof("body"):
        case "bar_published":
            return [entry.symbol for entry in event.bar_published.bars], list(book.terms)
        case "prices_published":
            return [entry.symbol for entry in event.prices_published.prices], list(book.terms)
        case "execution_booked":
            return [event.execution_booked.symbol], [event.execution_booked.strategy_id]
        case "capital_transferred":
            return [], [event.capital_transferred.from_strategy_id, event.capital_transferred.to_strategy_id]
        case _:
            return [], list(book.terms)


def _at_stake(book: Book, touched: list[str]) -> list[str]:
    """
    Name the symbols whose concentration may have changed sides: every event may move the equity they are measured by.

    No exposure is above the bound; only when that is over the limit are all held instruments looked at.
    """
    standing = [
        scope.name
        for reason, scope in book.breaches
        if reason == Reason.CONCENTRATION and scope.kind == common_pb2.SCOPE_KIND_INSTRUMENT
    ]
    limits, totals = [limit for _, limit in _shares(book)], book.totals
    if not limits or totals.exposure_bound <= min(limits) * book.equity:
        return sorted({*touched, *standing})
    totals.exposure_bound = max(map(book.instrument_exposure, totals.worst_quantities), default=ZERO)
    return sorted({*touched, *standing, *totals.worst_quantities})


def _shares(book: Book) -> list[tuple[common_pb2.Action.ValueType, Decimal]]:
    """Return what each instrument's share of the portfolio is limited to, by what is done above it."""
    limits = [book.limits_in_force.get(CONCENTRATION, action=action) for action in _ACTIONS]
    return [(limit.action, limit.limit) for limit in limits if limit.limit is not None]


def _states(book: Book, symbols: list[str], strategy_ids: list[str]) -> Iterator[tuple[str, Scope, Violation | None]]:
    """Hold the book against its limits: each with what it violates now, or None."""
    limits = book.limits_in_force
    yield Reason.DRAWDOWN, PORTFOLIO, drawdown_of(limits).assess(book.equity, book.high_water_mark)
    leverage = replace(leverage_of(limits), warn=None).assess(book.totals.gross_exposure, book.equity)
    yield Reason.LEVERAGE, PORTFOLIO, leverage
    shares = _shares(book)
    for symbol in symbols:
        exposure = book.instrument_exposure(symbol)
        yield Reason.CONCENTRATION, instrument_scope(symbol), None
        # What is not held breaches nothing, also at equity < 0: a closed position's breach must end with it.
        for action, limit in shares if exposure else ():
            found = Concentration(None, limit).assess(symbol, exposure, book.equity)
            if found is not None:
                yield Reason.CONCENTRATION, found.scope, replace(found, action=action)
    for strategy_id in strategy_ids:
        if strategy_id == SUSPENSE:
            continue
        if book.terms[strategy_id].is_margin:
            yield Reason.CAPITAL, strategy_scope(strategy_id), _margin_state(book, strategy_id)
        else:
            yield Reason.CASH_NEGATIVE, strategy_scope(strategy_id), _cash_state(book, strategy_id)


def _further(book: Book, checks: Checks) -> Iterator[tuple[str, Scope, Violation | None]]:
    """Hold the book against every other limit; and what is not limited any more breaches nothing."""
    for check in checks.standing:
        yield check.reason, check.limit.scope, check.assess(book)
    limited = {(check.reason, check.limit.scope) for check in checks.standing}
    for reason, scope in book.breaches:
        if reason in _LIMIT_REASONS and (reason, scope) not in limited:
            yield reason, scope, None


def _worst(
    states: Iterable[tuple[str, Scope, Violation | None]],
) -> Iterator[tuple[str, Scope, Violation | None]]:
    """Keep the most severe of what several limits of a scope find."""
    worst: dict[tuple[str, Scope], Violation | None] = {}
    for reason, scope, violation in states:
        standing = worst.setdefault((reason, scope), violation)
        if violation is not None and (standing is None or violation.action > standing.action):
            worst[reason, scope] = violation
    for (reason, scope), violation in worst.items():
        yield reason, scope, violation


def _margin_state(book: Book, strategy_id: str) -> Violation | None:
    ledger, multiple = book.strategies[strategy_id].ledger, book.terms[strategy_id].max_leverage
    exposure, limit = ledger.gross_exposure, multiple * ledger.equity
    if not exposure or exposure <= limit:
        return None
    text = (
        f"gross exposure {money(exposure)} of {strategy_id} is over {plain(multiple)} times its equity, {money(limit)}"
    )
    scope = strategy_scope(strategy_id)
    return Violation(Reason.CAPITAL, common_pb2.ACTION_REJECT, text, scope, limit=limit, actual=exposure)


def _cash_state(book: Book, strategy_id: str) -> Violation | None:
    cash, currency = book.strategies[strategy_id].ledger.lowest_cash()
    if cash >= ZERO:
        return None
    text = f"cash of strategy {strategy_id} is {money(cash)} {currency}"
    scope = strategy_scope(strategy_id)
    return Violation(Reason.CASH_NEGATIVE, common_pb2.ACTION_WARN, text, scope, limit=ZERO, actual=cash)


def _halt(draft: Draft, violation: Violation) -> None:
    standing = draft.book.halts.get(violation.scope)
    if standing is not None and standing.level == common_pb2.HALT_LEVEL_HALTED:
        return
    body = risk_pb2.Halt(
        scope=violation.scope.to_wire(),
        level=common_pb2.HALT_LEVEL_HALTED,
        operator=GATE,
        reason_code=violation.reason,
        reason=violation.text,
    )
    record_halt(draft, body)


def _record_change(draft: Draft, reason: str, scope: Scope, violation: Violation | None, cause_sequence: int) -> None:
    """Record that a limit was breached, more severely than before, or is kept again."""
    standing = draft.book.breaches.get((reason, scope))
    if violation is None:
        if standing is not None:
            restored = journal_pb2.LimitRestored(reason_code=reason, scope=scope.to_wire())
            draft.record(limit_restored=restored)
    elif standing is None or standing.action != violation.action:
        breached = journal_pb2.LimitBreached(violation=violation.to_wire(), cause_sequence=cause_sequence)
        draft.record(limit_breached=breached)
