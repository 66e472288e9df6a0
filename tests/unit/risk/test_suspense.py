"""Fills of orders that the gate never saw: an operator assigns each to a strategy, once, and nothing is lost by it."""

from decimal import Decimal

import pytest

from tests.unit.builders import BUY, NEW, SELL, Desk, configuration, strategy_scope
from tests.unit.conftest import OpenDesk
from tidegate.reasons import Reason
from tidegate.risk import unassigned
from tidegate.v1 import actors_pb2, admin_pb2, orders_pb2, portfolio_pb2, reconciliation_pb2


def stray(desk: Desk, quantity: str, price: str, fee: str = "", symbol: str = "A") -> orders_pb2.Execution:
    """Report a fill of an order that nobody gave, a negative quantity for a sale; return it."""
    execution = desk.trade("elsewhere", quantity.lstrip("-"), price, fee)
    execution.symbol, execution.side = symbol, SELL if quantity.startswith("-") else BUY
    desk.report(execution)
    return execution


def assignment(
    execution: orders_pb2.Execution, strategy_id: str = "margin", reason: str = "typed at the broker's own screen"
) -> reconciliation_pb2.AssignSuspenseRequest:
    """Write the assignment of a fill."""
    return reconciliation_pb2.AssignSuspenseRequest(
        account="u1", execution_id=execution.execution_id, strategy_id=strategy_id, operator="ann", reason=reason
    )


def assign(desk: Desk, execution: orders_pb2.Execution, strategy_id: str = "margin") -> int:
    """Assign a fill; return where the assignment stands."""
    request = assignment(execution, strategy_id)
    return desk.ask("AssignSuspense", request, reconciliation_pb2.AssignSuspenseResponse).sequence


def suspense(desk: Desk) -> portfolio_pb2.ListSuspenseResponse:
    """Ask what is in suspense."""
    return desk.ask("ListSuspense", portfolio_pb2.ListSuspenseRequest(), portfolio_pb2.ListSuspenseResponse)


def figures(desk: Desk, strategy_id: str) -> list[Decimal]:
    """Return a ledger's position in A, cash and fees."""
    ledger = desk.book.strategies[strategy_id].ledger
    return [desk.position(strategy_id), ledger.cash, ledger.fees]


def test_an_assigned_fill_leaves_suspense_whole_and_arrives_whole(desk: Desk) -> None:
    """Pins position, cash and fee on both sides, equity, conservation, the record, and all of it over a restart."""
    execution = stray(desk, "7", "101.5", "1.25")
    assert [Decimal(7), Decimal("-711.75"), Decimal("1.25")] == figures(desk, "")
    equity = desk.book.equity
    sequence = assign(desk, execution)
    assert [Decimal(0), Decimal(0), Decimal(0)] == figures(desk, "")
    assert [Decimal(7), Decimal("29288.25"), Decimal("1.25")] == figures(desk, "margin")
    assert (equity, "0", Decimal(0)) == (desk.book.equity, desk.conserved(), desk.book.strategies[""].ledger.equity)
    (event,) = desk.events("suspense_assigned")
    assert (sequence, "ann", "typed at the broker's own screen") == (
        event.sequence,
        event.suspense_assigned.operator,
        event.suspense_assigned.reason,
    )
    assert desk.state() == desk.restarted().state()


def test_what_is_in_suspense_is_listed_until_it_is_assigned_or_taken_back(desk: Desk) -> None:
    """Pins the fills, oldest first, the ledger's positions and cash, and that a restart lists the same."""
    first, second, third = stray(desk, "2", "100"), stray(desk, "-3", "50", "0.5", "B"), stray(desk, "4", "99")
    assert suspense(desk).fills[1] == portfolio_pb2.SuspenseFill(
        sequence=suspense(desk).fills[1].sequence,
        time=suspense(desk).fills[1].time,
        account="u1",
        adapter="paper",
        execution_id=second.execution_id,
        order_id="elsewhere",
        symbol="B",
        side=SELL,
        quantity="3",
        price="50",
        fee="0.5",
    )
    assert [("A", "6"), ("B", "-3")] == [(held.symbol, held.quantity) for held in suspense(desk).positions]
    assert ["-446.5"] == [cash.cash for cash in suspense(desk).cash_by_currency]
    assign(desk, first)
    desk.report(desk.bust(second))
    assert [third.execution_id] == [fill.execution_id for fill in suspense(desk).fills]
    assert suspense(desk) == suspense(desk.restarted())


