"""Deciding on changes of limits: by a named person, with a reason, for good or for a time."""

from dataclasses import replace
from decimal import Decimal

from tidegate.errors import RefusedError
from tidegate.numbers import ONE, ZERO, parse
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.book import Book
from tidegate.risk.draft import Draft
from tidegate.risk.limit import (
    CONFIDENCE,
    DAILY_LOSS,
    DRAWDOWN,
    LEVERAGE,
    LEVERAGE_MAX,
    MAY_BE_UNDEFINED,
    OF_SCENARIOS,
    SCOPES,
    STRATEGY_CORRELATION,
    Limit,
    figure_name,
)
from tidegate.risk.operators import read_operator
from tidegate.risk.scopes import Scope, groups_of
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, risk_pb2

CHANGES_MAX = 100
_GROUPS = frozenset({common_pb2.SCOPE_KIND_SECTOR, common_pb2.SCOPE_KIND_ASSET_CLASS})
_ACTIONS = frozenset(
    {common_pb2.ACTION_WARN, common_pb2.ACTION_REDUCE, common_pb2.ACTION_REJECT, common_pb2.ACTION_HALT}
)
_ON_UNDEFINED = frozenset({common_pb2.ACTION_WARN, common_pb2.ACTION_REJECT})


def update_limits(draft: Draft, command: admin_pb2.UpdateLimitsRequest) -> admin_pb2.UpdateLimitsResponse:
    """Set limits or take them away, all of them or none."""
    read_operator(command.operator, command.reason)
    door.bounded(len(command.limits), CHANGES_MAX, "limits")
    expires_ns = door.time_ns(command.expires, "expires") if command.HasField("expires") else 0
    if expires_ns and expires_ns <= draft.now_ns:
        text = "expires is not in the future"
        raise RefusedError(Reason.TIME_INVALID, text, field="expires")
    limits = [_read(draft.book, message, f"limits[{index}]") for index, message in enumerate(command.limits)]
    for limit in limits:
        changed = limit.to_wire()
        changed.operator, changed.reason = command.operator, command.reason
        if expires_ns:
            changed.expires.CopyFrom(command.expires)
        draft.record(limit_changed=changed)
    return admin_pb2.UpdateLimitsResponse(sequence=draft.book.sequence + len(draft.events))


def expire_limits(draft: Draft) -> None:
    """Let temporary limits end whose time has come."""
    for key in draft.book.limits_in_force.expired(draft.now_ns):
        expired = journal_pb2.LimitExpired(figure=key.figure, scope=key.scope.to_wire(), action=key.action)
        draft.record(limit_expired=expired)


def fault_of(limit: Limit) -> str:
    """Say what is wrong with a limit's figures, by themselves; empty when nothing is."""
    name, scope = figure_name(limit.figure), limit.scope
    thresholds = [threshold for threshold in (limit.warn, limit.limit) if threshold is not None]
    most = {LEVERAGE: LEVERAGE_MAX, DRAWDOWN: ONE, DAILY_LOSS: ONE, STRATEGY_CORRELATION: ONE}.get(limit.figure)
    is_correlation = limit.figure == STRATEGY_CORRELATION
    faults = (
        (scope.kind not in SCOPES[limit.figure], f"{name} has no meaning for a {scope}"),
        (limit.action == common_pb2.ACTION_HALT and scope.kind in _GROUPS, f"a {scope} cannot be halted"),
        (is_correlation and limit.action == common_pb2.ACTION_REDUCE, "no smaller order lowers a correlation"),
        (any(threshold <= ZERO for threshold in thresholds), f"{name} takes thresholds above zero"),
        (most is not None and any(threshold > most for threshold in thresholds), f"{name} takes at most {most}"),
        (len(thresholds) > 1 and thresholds[0] > thresholds[1], "warn is above limit"),
        (not ZERO < limit.confidence < ONE, "confidence is a share between 0 and 1"),
        (limit.on_undefined not in _ON_UNDEFINED, "on_undefined takes WARN or REJECT"),
    )
    return next((text for is_fault, text in faults if is_fault), "")


def _read(book: Book, message: risk_pb2.Limit, field: str) -> Limit:
    """Take a limit of a figure that there is, in a scope that there is."""
    if message.figure not in SCOPES:
        raise RefusedError(Reason.LIMIT_INVALID, f"{field}.figure takes a figure", field=f"{field}.figure")
    action = message.action or common_pb2.ACTION_REJECT
    if action not in _ACTIONS:
        text = f"{field}.action takes WARN, REDUCE, REJECT or HALT"
        raise RefusedError(Reason.LIMIT_INVALID, text, field=f"{field}.action")
    scope = Scope.from_wire(message.scope)
    if not _exists(book, scope):
        text = (
            f"{field}.scope takes the portfolio without a name, or a strategy, instrument, sector or asset class of it"
        )
        raise RefusedError(Reason.SCOPE_INVALID, f"{text}; not {door.shown(scope.name)}", field=f"{field}.scope")
    warn, bound = _threshold(message.warn, f"{field}.warn"), _threshold(message.limit, f"{field}.limit")
    limit = Limit(message.figure, scope, warn, bound, action)
    if message.figure in OF_SCENARIOS:
        confidence = _threshold(message.confidence, f"{field}.confidence") or CONFIDENCE
        limit = replace(limit, confidence=confidence)
    if message.figure in MAY_BE_UNDEFINED:
        limit = replace(limit, on_undefined=message.on_undefined or common_pb2.ACTION_REJECT)
    if fault := fault_of(limit):
        raise RefusedError(Reason.LIMIT_INVALID, f"{field}: {fault}", field=field)
    return limit


def _threshold(text: str, field: str) -> Decimal | None:
    number = parse(text) if text else None
    if text and number is None:
        message = f"{field} is {door.shown(text)}; it takes a plain decimal, at most 12 digits before and 8 behind"
        raise RefusedError(Reason.LIMIT_INVALID, message, field=field)
    return number


def _exists(book: Book, scope: Scope) -> bool:
    match scope.kind:
        case common_pb2.SCOPE_KIND_PORTFOLIO:
            return not scope.name
        case common_pb2.SCOPE_KIND_STRATEGY:
            return scope.name in book.terms
        case common_pb2.SCOPE_KIND_INSTRUMENT:
            return scope.name in book.instruments
        case _:
            return any(scope in groups_of(instrument) for instrument in book.instruments.values())
