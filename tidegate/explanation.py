"""Why an order was decided as it was: every check with its figures, and the decision recomputed from the journal."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from google.protobuf.message import DecodeError, Message

from tidegate.errors import BookError, JournalError, RefusedError
from tidegate.past import Decided, Past, decided_in, request_of
from tidegate.reasons import Reason
from tidegate.risk.assessment import assess, limits_met
from tidegate.risk.checks import Checks, Scoped
from tidegate.risk.checks.check import Check
from tidegate.risk.figure import Figure
from tidegate.risk.figures import LimitInForce, figures, inputs, limits_in_force
from tidegate.risk.halts import Halt
from tidegate.risk.orders import read_order
from tidegate.risk.proposal import Proposal
from tidegate.risk.replaces import as_replaced
from tidegate.risk.violation import Violation
from tidegate.times import NS_PER_S, to_ns
from tidegate.v1 import journal_pb2, orders_pb2

# Refusals that were counted within this time of a decision may have moved a rate that it was held against.
_COUNTED_BEFORE_NS = 60 * NS_PER_S
# By then every count of the decision's own second is recorded, while time goes on.
_COUNTED_AFTER_NS = 2 * NS_PER_S


class Wanted(NamedTuple):
    """The decision that is asked for: by the order's id or its event's number, or by the sender's own id."""

    order_id: str = ""
    strategy_id: str = ""
    client_order_id: str = ""

    def is_met_by(self, event: journal_pb2.Event, decided: Decided) -> bool:
        """Tell whether an event, with the decision in it, is what is asked for."""
        if self.order_id:
            return self.order_id == str(event.sequence)
        asked = request_of(decided)
        return (asked.strategy_id, asked.client_order_id) == (self.strategy_id, self.client_order_id)

    def __str__(self) -> str:
        """Write it for a sentence."""
        return f"order {self.order_id}" if self.order_id else f"order {self.client_order_id} of {self.strategy_id}"


class CheckResult(NamedTuple):
    """One check run by itself; not held: the order only reduces, and the check leaves those alone."""

    name: str
    is_held: bool
    violation: Violation | None
    figures: list[Figure]


class Difference(NamedTuple):
    """A field of the decision that comes out differently now."""

    field: str
    recorded: str
    recomputed: str


class Explanation(NamedTuple):
    """
    A decision and all that it was made from, as of just before it.

    asked: the order; for a replacement, the order as it would become. differences: empty when the same decision
    follows again. counted: refusals near it that are in the journal as a number only.
    """

    event: journal_pb2.Event
    asked: orders_pb2.NewOrder
    decision: orders_pb2.Decision
    inputs: list[Figure]
    checks: list[CheckResult]
    limits: list[LimitInForce]
    halts: list[Halt]
    differences: list[Difference]
    counted: int


def explain(events: Iterable[journal_pb2.Event], wanted: Wanted) -> Explanation:
    """
    Read a journal from its first event up to a decision, and explain it; reads no further than it has to.

    Raises:
        RefusedError: the journal holds no such decision.
        JournalError: the journal cannot be folded.
    """
    past, counts = Past(), list[journal_pb2.Event]()
    found: Explanation | None = None
    try:
        for event in events:
            if found is None:
                decided = decided_in(event)
                if decided is not None and wanted.is_met_by(event, decided):
                    found = explain_decision(past, event, decided)
                past.apply(event)
            if event.HasField("refusals_counted"):
                counts.append(event)
            if found is not None and to_ns(event.time) > to_ns(found.event.time) + _COUNTED_AFTER_NS:
                break
    except (BookError, DecodeError, ArithmeticError, LookupError) as error:
        message = f"the journal cannot be replayed past event {past.engine.book.sequence}: {error}"
        raise JournalError(message) from error
    if found is None:
        raise RefusedError(Reason.ORDER_UNKNOWN, _unknown(past, wanted, counts))
    asked_by, time_ns = found.asked.strategy_id, to_ns(found.event.time)
    near = [event for event in counts if abs(to_ns(event.time) - time_ns) <= _COUNTED_BEFORE_NS]
    return found._replace(counted=_refusals(near, asked_by))


