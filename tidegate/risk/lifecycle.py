"""Deciding on strategies that come and go: added with capital of the reserve, closed, removed once they are flat."""

import re
from decimal import Decimal
from typing import Final, NoReturn

from tidegate.errors import RefusedError
from tidegate.numbers import ONE, ZERO, plain
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.book import Book
from tidegate.risk.draft import Draft
from tidegate.risk.flattening import flatten
from tidegate.risk.limit import LEVERAGE_MAX
from tidegate.risk.operators import read_pause
from tidegate.risk.rebalancing import give_up
from tidegate.risk.scopes import strategy_scope
from tidegate.risk.terms import MARGIN
from tidegate.risk.violation import money
from tidegate.v1 import admin_pb2, journal_pb2, order_rules_pb2

EXTERNAL: Final = "external"
_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_NAMED_MAX: Final = 5


def add_strategy(draft: Draft, command: admin_pb2.AddStrategyRequest) -> admin_pb2.AddStrategyResponse:
    """Let a strategy begin with capital of the reserve; an id stands for one strategy for ever."""
    book, strategy_id = draft.book, command.strategy_id
    if _ID.fullmatch(strategy_id) is None:
        text = f"strategy_id is {door.shown(strategy_id)}; it takes 1 to 32 letters, digits, dots, dashes, underscores"
        raise RefusedError(Reason.IDENTIFIER_INVALID, text, field="strategy_id")
    door.identifier(command.operator, "operator")
    door.words(command.reason, "reason", required=True)
    amount = door.amount(command.amount, "amount", positive=True) if command.amount else ZERO
    terms = _read_terms(book, command, amount)
    earlier = book.roster.added.get(strategy_id)
    is_removed = strategy_id in book.roster.removed
    if earlier is not None and not is_removed and earlier.strategy_added.request == command:
        return admin_pb2.AddStrategyResponse(sequence=earlier.sequence)
    if strategy_id in book.terms:
        text = f"strategy_id {strategy_id} is or was another strategy's"
        _refuse(draft, Reason.STRATEGY_ID_TAKEN, text, command)
    if amount > book.reserve:
        text = f"{money(amount)} was asked for, and {money(max(book.reserve, ZERO))} of reserve is free"
        _refuse(draft, Reason.CASH_NOT_AVAILABLE, text, command)
    event = draft.record(strategy_added=journal_pb2.StrategyAdded(request=command, terms=terms))
    return admin_pb2.AddStrategyResponse(sequence=event.sequence)


def remove_strategy(draft: Draft, command: admin_pb2.RemoveStrategyRequest) -> admin_pb2.RemoveStrategyResponse:
    """Let a strategy go that holds nothing; its cash is the reserve's. One that has gone is answered as then."""
    book, strategy_id = draft.book, command.strategy_id
    read_pause(book, strategy_id, command.operator, command.reason)
    earlier = book.roster.removed.get(strategy_id)
    if earlier is None:
        if left := _left(book, strategy_id):
            _refuse(draft, Reason.STRATEGY_NOT_FLAT, f"strategy {strategy_id} has {left}", command)
        give_up(draft, f"strategy {strategy_id} is removed", strategy_id)
        earlier = _remove(draft, strategy_id, command.operator, command.reason)
    amount = earlier.strategy_removed.amount
    return admin_pb2.RemoveStrategyResponse(sequence=earlier.sequence, amount=amount)


def liquidate_strategy(
    draft: Draft, command: admin_pb2.LiquidateStrategyRequest
) -> admin_pb2.LiquidateStrategyResponse:
    """Close all of a strategy's positions as Flatten does; it stays REDUCE_ONLY, and may leave once it is flat."""
    book, strategy_id = draft.book, command.strategy_id
    read_pause(book, strategy_id, command.operator, command.reason)
    if strategy_id in book.roster.removed:
        # A late report may have left a position: Flatten closes it.
        _refuse(draft, Reason.STRATEGY_REMOVED, f"strategy {strategy_id} was removed", command)
    scope = strategy_scope(strategy_id).to_wire()
    closing = admin_pb2.FlattenRequest(scope=scope, operator=command.operator, reason=command.reason)
    cancels = flatten(draft, closing).cancels_requested
    if command.remove and strategy_id not in book.roster.leaving:
        give_up(draft, f"strategy {strategy_id} is to be removed", strategy_id)
        leaving = journal_pb2.StrategyLeaving(strategy_id=strategy_id, operator=command.operator, reason=command.reason)
        draft.record(strategy_leaving=leaving)
    return admin_pb2.LiquidateStrategyResponse(cancels_requested=cancels)


