"""The throttle on repeated executions: it turns a strategy off by itself, and only a named person turns it on."""

from tidegate.errors import RefusedError
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.draft import Draft
from tidegate.risk.operators import read_operator
from tidegate.times import NS_PER_S
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, order_rules_pb2


def follow(draft: Draft, event: journal_pb2.Event) -> None:
    """Throttle the strategy of a fill that is one too many; one that is throttled stays so for its first reason."""
    rules, booked = draft.book.order_rules, event.execution_booked
    if not rules.throttle_fills or not event.HasField("execution_booked"):
        return
    span_ns = draft.book.counters.fills.span_ns((booked.strategy_id, booked.symbol, booked.side))
    if span_ns is None or span_ns >= rules.throttle_within_ns:
        return
    symbol = booked.symbol if rules.is_throttle_by_instrument else ""
    if (booked.strategy_id, symbol) in draft.book.throttles:
        return
    side = "buys" if booked.side == common_pb2.SIDE_BUY else "sells"
    text = (
        f"strategy {booked.strategy_id} had {rules.throttle_fills} {side} of {booked.symbol} filled "
        f"within {rules.throttle_within_ns // NS_PER_S} s"
    )
    tripped = order_rules_pb2.ThrottleTripped(strategy_id=booked.strategy_id, symbol=symbol, reason=text)
    draft.record(throttle_tripped=tripped)


def release_throttle(draft: Draft, command: admin_pb2.ReleaseThrottleRequest) -> admin_pb2.ReleaseThrottleResponse:
    """Let a strategy add risk again; its fills count anew from here."""
    strategy_id, symbol = command.strategy_id, command.symbol
    if strategy_id not in draft.book.terms:
        text = f"no strategy is called {door.shown(strategy_id)}"
        raise RefusedError(Reason.STRATEGY_UNKNOWN, text, field="strategy_id")
    if symbol:
        door.identifier(symbol, "symbol")
    read_operator(command.operator, command.reason)
    standing = [s for name, s in draft.book.throttles if name == strategy_id and symbol in ("", s)]
    if not standing:
        return admin_pb2.ReleaseThrottleResponse(changed=False)
    released = order_rules_pb2.ThrottleReleased(
        strategy_id=strategy_id, symbol=symbol, operator=command.operator, reason=command.reason
    )
    draft.record(throttle_released=released)
    return admin_pb2.ReleaseThrottleResponse(changed=True)
