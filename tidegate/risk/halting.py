"""Deciding on halts and their resets."""

from tidegate.errors import RefusedError
from tidegate.numbers import ZERO
from tidegate.reasons import Reason
from tidegate.risk.cancels import request_cancels
from tidegate.risk.checks.drawdown import Drawdown
from tidegate.risk.draft import Draft
from tidegate.risk.operators import read_operator, read_scope
from tidegate.risk.scopes import PORTFOLIO, Scope
from tidegate.risk.violation import money
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, risk_pb2

_REBASE = admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE
_KEEP = admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP


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
    if scope == PORTFOLIO:
        _refuse_if_it_would_halt_again(draft, command)
    draft.record(
        halt_reset=journal_pb2.HaltReset(
            scope=scope.to_wire(),
            operator=command.operator,
            reason=command.reason,
            high_water_mark=choice if scope == PORTFOLIO else _KEEP,
        )
    )
    return admin_pb2.ResetHaltResponse(changed=True)


def _refuse_if_it_would_halt_again(draft: Draft, command: admin_pb2.ResetHaltRequest) -> None:
    book = draft.book
    peak = book.equity if command.high_water_mark == _REBASE else book.high_water_mark
    limits = book.limits
    found = Drawdown(limits.warn_drawdown, limits.max_drawdown, limits.halt_drawdown).assess(book.equity, peak)
    # At equity <= 0 a re-based mark is no way out either: there is nothing to trade with.
    if book.equity <= ZERO or (found is not None and found.action == common_pb2.ACTION_HALT):
        text = found.text if found is not None else f"equity is {money(book.equity)}"
        draft.refuse(
            Reason.RESET_WOULD_HALT_AGAIN,
            f"trading would halt again at once: {text}",
            command="ResetHalt",
            subject=str(PORTFOLIO),
            operator=command.operator,
        )
