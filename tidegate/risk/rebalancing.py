"""Deciding on a rebalance: capital moves to given shares of the equity of now; what is tied up, once it is free."""

from collections.abc import Iterable, Mapping
from decimal import ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import Final, NamedTuple, NoReturn

from tidegate.errors import RefusedError
from tidegate.numbers import ONE, ZERO, plain, round_money
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.book import Book
from tidegate.risk.draft import Draft, transfer_key
from tidegate.risk.operators import read_operator
from tidegate.risk.reductions import reductions
from tidegate.risk.scopes import PORTFOLIO
from tidegate.risk.violation import money
from tidegate.v1 import admin_pb2, journal_pb2

WEIGHTS_MAX: Final = 1_000

# What may set capital free that was tied up.
_FREEING: Final = frozenset({"execution_booked", "bar_published", "prices_published", "capital_transferred"})


class _Plan(NamedTuple):
    """
    What a rebalance comes to, by strategy; positive amounts go to the strategy.

    wanted: in whole, in the currency's smallest units. moved: at once. reserve_target: once everything has moved.
    """

    targets: dict[str, Decimal]
    wanted: dict[str, Decimal]
    moved: dict[str, Decimal]
    reserve_target: Decimal


def rebalance(draft: Draft, command: admin_pb2.RebalanceRequest) -> admin_pb2.RebalanceResponse:
    """Move to the weights what is free, and let the rest wait; decided whole before anything moves."""
    book = draft.book
    door.identifier(command.rebalance_id, "rebalance_id")
    read_operator(command.operator, command.reason)
    weights = _read_weights(book, command.weights)
    earlier = None if command.dry_run else draft.archive.find(transfer_key(command.rebalance_id))
    if earlier is not None:
        if earlier.rebalanced.request != command:
            text = f"rebalance_id {command.rebalance_id} was used before, for another movement of capital"
            _refuse(draft, Reason.TRANSFER_ID_REUSED, text, command)
        return _answer(earlier)
    gone = [strategy_id for strategy_id in weights if not book.roster.is_open(strategy_id)]
    if gone:
        text = f"strategy {gone[0]} was removed, or is to be removed once it is flat"
        _refuse(draft, Reason.STRATEGY_REMOVED, text, command)
    plan = _plan(book, weights)
    if weights and (book.equity <= ZERO or plan.reserve_target < ZERO):
        text = (
            f"of an equity of {money(book.equity)} the weights ask for {money(sum(plan.targets.values(), ZERO))}; "
            f"with what the other strategies have the reserve would be {money(plan.reserve_target)}"
        )
        _refuse(draft, Reason.REBALANCE_NOT_FUNDED, text, command)
    give_up(draft, f"rebalance {command.rebalance_id} takes its place")
    return _record(draft, command, weights, plan)


def advance(draft: Draft, events: Iterable[journal_pb2.Event]) -> None:
    """Move what events have set free of what a rebalance still owes; end it when nothing is left."""
    book = draft.book
    standing = book.rebalance
    if standing is None or not any(event.WhichOneof("body") in _FREEING for event in events):
        return
    moved = _moves(book, standing.pending, ZERO)
    if not moved:
        return
    advanced = journal_pb2.RebalanceAdvanced(rebalance_id=standing.rebalance_id, moves=_wire(moved))
    draft.record(rebalance_advanced=advanced)
    if all(moved.get(strategy_id, ZERO) == amount for strategy_id, amount in standing.pending.items()):
        draft.record(rebalance_ended=journal_pb2.RebalanceEnded(rebalance_id=standing.rebalance_id))


def give_up(draft: Draft, why: str, strategy_id: str = "") -> None:
    """End a rebalance that still waits; with a strategy, only one that waits for it."""
    standing = draft.book.rebalance
    if standing is None or (strategy_id and strategy_id not in standing.pending):
        return
    ended = journal_pb2.RebalanceEnded(
        rebalance_id=standing.rebalance_id,
        reason_code=Reason.REBALANCE_GIVEN_UP,
        reason=why,
        given_up=_wire(standing.pending),
    )
    draft.record(rebalance_ended=ended)


def movable(book: Book, strategy_id: str) -> Decimal:
    """Return the cash that may leave a strategy now: free, and not needed by its own limit on leverage."""
    strategy, terms = book.strategies[strategy_id], book.terms[strategy_id]
    free = strategy.cash_available
    if terms.is_margin:
        free = min(free, strategy.ledger.equity - strategy.ledger.gross_exposure / terms.max_leverage)
    return max(round_money(free, book.currency, ROUND_FLOOR), ZERO)


