"""The codec: exact, deterministic, and closed to what nobody has listed."""

import json
from collections import deque
from dataclasses import dataclass
from decimal import Decimal

import pytest

from tests.unit.builders import BUY, Desk, instrument_scope
from tidegate.errors import StateError
from tidegate.risk.engine import Engine
from tidegate.risk.halts import Pause
from tidegate.risk.scopes import PORTFOLIO, strategy_scope
from tidegate.state import classes, codec
from tidegate.state.engine import read_engine, write_engine
from tidegate.v1 import common_pb2, orders_pb2

VALUES: list[object] = [
    *(None, True, False, 0, -1, 2**63, "", "ä\x00", 0.1, -0.0, 1e-300, b"", b"\x00\xff"),
    *(Decimal("1.50"), Decimal("-0E-8"), Decimal("Infinity"), Decimal("9" * 40)),
    *((), (1, ("a",)), [], [1, [2]], {}, {"b": 1, "a": 2}, {(1, "x"): [], (0, "y"): {}}, {1, 2}, frozenset({"a", "b"})),
    *(deque([1, None], 5), deque(), PORTFOLIO, {strategy_scope("s"): 1}, Pause("ann", "", "lunch")),
    orders_pb2.NewOrder(client_order_id="1", emergency=orders_pb2.EmergencyExit(operator="ann")),
]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_comes_back_as_it_was(value: object) -> None:
    """Pins the type of every part, a Decimal's digits, a dict's order, a deque's bound."""
    body = codec.write(value)
    again = codec.read(body)
    assert (type(value), repr(value), body) == (type(again), repr(again), codec.write(again))
    assert getattr(value, "maxlen", None) == getattr(again, "maxlen", None)


def test_sets_are_written_alike_whatever_their_order() -> None:
    """Pins that a hash that is salted anew in every process shows nowhere."""
    assert codec.write({"b", "a", "c"}) == codec.write({"c", "b", "a"})


def test_what_is_shared_stays_shared() -> None:
    """Pins that two holders of one thing see each other's changes afterwards."""
    marks = {"A": Decimal(1)}
    first, second = codec.read(codec.write([marks, {"inside": marks}]))
    assert first is second["inside"]


@dataclass
class Unlisted:
    """A class that nobody has listed."""

    money: Decimal


@pytest.mark.parametrize("value", [Unlisted(Decimal(1)), common_pb2.Scope(), object(), 1j, len])
def test_what_nobody_has_listed_is_refused(desk: Desk, value: object) -> None:
    """Pins that a new piece of state fails here instead of being forgotten; of classes and of messages."""
    desk.book.marks["A"] = value  # type: ignore[assignment]  # what must not be there
    with pytest.raises(StateError, match="nothing that a state may hold"):
        codec.write(desk.gate.engine)
    desk.book.marks["A"] = Decimal(100)


def test_an_attribute_that_was_not_there_at_first_is_refused(desk: Desk) -> None:
    """Pins that an object is written whole or not at all."""
    if hasattr(desk.book, "__mypyc_attrs__"):
        pytest.skip("compiled classes take no other attributes")
    vars(desk.book)["lately"] = 1
    with pytest.raises(StateError, match="Book with other attributes"):
        codec.write(desk.gate.engine)
    del vars(desk.book)["lately"]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"\xff", b'{"x":1}', b'{"o":["Path","/"]}', b'{"o":["Scope",1]}', b'{"d":"abc"}', b'{"r":7}'),
        *(b'{"p":["tidegate.v1.Halt",""]}', b'{"p":["tidegate.v1.NewOrder","AAAA"]}', b'{"m":[1]}', b'{"q":[1]}'),
        *(b'{"s":[{"l":[]}]}', b'{"d":"1","l":[]}', b'{"b":"a"}', b'{"o":["Pause",1,2,3,4]}'),
    ],
)
def test_bytes_that_are_no_state_are_refused(body: bytes) -> None:
    """Pins that nothing but a StateError comes of damage, and no class but a listed one is ever made."""
    with pytest.raises(StateError, match="this is no state"):
        codec.read(body)


def test_a_state_of_something_else_is_refused(desk: Desk) -> None:
    """Pins that an engine goes on from an engine's state only, and stays as it was otherwise."""
    fresh = Engine(desk.gate.archive)
    before = write_engine(fresh)
    for body in (b"no", write_engine(desk.gate.engine)[:-10]):
        with pytest.raises(StateError):
            read_engine(body, fresh)
    assert before == write_engine(fresh)


def test_an_engine_goes_on_from_a_state(desk: Desk) -> None:
    """Pins that it is another one, that decides and counts as the first."""
    desk.buy("cash", "10")
    desk.halt(instrument_scope("B"))
    resumed = Engine(desk.gate.archive)
    read_engine(write_engine(desk.gate.engine), resumed)
    order = desk.order("cash", BUY, "5", "B")
    first, second = (engine.decide(order, desk.book.time_ns) for engine in (desk.gate.engine, resumed))
    assert first.reply == second.reply
    assert "TRADING_HALTED" == first.reply.reason_code


def test_each_class_has_one_name_and_a_place_of_its_own() -> None:
    """Pins that a name in a snapshot means one class, and what is left out of it exists."""
    assert len(classes.BY_NAME) == len(classes.RECORDS) + len(classes.EMPTY)
    for kind, names in classes.DERIVED.items():
        assert not names & set(classes.ATTRIBUTES[kind.__name__])
        empty = classes.EMPTY[kind]() if kind in classes.EMPTY else kind
        assert all(hasattr(empty, name) for name in names), kind
    json.dumps(classes.ATTRIBUTES)
