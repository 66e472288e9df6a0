"""What an adapter is told: all that is to be done now, resumed from where it was, page by page."""

import pytest

from tests.unit.builders import (
    BUY,
    CANCEL_REJECTED,
    NEW,
    REPLACE_REJECTED,
    REPLACED,
    SELL,
    Desk,
    NewOrder,
    instrument_scope,
)
from tidegate.publications import INSTRUCTIONS_MAX
from tidegate.v1 import common_pb2, orders_pb2


def watch(desk: Desk, after: int = 0, adapter: str = "paper") -> orders_pb2.WatchOrdersResponse:
    """Ask what an adapter has to do that it was not told before."""
    request = orders_pb2.WatchOrdersRequest(adapter=adapter, after_sequence=after)
    return desk.ask("WatchOrders", request, orders_pb2.WatchOrdersResponse)


def told(message: orders_pb2.WatchOrdersResponse) -> list[str]:
    """Return each instruction as the word and the order's client_order_id."""
    found = []
    for instruction in message.instructions:
        word = instruction.WhichOneof("instruction") or ""
        order: orders_pb2.Order = getattr(instruction, word)
        found.append(f"{word} {order.order.client_order_id}")
    return found


def submitted(desk: Desk, count: int) -> list[tuple[NewOrder, str]]:
    """Submit small orders in one batch; return each with its id."""
    orders = [desk.order("cash", BUY, "1", "F") for _ in range(count)]
    request = orders_pb2.SubmitOrdersRequest(orders=orders)
    decisions = desk.ask("SubmitOrders", request, orders_pb2.SubmitOrdersResponse).decisions
    return [(order, decision.order_id) for order, decision in zip(orders, decisions, strict=True)]


def test_a_watcher_that_comes_back_gets_what_it_was_not_told(desk: Desk) -> None:
    """Pins that each instruction counts from its own event, and comes again to who asks from the beginning."""
    (first, first_id), (second, second_id) = submitted(desk, 2)
    seen = watch(desk).sequence
    assert (desk.book.sequence, []) == (seen, told(watch(desk, seen)))
    desk.cancel(second)
    (third, _) = submitted(desk, 1)[0]
    assert ["cancel o2", "send o3"] == told(watch(desk, seen))
    assert ["send o1", "cancel o2", "send o3"] == told(watch(desk)) == told(watch(desk.restarted()))
    desk = desk.restarted()
    desk.report(desk.execution(first_id, NEW), desk.execution(second_id, CANCEL_REJECTED))
    assert ["send o3"] == told(watch(desk))
    desk.replace(desk.replacement(first, "2"))
    assert ["replace o1"] == told(watch(desk, watch(desk, seen).sequence - 1))
    assert ("o3", False) == (third.client_order_id, watch(desk).is_cut)


def test_a_place_that_the_journal_has_not_reached_has_nothing_behind_it(desk: Desk) -> None:
    """Pins that a wrong place is harmless, however large."""
    submitted(desk, 1)
    assert [] == told(watch(desk, desk.book.sequence + 1)) == told(watch(desk, 2**64 - 1))


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([], ["send o1", "replace o1"]),
        ([NEW], ["replace o1"]),
        ([REPLACED], []),
        ([REPLACE_REJECTED], []),
    ],
)
def test_an_order_that_is_to_be_replaced_before_it_was_sent_is_sent_first(
    desk: Desk, reports: list[orders_pb2.ExecutionType.ValueType], expected: list[str]
) -> None:
    """Pins both instructions in their order, each until the broker reports."""
    ((order, order_id),) = submitted(desk, 1)
    desk.replace(desk.replacement(order, "2"))
    desk.report(*(desk.execution(order_id, kind) for kind in reports))
    message = watch(desk)
    assert expected == told(message)
    shown = [i.replace for i in message.instructions if i.HasField("replace")]
    assert ["2"] * len(shown) == [order.replacement.quantity for order in shown]


def test_a_long_list_is_cut_and_goes_on_where_it_was_cut(desk: Desk) -> None:
    """Pins that every instruction comes exactly once over the pages, the last of which brings to the head."""
    desk.bar(2, F="0.01")
    orders = [*submitted(desk, 1_000), *submitted(desk, 1_000), *submitted(desk, 7)]
    desk.cancel(orders[3][0])
    pages: list[orders_pb2.WatchOrdersResponse] = []
    found, after = [], 0
    while not pages or pages[-1].is_cut:
        pages.append(watch(desk, after))
        found += told(pages[-1])
        after = pages[-1].sequence
    assert ([1_000, 1_000, 7], desk.book.sequence) == ([len(page.instructions) for page in pages], after)
    names = [order.client_order_id for order, _ in orders]
    assert [f"send {name}" for name in names if name != names[3]] == found[:-1]
    assert f"cancel {names[3]}" == found[-1]


@pytest.mark.parametrize("before", [INSTRUCTIONS_MAX - 2, INSTRUCTIONS_MAX - 1, INSTRUCTIONS_MAX])
def test_two_instructions_of_one_order_are_not_torn_apart(desk: Desk, before: int) -> None:
    """Pins that a cut between sending an order and replacing it loses neither."""
    desk.bar(2, F="0.01")
    orders = submitted(desk, before)
    ((last, _),) = submitted(desk, 1)
    desk.replace(desk.replacement(last, "2"))
    first = watch(desk)
    rest = watch(desk, first.sequence) if first.is_cut else None
    found = told(first) + (told(rest) if rest is not None else [])
    names = [order.client_order_id for order, _ in orders]
    name = last.client_order_id
    assert [*(f"send {n}" for n in names), f"send {name}", f"replace {name}"] == found
    assert len(first.instructions) <= INSTRUCTIONS_MAX


@pytest.mark.parametrize("level", [common_pb2.HALT_LEVEL_REDUCE_ONLY, common_pb2.HALT_LEVEL_HALTED])
def test_nobody_is_told_to_replace_an_order_in_a_halt(desk: Desk, level: common_pb2.HaltLevel.ValueType) -> None:
    """Pins that a halt outlasts its own cancels: what was accepted before is not sent on before the reset."""
    ((order, order_id),) = submitted(desk, 1)
    desk.report(desk.execution(order_id, NEW))
    desk.replace(desk.replacement(order, "2"))
    desk.halt(instrument_scope("F"), level)
    if level == common_pb2.HALT_LEVEL_HALTED:
        assert ["cancel o1"] == told(watch(desk))
        desk.report(desk.execution(order_id, CANCEL_REJECTED))
    assert [] == told(watch(desk)) == told(watch(desk.restarted()))


@pytest.mark.parametrize(("quantity", "expected"), [("60", ["replace"]), ("61", [])])
@pytest.mark.parametrize("claimed", [False, True])
def test_a_replacement_that_only_reduces_is_passed_on_in_reduce_only(
    desk: Desk, quantity: str, expected: list[str], *, claimed: bool
) -> None:
    """Pins the way out: beside another sell of 40 at the broker, 60 of 100 held may be sold and no more."""
    desk.hold("margin", "100", "100")
    orders = [desk.order("margin", SELL, "40", "A") for _ in range(2)]
    for order in orders:
        order_id = desk.submit(order).order_id
        if claimed:
            desk.claim(order_id)
        desk.report(desk.execution(order_id, NEW))
    desk.replace(desk.replacement(orders[0], quantity))
    desk.halt(level=common_pb2.HALT_LEVEL_REDUCE_ONLY)
    assert expected == [word.split()[0] for word in told(watch(desk))]
