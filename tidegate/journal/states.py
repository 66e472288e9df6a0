"""
The state that a journal adds up to, as one document: for people, for machines, and to be compared.

Every figure is a text or a name, so that two documents are equal when the states are. Later versions may add sections;
they must not change what is here, for the journals under tests/journals were recorded with it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message

from tidegate.errors import BookError, JournalError
from tidegate.ledger import Ledger
from tidegate.numbers import plain
from tidegate.past import Past
from tidegate.risk.book import Book
from tidegate.risk.broker_account import BrokerAccount
from tidegate.risk.limit import figure_name
from tidegate.risk.roster import PendingRebalance, Roster
from tidegate.times import to_stamp
from tidegate.v1 import common_pb2, journal_pb2

State = dict[str, Any]


def fold(events: Iterable[journal_pb2.Event]) -> Book:
    """
    Let events happen, from the first one on, and return the book that they add up to.

    Raises:
        JournalError: one of them cannot have happened.
    """
    past = Past()
    try:
        for event in events:
            past.apply(event)
    except (BookError, DecodeError, ArithmeticError, LookupError) as error:
        message = f"the journal cannot be replayed past event {past.engine.book.sequence}: {error}"
        raise JournalError(message) from error
    return past.engine.book


def state_of(book: Book) -> State:
    """Write down what the book holds."""
    return {
        "sequence": book.sequence,
        "time": to_stamp(book.time_ns).ToJsonString(),
        "equity": plain(book.equity),
        "high_water_mark": plain(book.high_water_mark),
        "capital": plain(book.deposits),
        "reserve": plain(book.reserve),
        "strategies": {name or "suspense": _strategy(book, name) for name in book.strategies},
        "marks": {symbol: plain(mark) for symbol, mark in sorted(book.marks.items())},
        "orders": {order_id: _written(order.to_wire()) for order_id, order in book.orders.items()},
        "halts": {str(scope): _written(halt.to_wire()) for scope, halt in book.halts.items()},
        "limits": {
            f"{figure_name(limit.figure)} of {limit.scope}, {_action(limit.action)}": _written(limit.to_wire())
            for limit in book.limits_in_force
        },
        "breaches": {f"{code} of {scope}": _written(breach) for (code, scope), breach in book.breaches.items()},
        "bars": {"published": book.last_bar_sequence, "completed": book.completed_bar_sequence},
        "sessions": {adapter: session.session_id for adapter, session in book.sessions.items()},
        "throttles": {" ".join(filter(None, place)): text for place, text in book.throttles.items()},
        "held_prices": {symbol: [plain(one.price) for one in held] for symbol, held in book.held_prices.items()},
        "pending_resets": {str(scope): event.sequence for scope, event in book.reset_requests.items()},
        "flattenings": {" ".join(place): one.sequence for place, one in book.flattenings.items()},
        "open_alerts": sorted(sequence for sequence, alert in book.alerts.items() if not alert.acknowledged_by),
        "instruments": {symbol: _written(one.to_wire()) for symbol, one in sorted(book.instruments.items())},
        "roster": _roster(book.roster),
        "rebalance": {} if book.rebalance is None else _rebalance(book.rebalance),
        "accounts": {name: _account(account) for name, account in book.accounts.items()},
        "unassigned": {" ".join(fill): event.sequence for fill, event in book.unassigned.fills.items()},
        "correlation_breaches": {
            " ".join(pair): _written(alike.violation) for pair, alike in book.correlation_breaches.by_pair.items()
        },
        "quarantined": sorted(book.restarts.quarantined),
    }


def digest(state: State) -> str:
    """Hash a state, in hexadecimal: SHA-256 over its JSON, keys sorted, without spaces."""
    text = json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Name each place in which two states differ, with what stands there; None where nothing does."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif one != other:
        yield path, one, other


def _strategy(book: Book, name: str) -> State:
    state = _ledger(book.strategies[name].ledger)
    pause = book.pauses.get(name)
    return state if pause is None else state | {"paused": pause.reason}


def _roster(roster: Roster) -> State:
    return {
        "added": {name: event.sequence for name, event in roster.added.items()},
        "leaving": {name: leaving.operator for name, leaving in roster.leaving.items()},
        "removed": {name: event.sequence for name, event in roster.removed.items()},
    }


def _rebalance(standing: PendingRebalance) -> State:
    pending = {strategy_id: plain(amount) for strategy_id, amount in standing.pending.items()}
    return {"rebalance_id": standing.rebalance_id, "pending": pending}


def _account(account: BrokerAccount) -> State:
    return {
        "cash": {currency: plain(amount) for currency, amount in account.cash().items()},
        "positions": {symbol: plain(quantity) for symbol, quantity in sorted(account.positions().items())},
        "differences": [_written(found) for found in account.differences],
    }


def _ledger(ledger: Ledger) -> State:
    return {
        "cash": plain(ledger.cash),
        "capital": plain(ledger.capital),
        "equity": plain(ledger.equity),
        "realised_pnl": plain(ledger.realised_pnl),
        "fees": plain(ledger.fees),
        "reserved_cash": plain(ledger.reserved_cash),
        "foreign_cash": {currency: plain(account.cash) for currency, account in sorted(ledger.foreign.items())},
        "positions": {
            symbol: {
                "quantity": plain(position.quantity),
                "cost": plain(position.cost),
                "working_buys": plain(position.working_buys),
                "working_sells": plain(position.working_sells),
            }
            for symbol, position in sorted(ledger.positions.items())
        },
        "digest": ledger.digest().hex(),
    }


def _written(message: Message) -> State:
    return MessageToDict(message, preserving_proto_field_name=True)


def _action(action: common_pb2.Action.ValueType) -> str:
    return common_pb2.Action.Name(action).removeprefix("ACTION_").lower()