def test_an_assignment_that_is_asked_for_again_moves_nothing_again(desk: Desk) -> None:
    """Pins that the retry gets the first answer, and that nobody else gets the fill."""
    execution = stray(desk, "7", "101.5")
    first = assign(desk, execution)
    before = desk.state()
    assert first == assign(desk, execution)
    desk = desk.restarted()
    assert first == assign(desk, execution)
    assert before == desk.state()
    refused = Reason.SUSPENSE_ASSIGNED_ELSEWHERE
    assert refused == desk.refusal("AssignSuspense", assignment(execution, "cash"))
    assert (Decimal(0), "0") == (desk.position("cash"), desk.conserved())


def test_two_assignments_of_one_batch_move_a_fill_once(desk: Desk) -> None:
    """Pins that the first of two operators gets it."""
    execution = stray(desk, "7", "101.5")
    requests = [assignment(execution, "margin"), assignment(execution, "cash")]
    replies = desk.replies(*(("AssignSuspense", request) for request in requests))
    assert ["", Reason.SUSPENSE_ASSIGNED_ELSEWHERE] == [reply.reason for reply in replies]
    assert [Decimal(7), Decimal(0)] == [desk.position("margin"), desk.position("cash")]


def test_only_a_fill_that_is_in_suspense_can_be_assigned(desk: Desk) -> None:
    """Pins the refusals, recorded with the operator; and that a strategy's own fill stays its own."""
    decision = desk.buy("cash", "5")
    own, accepted = desk.trade(decision.order_id, "5", "100"), desk.execution(decision.order_id, NEW)
    desk.report(accepted, own)
    gone = stray(desk, "3", "100")
    desk.report(desk.bust(gone))
    unknown = orders_pb2.Execution(execution_id="never-came")
    for execution in (own, accepted, gone, unknown):
        assert Reason.FILL_NOT_IN_SUSPENSE == desk.refusal("AssignSuspense", assignment(execution))
    refused = desk.events("command_refused")
    assert [("AssignSuspense", "ann")] * 4 == [(e.command_refused.command, e.command_refused.operator) for e in refused]
    assert [] == desk.events("suspense_assigned")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"account": ""}, Reason.IDENTIFIER_INVALID),
        ({"execution_id": "a b"}, Reason.IDENTIFIER_INVALID),
        ({"strategy_id": "nobody"}, Reason.STRATEGY_UNKNOWN),
        ({"strategy_id": ""}, Reason.STRATEGY_UNKNOWN),
        ({"operator": ""}, Reason.IDENTIFIER_INVALID),
        ({"reason": " "}, Reason.TEXT_INVALID),
    ],
)
def test_a_malformed_assignment_is_refused_at_the_door(desk: Desk, change: dict[str, str], reason: Reason) -> None:
    """Pins the code, and that nothing is recorded."""
    request = assignment(stray(desk, "1", "100"))
    for name, value in change.items():
        setattr(request, name, value)
    before = desk.book.sequence
    assert (reason, before) == (desk.refusal("AssignSuspense", request), desk.book.sequence)


def test_a_bust_of_an_assigned_fill_hits_the_strategy_that_it_was_assigned_to(desk: Desk) -> None:
    """Pins that the strategy ends as it began, suspense stays empty, and the fill is not assigned again."""
    before = figures(desk, "margin")
    execution = stray(desk, "7", "101.5", "1.25")
    first = assign(desk, execution)
    desk.report(desk.bust(execution))
    assert before == figures(desk, "margin")
    assert [Decimal(0), Decimal(0), Decimal(0)] == figures(desk, "")
    assert (first, "0") == (assign(desk, execution), desk.conserved())
    assert before == figures(desk, "margin")
    assert desk.state() == desk.restarted().state()