def retire(draft: Draft) -> None:
    """Remove those that are to leave and are flat by now, in the name of who asked for it."""
    for strategy_id, leaving in draft.book.roster.leaving.items():
        if not _left(draft.book, strategy_id):
            _remove(draft, strategy_id, leaving.operator, leaving.reason)


def _remove(draft: Draft, strategy_id: str, operator: str, reason: str) -> journal_pb2.Event:
    cash = draft.book.strategies[strategy_id].ledger.cash
    removed = journal_pb2.StrategyRemoved(strategy_id=strategy_id, amount=plain(cash), operator=operator, reason=reason)
    return draft.record(strategy_removed=removed)


def _left(book: Book, strategy_id: str) -> str:
    """Say what a strategy still has that cannot go back to the reserve; empty when there is nothing."""
    strategy = book.strategies[strategy_id]
    ledger = strategy.ledger
    found = [f"{plain(p.quantity)} {symbol}" for symbol, p in sorted(ledger.positions.items()) if p.quantity]
    if len(found) > _NAMED_MAX:
        found[_NAMED_MAX:] = [f"{len(found) - _NAMED_MAX} more positions"]
    if strategy.orders:
        found.append(f"{len(strategy.orders)} working orders")
    foreign = sorted(ledger.foreign.items())
    found += [f"{money(account.cash)} {currency} in cash" for currency, account in foreign if account.cash]
    if ledger.cash < ZERO:
        found.append(f"a debt of {money(-ledger.cash)} {ledger.currency}")
    return ", ".join(found)


def _read_terms(book: Book, command: admin_pb2.AddStrategyRequest, amount: Decimal) -> journal_pb2.StrategyTerms:
    if command.kind not in ("", EXTERNAL):
        text = "kind takes external: a strategy with a class is stated in the portfolio file"
        raise RefusedError(Reason.STRATEGY_TERMS_INVALID, text, field="kind")
    leverage = door.amount(command.max_leverage, "max_leverage", positive=True) if command.max_leverage else ONE
    if leverage > LEVERAGE_MAX:
        text = f"max_leverage takes at most {plain(LEVERAGE_MAX)}"
        raise RefusedError(Reason.STRATEGY_TERMS_INVALID, text, field="max_leverage")
    door.bounded(len(command.instruments), max(len(book.instruments), 1), "instruments")
    for symbol in command.instruments:
        if symbol not in book.instruments:
            text = f"no instrument is called {door.shown(symbol)}"
            raise RefusedError(Reason.INSTRUMENT_UNKNOWN, text, field="instruments")
    if command.route and command.route not in book.adapters:
        text = f"no adapter is called {door.shown(command.route)}"
        raise RefusedError(Reason.ADAPTER_UNKNOWN, text, field="route")
    return journal_pb2.StrategyTerms(
        strategy_id=command.strategy_id,
        kind=MARGIN,
        capital=plain(amount),
        max_leverage=plain(leverage),
        instruments=command.instruments,
        rates=_read_rates(command.rates),
        long_only=command.long_only,
    )


def _read_rates(rates: order_rules_pb2.OrderRates) -> order_rules_pb2.OrderRates | None:
    """Take what is asked of its orders; None when nothing is."""
    for field in ("max_daily_quantity", "max_daily_notional"):
        if text := getattr(rates, field):
            door.amount(text, f"rates.{field}", positive=True)
    return rates if rates.ByteSize() else None


def _refuse(
    draft: Draft,
    reason: Reason,
    text: str,
    command: admin_pb2.AddStrategyRequest | admin_pb2.RemoveStrategyRequest | admin_pb2.LiquidateStrategyRequest,
) -> NoReturn:
    name = type(command).__name__.removesuffix("Request")
    draft.refuse(reason, text, command=name, subject=command.strategy_id, operator=command.operator)
