"""Deciding on halts and their resets."""

from tidegate.errors import RefusedError
from tidegate.numbers import ZERO
from tidegate.reasons import Reason
from tidegate.risk.cancels import request_cancels
from tidegate.risk.checks import drawdown_of
from tidegate.risk.draft import Draft
from tidegate.risk.flattening import request_flatten
from tidegate.risk.limit import SHARES
from tidegate.risk.operators import read_operator, read_scope
from tidegate.risk.scopes import PORTFOLIO, Scope
from tidegate.risk.violation import money
from tidegate.times import NS_PER_S, to_ns
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
        cancels = request_flatten(draft, scope, command.operator, command.reason) if command.flatten else 0
        return admin_pb2.HaltResponse(halt=standing.to_wire(), cancels_requested=cancels)
    body = risk_pb2.Halt(
        scope=scope.to_wire(),
        level=level,
        operator=command.operator,
        reason_code=Reason.OPERATOR_HALT,
        reason=command.reason,
    )
    cancels = record_halt(draft, body, flatten=command.flatten)
    reply = admin_pb2.HaltResponse(halt=body, cancels_requested=cancels)
    reply.halt.time.CopyFrom(draft.events[0].time)
    reply.halt.sequence = draft.events[0].sequence
    return reply


def record_halt(draft: Draft, body: risk_pb2.Halt, *, flatten: bool = False) -> int:
    """
    Record a halt and the cancels that it asks for; return how many.

    HALTED leaves only emergency exits working. The scope is flattened as well when that is asked, or when the portfolio
    file wants it for every halt to HALTED.
    """
    draft.record(trading_halted=body)
    scope, cancels = Scope.from_wire(body.scope), 0
    if body.level == common_pb2.HALT_LEVEL_HALTED:
        others = [order for order in draft.book.orders_in(scope) if not order.is_emergency]
        cancels = request_cancels(draft, others, body.reason_code)
        flatten = flatten or _rules(draft).flatten
    if flatten:
        cancels += request_flatten(draft, scope, body.operator, body.reason)
    return cancels


def reset_halt(draft: Draft, command: admin_pb2.ResetHaltRequest) -> admin_pb2.ResetHaltResponse:
    """Let trading go on in a scope, or ask for it with four eyes; refused when it would halt again at once."""
    scope = read_scope(draft.book, command.scope)
    read_operator(command.operator, command.reason)
    choice = command.high_water_mark
    if scope == PORTFOLIO and choice not in (_REBASE, _KEEP):
        text = "high_water_mark must be chosen: REBASE or KEEP"
        raise RefusedError(Reason.HIGH_WATER_MARK_UNDECIDED, text, field="high_water_mark")
    if scope not in draft.book.halts:
        return admin_pb2.ResetHaltResponse(changed=False)
    rebases = _owns_losses(scope) and choice == _REBASE
    _refuse_if_it_would_halt_again(draft, scope, command.operator, rebases=rebases)
    choice = _REBASE if rebases else _KEEP
    wire, operator, reason = scope.to_wire(), command.operator, command.reason
    if _rules(draft).confirm_within_s:
        request = journal_pb2.ResetRequested(scope=wire, operator=operator, reason=reason, high_water_mark=choice)
        return admin_pb2.ResetHaltResponse(request_sequence=draft.record(reset_requested=request).sequence)
    reset = journal_pb2.HaltReset(scope=wire, operator=operator, reason=reason, high_water_mark=choice)
    draft.record(halt_reset=reset)
    return admin_pb2.ResetHaltResponse(changed=True)


def confirm_reset(draft: Draft, command: admin_pb2.ConfirmResetRequest) -> admin_pb2.ConfirmResetResponse:
    """Do what another person has asked for: refused to the one who asked, and when it would halt again at once."""
    read_operator(command.operator, command.reason)
    asked = next((e for e in draft.book.reset_requests.values() if e.sequence == command.request_sequence), None)
    if asked is None or is_expired(draft, asked):
        text = f"no request for a reset stands at event {command.request_sequence}"
        raise RefusedError(Reason.RESET_REQUEST_UNKNOWN, text, field="request_sequence")
    body = asked.reset_requested
    scope = Scope.from_wire(body.scope)
    if body.operator.casefold() == command.operator.casefold():
        text = f"{body.operator} asked for this reset; another person confirms it"
        subject = str(scope)
        draft.refuse(
            Reason.RESET_NOT_BY_ANOTHER, text, command="ConfirmReset", subject=subject, operator=command.operator
        )
    rebases = body.high_water_mark == _REBASE
    _refuse_if_it_would_halt_again(draft, scope, command.operator, rebases=rebases, command="ConfirmReset")
    draft.record(
        halt_reset=journal_pb2.HaltReset(
            scope=body.scope,
            operator=body.operator,
            reason=body.reason,
            high_water_mark=body.high_water_mark,
            confirmed_by=command.operator,
            confirmation=command.reason,
        )
    )
    return admin_pb2.ConfirmResetResponse(scope=body.scope)


def is_expired(draft: Draft, asked: journal_pb2.Event) -> bool:
    """Tell whether the second person is too late; exactly at the end is not."""
    return draft.now_ns - to_ns(asked.time) > _rules(draft).confirm_within_s * NS_PER_S


def _rules(draft: Draft) -> journal_pb2.HaltRules:
    configuration = draft.book.configuration
    return journal_pb2.HaltRules() if configuration is None else configuration.halts


def _owns_losses(scope: Scope) -> bool:
    return scope.kind in (common_pb2.SCOPE_KIND_PORTFOLIO, common_pb2.SCOPE_KIND_STRATEGY)


def _refuse_if_it_would_halt_again(
    draft: Draft, scope: Scope, operator: str, *, rebases: bool, command: str = "ResetHalt"
) -> None:
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
            command=command,
            subject=str(scope),
            operator=operator,
        )