def test_a_correction_of_an_assigned_fill_corrects_the_strategy_and_is_its_own(desk: Desk) -> None:
    """Pins the corrected figures, a bust of the correction, and that neither is listed in suspense."""
    execution = stray(desk, "7", "101.5", "1.25")
    assign(desk, execution)
    correction = desk.correction(execution, "6", "102", "1")
    desk.report(correction)
    assert [Decimal(6), Decimal(29387), Decimal(1)] == figures(desk, "margin")
    assert Reason.FILL_NOT_IN_SUSPENSE == desk.refusal("AssignSuspense", assignment(correction))
    desk.report(desk.bust(correction))
    assert [Decimal(0), Decimal(30000), Decimal(0)] == figures(desk, "margin")
    assert ([], "0") == (list(suspense(desk).fills), desk.conserved())


def test_a_correction_in_suspense_takes_the_fill_s_place(desk: Desk) -> None:
    """Pins that what is assigned is what is right, and that what was wrong cannot be."""
    execution = stray(desk, "7", "101.5")
    correction = desk.correction(execution, "6", "102")
    desk.report(correction)
    assert [correction.execution_id] == [fill.execution_id for fill in suspense(desk).fills]
    assert Reason.FILL_NOT_IN_SUSPENSE == desk.refusal("AssignSuspense", assignment(execution))
    assign(desk, correction)
    assert [Decimal(6), Decimal(29388), Decimal(0)] == figures(desk, "margin")


def test_a_bust_of_an_assigned_fill_has_nothing_to_do_with_an_order_of_the_same_number(desk: Desk) -> None:
    """Pins that an order whose id the broker had named by chance stays as it was."""
    execution = desk.trade(str(desk.book.sequence + 3), "7", "101.5")
    execution.symbol, execution.side = "A", BUY
    desk.report(execution)
    order = desk.order("cash", BUY, "5", "A")
    assert execution.order_id == desk.submit(order).order_id
    assign(desk, execution)
    desk.report(desk.bust(execution))
    found = desk.found(order.client_order_id).order
    assert ("0", "5") == (found.cumulative_quantity, found.leaves_quantity)


def test_what_an_assignment_breaks_is_alerted_not_refused(desk: Desk) -> None:
    """Pins a cash strategy whose cash it takes below zero: a fill is a fact."""
    assign(desk, stray(desk, "600", "100"), "cash")
    assert Reason.CASH_NEGATIVE in {breached.reason_code for breached in desk.book.breaches.values()}


def test_an_assigned_fill_reaches_the_strategy_s_own_ledger(desk: Desk) -> None:
    """Pins that the event is among those that the strategy's actor gets, and the digests agree."""
    execution = stray(desk, "7", "101.5", "1.25")
    sequence = assign(desk, execution)
    desk.report(bar_sequence=desk.bar(2, A="103"))
    update = desk.ask("NextBar", actors_pb2.NextBarRequest(), actors_pb2.BarUpdate)
    (own,) = (entry for entry in update.strategies if entry.strategy_id == "margin")
    assert [sequence] == [event.sequence for event in own.events]


def test_the_listing_is_bounded_and_an_older_fill_is_assigned_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pins that memory stays flat, and that nothing becomes unassignable by it."""
    monkeypatch.setattr(unassigned, "FILLS_MAX", 2)
    fills = [stray(desk, "1", "100") for _ in range(3)]
    assert (1, 2) == (suspense(desk).left_out, len(suspense(desk).fills))
    assign(desk, fills[0])
    assert (0, 2) == (suspense(desk).left_out, len(suspense(desk).fills))


def test_a_fill_that_is_assigned_while_its_strategy_is_flattened_is_closed_as_well(open_desk: OpenDesk) -> None:
    """Pins that the position does not stay behind."""
    configured = configuration()
    configured.routes.add(strategy_id="margin", adapter="paper")
    desk = open_desk(configured)
    desk.bar(1, A="100", B="50", F="20")
    desk.hold("margin", "5", "100")
    execution = stray(desk, "7", "101.5")
    flatten = admin_pb2.FlattenRequest(scope=strategy_scope("margin"), operator="ann", reason="out")
    desk.ask("Flatten", flatten, admin_pb2.FlattenResponse)
    assign(desk, execution)
    (position,) = desk.book.strategies["margin"].ledger.positions.values()
    assert (Decimal(12), Decimal(12)) == (position.quantity, position.working_sells)
