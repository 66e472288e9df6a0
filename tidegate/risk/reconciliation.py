"""Deciding on a broker's statement: what differs is recorded and alerted, and may halt what it has to."""

from collections.abc import Iterable

from tidegate.errors import RefusedError
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.broker_account import BrokerAccount
from tidegate.risk.comparison import Comparison
from tidegate.risk.consequences import GATE
from tidegate.risk.draft import Draft
from tidegate.risk.halting import record_halt
from tidegate.risk.market_data import CLOCK_SKEW_MAX_NS
from tidegate.risk.operators import read_scope
from tidegate.risk.scopes import PORTFOLIO, Scope
from tidegate.times import compact
from tidegate.v1 import common_pb2, journal_pb2, risk_pb2
from tidegate.v1 import reconciliation_pb2 as wire

POSITIONS_MAX = ORDERS_MAX = 10_000
CURRENCIES_MAX = 200
# So many are recorded and answered; the rest is counted.
DIFFERENCES_MAX = 1_000
_COMMAND = "ReconcilePositions"
_LEVELS = (common_pb2.HALT_LEVEL_UNSPECIFIED, common_pb2.HALT_LEVEL_REDUCE_ONLY, common_pb2.HALT_LEVEL_HALTED)


def reconcile_positions(draft: Draft, statement: wire.ReconcilePositionsRequest) -> wire.ReconcilePositionsResponse:
    """Hold a statement against the books of its account."""
    account = _read_account(draft, statement)
    _read_figures(statement)
    scope = read_scope(draft.book, statement.halt_scope)
    if statement.halt_level not in _LEVELS:
        text = "halt_level takes HALT_LEVEL_REDUCE_ONLY or HALT_LEVEL_HALTED"
        raise RefusedError(Reason.HALT_LEVEL_INVALID, text, field="halt_level")
    _read_time(draft, account, statement)
    comparison = Comparison(draft, account, statement)
    found = comparison.differences()
    shown, breaks = found[:DIFFERENCES_MAX], sum(one.is_break for one in found)
    event = draft.record(
        positions_reconciled=journal_pb2.PositionsReconciled(
            account=account.name,
            operator=statement.operator,
            statement_time=statement.time,
            statement_sequence=statement.sequence,
            differences=shown,
            difference_count=len(found),
            break_count=breaks,
            positions=comparison.positions,
            currencies=comparison.currencies,
            orders=comparison.orders,
        )
    )
    if _essence(shown) != _essence(account.differences) or len(found) != account.difference_count:
        _alert(draft, account, found, breaks)
    halts = []
    if breaks:
        text = _sentence(account, found)
        halts = _halt(draft, [(account.halt_level, account.halt_scope), (statement.halt_level, scope)], text)
    return wire.ReconcilePositionsResponse(
        sequence=event.sequence, differences=shown, difference_count=len(found), break_count=breaks, halts=halts
    )


def _read_account(draft: Draft, statement: wire.ReconcilePositionsRequest) -> BrokerAccount:
    door.identifier(statement.account, "account")
    door.identifier(statement.operator, "operator")
    account = draft.book.accounts.get(statement.account)
    if account is None:
        text = f"the portfolio file names no account {door.shown(statement.account)}"
        raise RefusedError(Reason.ACCOUNT_UNKNOWN, text, field="account")
    if statement.adapter not in ("", account.adapter):
        text = f"account {account.name} is not adapter {door.shown(statement.adapter)}'s"
        raise RefusedError(Reason.ACCOUNT_UNKNOWN, text, field="adapter")
    return account


