"""Error rate: a strategy whose commands are refused too often is halted; a runaway program stops by itself."""

from collections import deque

from tidegate.reasons import Reason
from tidegate.risk.consequences import GATE
from tidegate.risk.draft import Draft
from tidegate.risk.halting import record_halt
from tidegate.risk.scopes import Scope, strategy_scope
from tidegate.times import NS_PER_S, to_ns
from tidegate.v1 import common_pb2, journal_pb2, risk_pb2

_STRATEGY = common_pb2.SCOPE_KIND_STRATEGY
# What a strategy that goes on under a halt or a pause is told; no error of its own.
_HELD_BACK = frozenset({Reason.TRADING_HALTED, Reason.REDUCE_ONLY, Reason.STRATEGY_PAUSED})


class ErrorRate:
    """
    Keeps the stamps of each strategy's newest refusals, one more than may be within the time.

    It is folded from the journal, so a restart changes nothing. Refusals that are only counted count when their count
    is recorded, within about a second. A reset, of the strategy or of the portfolio, begins anew.
    """

    def __init__(self, configuration: journal_pb2.PortfolioConfigured) -> None:
        """Take the bound from the portfolio file's rules, and the strategies that it is for."""
        rules = configuration.halts
        self._most = rules.error_count
        self._within_ns = rules.error_within_s * NS_PER_S
        self._stamps: dict[str, deque[int]] = {
            terms.strategy_id: deque(maxlen=self._most + 1) for terms in configuration.strategies
        }

    def apply(self, event: journal_pb2.Event, kind: str | None) -> None:
        """Take an event."""
        if kind == "halt_reset":
            scope = Scope.from_wire(event.halt_reset.scope)
            for name in [scope.name] if scope.kind == _STRATEGY else self._stamps:
                self._stamps[name].clear()
            return
        if kind == "strategy_added":
            self._stamps[event.strategy_added.terms.strategy_id] = deque(maxlen=self._most + 1)
            return
        strategy_id, count = refused(event, kind)
        if strategy_id in self._stamps:
            self._stamps[strategy_id].extend([to_ns(event.time)] * min(count, self._most + 1))

    def follow(self, draft: Draft, events: list[journal_pb2.Event]) -> None:
        """Record the halt of each strategy that events have put over the bound."""
        found = {name: _code(event) for event in events if (name := refused(event, event.WhichOneof("body"))[0])}
        for strategy_id, code in found.items():
            stamps = self._stamps.get(strategy_id)
            if stamps is None or len(stamps) <= self._most or stamps[-1] - stamps[0] > self._within_ns:
                continue
            scope = strategy_scope(strategy_id)
            standing = draft.book.halts.get(scope)
            if standing is None or standing.level != common_pb2.HALT_LEVEL_HALTED:
                text = (
                    f"more than {self._most} commands of {strategy_id} were refused within "
                    f"{self._within_ns // NS_PER_S} s, the last one for {code}"
                )
                body = risk_pb2.Halt(
                    scope=scope.to_wire(),
                    level=common_pb2.HALT_LEVEL_HALTED,
                    operator=GATE,
                    reason_code=Reason.ERROR_RATE,
                    reason=text,
                )
                record_halt(draft, body)


def refused(event: journal_pb2.Event, kind: str | None) -> tuple[str, int]:
    """Return whose refusals an event records, and how many; nobody's for every other event."""
    strategy_id, count = "", 1
    if kind == "order_decided":
        decided = event.order_decided
        if decided.decision.action >= common_pb2.ACTION_REJECT and not decided.order.HasField("emergency"):
            strategy_id = decided.order.strategy_id
    elif kind == "replace_decided":
        if event.replace_decided.decision.action >= common_pb2.ACTION_REJECT:
            strategy_id = event.replace_decided.replace.strategy_id
    elif kind == "command_refused":
        strategy_id = event.command_refused.strategy_id
    elif kind == "refusals_counted":
        strategy_id, count = event.refusals_counted.strategy_id, event.refusals_counted.count
    elif kind == "alert_raised":
        raised = event.alert_raised
        strategy_id = raised.scope.name if raised.reason_code == Reason.INTERNAL else ""
    return ("", 0) if strategy_id and _code(event) in _HELD_BACK else (strategy_id, count)


def _code(event: journal_pb2.Event) -> str:
    kind = event.WhichOneof("body") or ""
    body = getattr(event, kind)
    code: str = (body.decision if kind in {"order_decided", "replace_decided"} else body).reason_code
    return code