def _plan(book: Book, weights: Mapping[str, Decimal]) -> _Plan:
    targets = {s: round_money(book.equity * weight, book.currency, ROUND_FLOOR) for s, weight in weights.items()}
    wanted: dict[str, Decimal] = {}
    for strategy_id, target in targets.items():
        gap = target - book.strategies[strategy_id].ledger.equity
        if whole := round_money(gap, book.currency, ROUND_DOWN):
            wanted[strategy_id] = whole
    needed = sum(wanted.values(), ZERO)
    # What the reserve has above its own target goes out at once; what it lacks comes in last.
    return _Plan(targets, wanted, _moves(book, wanted, max(needed, ZERO)), book.reserve - needed)


def _moves(book: Book, wanted: Mapping[str, Decimal], pool: Decimal) -> dict[str, Decimal]:
    """Take what is free; give it and the pool to those who get something, in their order. The reserve has the rest."""
    moved: dict[str, Decimal] = {}
    for strategy_id, amount in wanted.items():
        if amount < ZERO and (taken := min(-amount, movable(book, strategy_id))):
            moved[strategy_id] = -taken
            pool += taken
    for strategy_id, amount in wanted.items():
        if amount > ZERO and (given := min(amount, pool)) > ZERO:
            moved[strategy_id] = given
            pool -= given
    return moved


def _record(
    draft: Draft, command: admin_pb2.RebalanceRequest, weights: Mapping[str, Decimal], plan: _Plan
) -> admin_pb2.RebalanceResponse:
    book = draft.book
    pending = {s: left for s, amount in plan.wanted.items() if (left := amount - plan.moved.get(s, ZERO))}
    legs = []
    for strategy_id, weight in weights.items():
        wanted, left = plan.wanted.get(strategy_id, ZERO), pending.get(strategy_id, ZERO)
        legs.append(
            admin_pb2.RebalanceLeg(
                strategy_id=strategy_id,
                weight=plain(weight),
                equity=plain(book.strategies[strategy_id].ledger.equity),
                target=plain(plan.targets[strategy_id]),
                moved=plain(plan.moved.get(strategy_id, ZERO)),
                pending=plain(left),
                reductions=reductions(book, strategy_id, -wanted) if left < ZERO else (),
            )
        )
    response = admin_pb2.RebalanceResponse(
        equity=plain(book.equity),
        reserve=plain(book.reserve),
        reserve_target=plain(plan.reserve_target),
        legs=legs,
    )
    if command.dry_run:
        draft.events.clear()
        return response
    event = draft.record(
        rebalanced=journal_pb2.Rebalanced(
            request=command, response=response, moves=_wire(plan.moved), pending=_wire(pending)
        )
    )
    if pending:
        draft.record(alert_raised=_alert(command.rebalance_id, pending))
    return _answer(event)


def _answer(event: journal_pb2.Event) -> admin_pb2.RebalanceResponse:
    response = admin_pb2.RebalanceResponse()
    response.CopyFrom(event.rebalanced.response)
    response.sequence = event.sequence
    return response


def _alert(rebalance_id: str, pending: Mapping[str, Decimal]) -> journal_pb2.AlertRaised:
    owed = ", ".join(f"{money(-amount)} of {strategy_id}" for strategy_id, amount in pending.items() if amount < ZERO)
    text = f"rebalance {rebalance_id} waits for capital that is tied up: {owed}"
    return journal_pb2.AlertRaised(reason_code=Reason.REBALANCE_PENDING, scope=PORTFOLIO.to_wire(), text=text)


def _wire(amounts: Mapping[str, Decimal]) -> list[journal_pb2.CapitalMove]:
    return [journal_pb2.CapitalMove(strategy_id=name, amount=plain(amount)) for name, amount in amounts.items()]


def _read_weights(book: Book, given: Iterable[admin_pb2.TargetWeight]) -> dict[str, Decimal]:
    """Take each strategy's weight; together at most 1."""
    weights: dict[str, Decimal] = {}
    for index, entry in enumerate(given):
        door.bounded(index + 1, WEIGHTS_MAX, "weights")
        place = f"weights[{index}]"
        if entry.strategy_id not in book.terms:
            text = f"no strategy is called {door.shown(entry.strategy_id)}"
            raise RefusedError(Reason.STRATEGY_UNKNOWN, text, field=f"{place}.strategy_id")
        weight = door.amount(entry.weight or "-", f"{place}.weight", positive=False)
        if entry.strategy_id in weights or not ZERO <= weight <= ONE:
            text = f"{place} takes a weight of 0 to 1 for a strategy that no other entry names"
            raise RefusedError(Reason.WEIGHTS_INVALID, text, field=place)
        weights[entry.strategy_id] = weight
    total = sum(weights.values(), ZERO)
    if total > ONE:
        text = f"the weights add up to {plain(total)}, over 1"
        raise RefusedError(Reason.WEIGHTS_INVALID, text, field="weights")
    return weights


def _refuse(draft: Draft, reason: Reason, text: str, command: admin_pb2.RebalanceRequest) -> NoReturn:
    draft.refuse(reason, text, command="Rebalance", subject=command.rebalance_id, operator=command.operator)
