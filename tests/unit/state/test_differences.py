"""What two states differ in, and the digest that tells whether they do."""

from tests.unit.builders import BUY, Desk
from tidegate.risk.book import Book
from tidegate.risk.engine import Engine
from tidegate.state.differences import Difference, differences, state_digest
from tidegate.state.engine import read_engine, write_engine


def copy_of(desk: Desk) -> Engine:
    """Copy a desk's engine."""
    engine = Engine(desk.gate.archive)
    read_engine(write_engine(desk.gate.engine), engine)
    return engine


def test_equal_states_have_one_digest_and_no_difference(desk: Desk) -> None:
    """Pins that a copy is equal."""
    desk.hold("cash", "10", "100")
    copy = copy_of(desk)
    assert [] == differences(desk.book, copy.book)
    assert state_digest(desk.book) == state_digest(copy.book)
    assert state_digest(Book()) != state_digest(copy.book)


def test_each_difference_names_its_place_and_both_figures(desk: Desk) -> None:
    """Pins paths through objects, dicts, lists and messages."""
    before = copy_of(desk)
    order = desk.order("cash", BUY, "10", "A")
    order_id = desk.submit(order).order_id
    desk.price(2, A="101")
    found = {difference.path: difference for difference in differences(before.book, desk.book)}
    assert Difference("marks[A]", "100", "101") == found["marks[A]"]
    position = found["strategies[cash].ledger.positions[A]"]
    assert "-" == position.first
    assert "working_buys: 10" in position.second
    assert f"as awaiting[{order_id}]" == found[f"strategies[cash].orders[{order_id}]"].second
    assert "client_order_id: o1" in found[f"awaiting[{order_id}]"].second
    assert state_digest(before.book) != state_digest(desk.book)


def test_the_order_of_a_dict_is_a_difference(desk: Desk) -> None:
    """Pins it where the oldest comes first."""
    copy = copy_of(desk)
    copy.book.marks["A"] = copy.book.marks.pop("A")
    assert [Difference("marks", "in the order [A] [B] [F]", "in the order [B] [F] [A]")] == differences(
        desk.book, copy.book
    )