def explain_decision(past: Past, event: journal_pb2.Event, decided: Decided) -> Explanation:
    """Explain a decision by the past up to just before its event."""
    book = past.engine.book
    if isinstance(decided, journal_pb2.OrderDecided):
        asked, replaced = decided.order, None
    else:
        replaced = book.orders[decided.order_id]
        asked = as_replaced(replaced, decided.replace)
    draft = past.engine.decide(request_of(decided), to_ns(event.time), event.caller)
    violations, proposal = assess(draft, asked, read_order(book, asked), replaced)
    if proposal is None:
        results = [CheckResult("known names, and a price", is_held=True, violation=violations[0], figures=[])]
    else:
        results = [_result(check, proposal, is_held=is_held) for check, is_held in _applied(draft.checks, proposal)]
    return Explanation(
        event=event,
        asked=asked,
        decision=decided.decision,
        inputs=[] if proposal is None else inputs(proposal),
        checks=results,
        limits=limits_in_force(book, asked, past.limits_set_at),
        halts=[halt for halt in book.halts.values() if halt.scope.covers(asked.strategy_id, asked.symbol)],
        differences=differences(past, event),
        counted=0,
    )


def differences(past: Past, event: journal_pb2.Event) -> list[Difference]:
    """Decide again what an event decided, and say in what the two differ; empty: the same, to the byte."""
    kind = event.WhichOneof("body") or ""
    recorded = getattr(event, kind)
    try:
        draft = past.decide_again(event)
    except Exception as error:  # noqa: BLE001 -- a decision that fails now is a difference to be shown, whatever it is
        return [Difference("decision", _text(recorded.decision), f"fails: {type(error).__name__}: {error}")]
    if draft.refusal is not None:
        return [Difference("decision", _text(recorded.decision), f"refused: {draft.refusal.reason}: {draft.refusal}")]
    again = next((getattr(made, kind) for made in draft.events if made.WhichOneof("body") == kind), None)
    if again is None:
        return [Difference("decision", _text(recorded.decision), "nothing would be recorded")]
    return [*_compare(recorded.decision, again.decision), *_compare(recorded, again)]


def _applied(checks: Checks, proposal: Proposal) -> Iterator[tuple[Check, bool]]:
    """Name each check that bears on an order, and whether it is held against one that only reduces."""
    met: Scoped = limits_met(checks, proposal.request.strategy_id, proposal.instrument)
    for part in (checks, met):
        held = part.for_reducing if proposal.reducing else part.for_all
        for check in part.for_all:
            yield check, any(check is other for other in held)


def _result(check: Check, proposal: Proposal, *, is_held: bool) -> CheckResult:
    violation = check.check(proposal) if is_held else None
    return CheckResult(_name(check), is_held, violation, figures(check, proposal))


def _name(check: Check) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(check).__name__).lower()


def _compare(recorded: Message, recomputed: Message) -> list[Difference]:
    return [
        Difference(field.name, _text(before), _text(after))
        for field in recorded.DESCRIPTOR.fields
        if field.name != "decision"
        and (before := getattr(recorded, field.name)) != (after := getattr(recomputed, field.name))
    ]


def _text(value: object) -> str:
    if isinstance(value, Message) or not isinstance(value, str | int):
        return " ".join(str(value).split())
    return str(value)


def _refusals(counts: list[journal_pb2.Event], strategy_id: str) -> int:
    of_it = (e.refusals_counted for e in counts if e.refusals_counted.strategy_id in ("", strategy_id))
    return sum(counted.count for counted in of_it)


def _unknown(past: Past, wanted: Wanted, counts: list[journal_pb2.Event]) -> str:
    text = f"the journal's {past.engine.book.sequence:,} events hold no decision on {wanted}"
    counted = _refusals(counts, wanted.strategy_id)
    return f"{text}; {counted:,} refusals are in it as a number only" if counted else text
