"""A decision on an order is told to book, records and journal as its event tells it to whoever replays it."""

from pathlib import Path

import pytest

from tests.unit.builders import BUY, SELL, Desk, configuration, limit, strategy_scope
from tidegate.errors import BookError
from tidegate.journal.contract import entry_of
from tidegate.orders import DecidedOrder
from tidegate.risk.draft import Draft
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2, risk_pb2

MARGIN = strategy_scope("margin")


def desk_with_limits(path: Path) -> Desk:
    """Open a desk with a limit that warns, one that reduces and one that refuses, and a price."""
    configured = configuration(max_order_quantity="500")
    configured.further_limits.add(
        figure=risk_pb2.LIMIT_FIGURE_ORDER_NOTIONAL, scope=MARGIN, limit="3000", action=common_pb2.ACTION_WARN
    )
    configured.further_limits.add(
        figure=risk_pb2.LIMIT_FIGURE_GROSS_EXPOSURE, scope=MARGIN, limit="5000", action=common_pb2.ACTION_REDUCE
    )
    desk = Desk(path / "journal.db", configured)
    desk.bar(1, A="100.50")
    return desk


def order(desk: Desk, case: str) -> orders_pb2.NewOrder:
    """Write an order of each kind of outcome."""
    quantities = {"warn": "31", "reduce": "70", "reject": "501"}
    found = desk.order("margin", SELL if case == "sell" else BUY, quantities.get(case, "10.0"), "A")
    if case in {"limit", "own route"}:
        limit(found, "101.00")
    if case == "own route":
        found.route = ""
    found.accept_reduced = case == "reduce"
    found.strategy_id = "nobody" if case == "unknown" else found.strategy_id
    return found


@pytest.mark.parametrize(
    ("case", "action"),
    [
        ("market", "ALLOW"),
        ("sell", "ALLOW"),
        ("limit", "ALLOW"),
        ("own route", "ALLOW"),
        ("warn", "WARN"),
        ("reduce", "REDUCE"),
        ("reject", "REJECT"),
        ("unknown", "REJECT"),
    ],
)
def test_what_is_told_of_a_decision_is_what_its_event_says(tmp_path: Path, case: str, action: str) -> None:
    """Pins every figure to its last digit: the live state is made of the one, the replayed state of the other."""
    desk = desk_with_limits(tmp_path)
    draft = desk.gate.engine.decide(order(desk, case), desk.book.time_ns + 1)
    told = told_of(draft)
    assert common_pb2.Action.Value(f"ACTION_{action}") == told.action
    assert described(DecidedOrder.read(told.event)) == described(told)
    told.event.caller = "ann"
    assert parts(entry_of(told.event)) == parts(entry_of(told.event, told))


def test_a_decision_is_told_with_no_other_event(tmp_path: Path) -> None:
    """Pins that a book refuses what is told of another event than the one it takes."""
    desk = desk_with_limits(tmp_path)
    told = told_of(desk.gate.engine.decide(order(desk, "market"), desk.book.time_ns + 1))
    copy = journal_pb2.Event()
    copy.CopyFrom(told.event)
    with pytest.raises(BookError, match="told as another one"):
        desk.book.apply(copy, "order_decided", told)


def test_an_accepted_order_has_a_side(tmp_path: Path) -> None:
    """Pins that a damaged event is not folded into an order that neither buys nor sells."""
    desk = desk_with_limits(tmp_path)
    event = told_of(desk.gate.engine.decide(order(desk, "market"), desk.book.time_ns + 1)).event
    event.order_decided.order.ClearField("side")
    with pytest.raises(BookError, match="neither buys nor sells"):
        desk.gate.engine.apply(event)


def told_of(draft: Draft) -> DecidedOrder:
    """Return what a draft tells of its order, which is its newest event."""
    assert draft.decided is not None
    assert draft.decided.event is draft.events[-1]
    return draft.decided


def described(decided: DecidedOrder) -> dict[str, str]:
    """Write every part with its type; of the order itself its text."""
    return {name: repr(value) for name, value in parts(decided).items() if name != "event"}


def parts(of: object) -> dict[str, object]:
    """Return the figures of an object by name, of a compiled one as well."""
    names = [name for name in dir(of) if not name.startswith("_") and not callable(getattr(of, name))]
    assert names
    return {name: getattr(of, name) for name in names}