def _read_figures(statement: wire.ReconcilePositionsRequest) -> None:
    """Refuse figures that are none, and what is stated twice."""
    door.bounded(len(statement.positions), POSITIONS_MAX, "positions")
    door.bounded(len(statement.cash), CURRENCIES_MAX, "cash")
    door.bounded(len(statement.orders), ORDERS_MAX, "orders")
    for number, position in enumerate(statement.positions):
        door.identifier(position.symbol, f"positions[{number}].symbol")
        door.amount(position.quantity, f"positions[{number}].quantity", positive=False)
    for number, cash in enumerate(statement.cash):
        door.identifier(cash.currency, f"cash[{number}].currency")
        door.amount(cash.amount, f"cash[{number}].amount", positive=False)
    for number, order in enumerate(statement.orders):
        door.identifier(order.order_id or order.broker_order_id, f"orders[{number}].broker_order_id")
        for name in ("order_id", "broker_order_id", "symbol"):
            if text := getattr(order, name):
                door.identifier(text, f"orders[{number}].{name}")
        for name in ("cumulative_quantity", "leaves_quantity"):
            door.amount(getattr(order, name), f"orders[{number}].{name}", positive=False)
    _read_once("positions", [position.symbol for position in statement.positions])
    _read_once("cash", [cash.currency for cash in statement.cash])
    _read_once("orders", [order.order_id or f"broker {order.broker_order_id}" for order in statement.orders])


def _read_once(field: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise RefusedError(Reason.STATEMENT_INVALID, f"{field} states {name} twice", field=field)
        seen.add(name)


def _read_time(draft: Draft, account: BrokerAccount, statement: wire.ReconcilePositionsRequest) -> None:
    """Refuse a statement that is older than the last one, or than what can be told, or from the future."""
    time_ns = door.time_ns(statement.time, "time")
    fault = ""
    if time_ns > draft.now_ns + CLOCK_SKEW_MAX_NS or statement.sequence > draft.book.sequence:
        fault = "is from the future"
    elif time_ns < account.statement_ns:
        fault = f"is older than the last one, of {compact(account.statement_ns)}"
    elif not account.remembers(time_ns, statement.sequence):
        fault = "is so old that what came after it is not remembered"
    if fault:
        text = f"the statement of account {account.name} of {compact(time_ns)} {fault}"
        reason = Reason.STATEMENT_OUT_OF_ORDER
        draft.refuse(reason, text, command=_COMMAND, subject=account.name, operator=statement.operator)


def _essence(differences: Iterable[wire.Difference]) -> list[tuple[object, ...]]:
    """Keep what makes a difference another one than the last statement's."""
    return [
        (d.kind, d.symbol, d.currency, d.order_id, d.broker_order_id, d.ours, d.stated, d.is_break) for d in differences
    ]


def _alert(draft: Draft, account: BrokerAccount, found: list[wire.Difference], breaks: int) -> None:
    """Tell a person what differs, as soon as it is another thing than before; and that nothing does any more."""
    if not found:
        reason, text = Reason.RECONCILED, f"account {account.name} is what its broker states, again"
    else:
        reason = Reason.RECONCILIATION_BREAK if breaks else Reason.RECONCILIATION_IN_FLIGHT
        text = _sentence(account, found)
    alert = journal_pb2.AlertRaised(reason_code=reason, scope=PORTFOLIO.to_wire(), text=text)
    draft.record(alert_raised=alert)


def _sentence(account: BrokerAccount, found: list[wire.Difference]) -> str:
    """Write the first difference out, and count the others."""
    first = found[0]
    kind = wire.DifferenceKind.Name(first.kind).removeprefix("DIFFERENCE_KIND_").lower().replace("_", " ")
    what = first.currency or first.symbol
    if order := first.order_id or first.broker_order_id:
        what = f"{order} {what}"
    text = f"account {account.name}: {kind} {what.strip()}: {first.ours} here, {first.stated} at the broker"
    return f"{text}; and {len(found) - 1} more" if found[1:] else text


def _halt(draft: Draft, asked: list[tuple[common_pb2.HaltLevel.ValueType, Scope]], text: str) -> list[risk_pb2.Halt]:
    """Halt what the portfolio file and the request say; a halt never lowers the level."""
    levels: dict[Scope, common_pb2.HaltLevel.ValueType] = {}
    for level, scope in asked:
        if level > levels.get(scope, common_pb2.HALT_LEVEL_UNSPECIFIED):
            levels[scope] = level
    halts = []
    for scope, level in levels.items():
        standing = draft.book.halts.get(scope)
        if standing is not None and standing.level >= level:
            continue
        body = risk_pb2.Halt(
            scope=scope.to_wire(), level=level, operator=GATE, reason_code=Reason.RECONCILIATION_BREAK, reason=text
        )
        place = len(draft.events)
        record_halt(draft, body)
        halts.append(draft.events[place].trading_halted)
    return halts
