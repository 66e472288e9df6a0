"""Deciding on halts and their resets."""

from tidegate.errors import RefusedError
from tidegate.numbers import ZERO
from tidegate.reasons import Reason
from tidegate.risk.cancels import request_cancels
from tidegate.risk.checks import drawdown_of
from tidegate.risk.draft import Draft
from tidegate.risk.limit import SHARES
from tidegate.risk.operators import read_operator, read_scope
from tidegate.risk.scopes import PORTFOLIO, Scope
from tidegate.risk.violation import money
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, risk_pb2

_REBASE = admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE
_KEEP = admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP
_HALT = common_pb2.ACTION_HALT


def halt(draft: Draft, command: admin_pb2.HaltRequest) -> admin_pb2.HaltResponse:
    """Halt a scope, and ask for the cancel of what works in it; a halt never lowers the level."""
    scope = read_scope(draft.book, command.scope)
    level = command.level or common_pb2.HALT_LEVEL_HALTED
    if level not in (common_pb2.HALT_LEVEL_REDUCE_ONLY, common_pb2.HALT_LEVEL_HALTED):
        text = "level takes HALT_LEVEL_REDUCE_ONLY or HALT_LEVEL_HALTED"
        raise RefusedError(Reason.HALT_LEVEL_INVALID, text, field="level")
    read_operator(command.operator, command.reason)
    standing = draft.book.halts.get(scope)
    if standing is not None and standing.level >= level:
        return admin_pb2.HaltResponse(halt=standing.to_wire())
    body = risk_pb2.Halt(
        scope=scope.to_wire(),
        level=level,
        operator=command.operator,
        reason_code=Reason.OPERATOR_HALT,
        reason=command.reason,
    )
    cancels = record_halt(draft, body)
    reply = admin_pb2.HaltResponse(halt=body, cancels_requested=cancels)
    reply.halt.time.CopyFrom(draft.events[0].time)
    reply.halt.sequence = draft.events[0].sequence
    return reply


def record_halt(draft: Draft, body: risk_pb2.Halt) -> int:
    """Record a halt and the cancels that it asks for; return how many."""
    draft.record(trading_halted=body)
    if body.level != common_pb2.HALT_LEVEL_HALTED:
        return 0
    scope = Scope.from_wire(body.scope)
    return request_cancels(draft, draft.book.orders_in(scope), body.reason_code)


def reset_halt(draft: Draft, command: admin_pb2.ResetHaltRequest) -> admin_pb2.ResetHaltResponse:
    """Let trading go on in a scope; refused when it would halt again at once."""
    scope = read_scope(draft.book, command.scope)
    read_operator(command.operator, command.reason)
    choice = command.high_water_mark
    if scope == PORTFOLIO and choice not in (_REBASE, _KEEP):
        text = "high_water_mark must be chosen: REBASE or KEEP"
        raise RefusedError(Reason.HIGH_WATER_MARK_UNDECIDED, text, field="high_water_mark")
    if scope not in draft.book.halts:
        return admin_pb2.ResetHaltResponse(changed=False)
    owns_losses = scope.kind in (common_pb2.SCOPE_KIND_PORTFOLIO, common_pb2.SCOPE_KIND_STRATEGY)
    rebases = owns_losses and choice == _REBASE
    if owns_losses:
        _refuse_if_it_would_halt_again(draft, scope, command.operator, rebases=rebases)
    draft.record(
        halt_reset=journal_pb2.HaltReset(
            scope=scope.to_wire(),
            operator=command.operator,
            reason=command.reason,
            high_water_mark=_REBASE if rebases else _KEEP,
        )
    )
    return admin_pb2.ResetHaltResponse(changed=True)


def _refuse_if_it_would_halt_again(draft: Draft, scope: Scope, operator: str, *, rebases: bool) -> None:
    book = draft.book
    # At equity <= 0 a re-based mark is no way out either: there is nothing to trade with.
    text = f"equity is {money(book.equity)}" if scope == PORTFOLIO and book.equity <= ZERO else ""
    found = []
    if scope == PORTFOLIO:
        peak = book.equity if rebases else book.high_water_mark
        found.append(drawdown_of(book.limits_in_force).assess(book.equity, peak))
    for check in draft.checks.standing:
        is_met = rebases and check.limit.figure in SHARES
        if check.limit.scope == scope and not is_met:
            found.append(check.assess(book))
    halting = [violation.text for violation in found if violation is not None and violation.action == _HALT]
    if text := next(iter(halting), text):
        draft.refuse(
            Reason.RESET_WOULD_HALT_AGAIN,
            f"trading would halt again at once: {text}",
            command="ResetHalt",
            subject=str(scope),
            operator=operator,
        )
