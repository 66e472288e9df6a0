"""Coming back: what the journal knows of the gate's own ends, and what follows from them."""

from pathlib import Path

import pytest

from actors.in_flight import InFlight
from tests.unit.builders import BUY, Desk, action, bar, configuration
from tidegate.gate import Gate, Request
from tidegate.reasons import Reason
from tidegate.risk.restarts import SUSPECTS_MAX, Restarts, digest_of
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, orders_pb2

KEEP = admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP


def open_desk(folder: Path, *, reduce_only: bool) -> Desk:
    """Open a desk whose instruments have prices."""
    configured = configuration()
    configured.reduce_only_after_restart = reduce_only
    desk = Desk(folder / "journal.db", configured)
    if not desk.book.marks:
        desk.reply("PublishBars", bar(1, A="100"))
    return desk


def submit(order: orders_pb2.NewOrder) -> Request:
    """Write the request that submits an order."""
    return Request("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order).SerializeToString())


class Killed:
    """A gate whose process is killed while it decides."""

    def process(self, requests: object) -> None:
        """Never come back."""
        raise KeyboardInterrupt(requests)


def left_by(desk: Desk, *requests: Request) -> journal_pb2.GateStarted:
    """Return what a process leaves that is killed while it decides these requests."""
    note = InFlight(desk.path.with_suffix(".in_flight"))
    with pytest.raises(KeyboardInterrupt):
        note.process(Killed(), requests)  # type: ignore[arg-type]
    note.close()
    after = InFlight(desk.path.with_suffix(".in_flight"))
    after.close()
    return after.left


def restart(desk: Desk, left: journal_pb2.GateStarted | None = None) -> Desk:
    """Come back from the journal of a desk that was killed."""
    again = Desk.__new__(Desk)
    again.path, again.configured, again.ids = desk.path, desk.configured, desk.ids
    again.gate = Gate(type(desk.gate.journal)(desk.path), desk.gate._clock)  # type: ignore[call-arg]
    again.gate.start(desk.configured, left)
    return again


def test_after_an_unplanned_restart_the_portfolio_only_reduces_until_a_person_resets_it(tmp_path: Path) -> None:
    """Pins the halt, its operator and its reason; a second restart adds nothing to it."""
    desk = restart(restart(open_desk(tmp_path, reduce_only=True)))
    (halt,) = [event.trading_halted for event in desk.events("trading_halted")]
    assert ("tidegate", Reason.UNPLANNED_RESTART) == (halt.operator, halt.reason_code)
    assert common_pb2.HALT_LEVEL_REDUCE_ONLY == halt.level
    assert "REJECT REDUCE_ONLY" == action(desk.submit(desk.order("cash", BUY, "1", "A")))
    desk.reply("ResetHalt", admin_pb2.ResetHaltRequest(operator="ann", reason="looked", high_water_mark=KEEP))
    assert "ALLOW" == action(desk.submit(desk.order("cash", BUY, "1", "A")))


def test_after_a_planned_restart_the_level_is_what_it_was(tmp_path: Path) -> None:
    """Pins that an end in order is on record, also when nothing happened between two of them."""
    desk = open_desk(tmp_path, reduce_only=True)
    for _ in range(2):
        desk.gate.stop()
        desk = restart(desk)
    assert [False, False] == [event.gate_started.is_unplanned for event in desk.events("gate_started")]
    assert "ALLOW" == action(desk.submit(desk.order("cash", BUY, "1", "A")))
    assert [] == restart(desk).events("gate_stopped")[2:]


def test_a_halt_that_stands_is_not_lowered_by_a_restart(tmp_path: Path) -> None:
    """Pins that HALTED stays HALTED, with its own reason."""
    desk = open_desk(tmp_path, reduce_only=True)
    desk.reply("Halt", admin_pb2.HaltRequest(operator="ann", reason="drill"))
    (halt,) = restart(desk).book.halts.values()
    assert (common_pb2.HALT_LEVEL_HALTED, "ann") == (halt.level, halt.operator)


def test_a_portfolio_that_does_not_ask_records_neither_its_stops_nor_its_starts(tmp_path: Path) -> None:
    """Pins as_journaled: a restart adds no event."""
    desk = open_desk(tmp_path, reduce_only=False)
    before = desk.events()
    desk.gate.stop()
    assert before == restart(desk).events()


def test_a_command_in_flight_alone_at_two_ends_is_quarantined(tmp_path: Path) -> None:
    """Pins the two ends, the alert, the refusal for good, and that another order with the same content passes."""
    desk = open_desk(tmp_path, reduce_only=False)
    poison = desk.order("cash", BUY, "1", "A")
    for ends in (1, 2):
        left = left_by(desk, submit(poison))
        assert digest_of("SubmitOrder", submit(poison).body) == left.suspect
        desk = restart(desk, left)
        assert ends - 1 == len(desk.events("alert_raised"))
    for _ in range(2):
        desk = restart(desk)
        (reply,) = desk.gate.process([submit(poison)]).replies
        assert Reason.COMMAND_QUARANTINED == reply.reason
    assert "ALLOW" == action(desk.submit(desk.order("cash", BUY, "1", "A")))


def test_commands_that_were_in_flight_together_are_decided_apart(tmp_path: Path) -> None:
    """Pins that none of them is blamed, that each is decided alone once, and that the replies keep their order."""
    desk = open_desk(tmp_path, reduce_only=False)
    requests = [submit(desk.order("cash", BUY, "1", "A")) for _ in range(3)]
    left = left_by(desk, *requests[:2])
    assert (2, "") == (len(left.in_flight), left.suspect)
    desk = restart(desk, left)
    note = InFlight(tmp_path / "other")
    note._suspects = {command.digest for command in left.in_flight}
    assert [[r] for r in requests[:2]] + [[requests[2]]] == note._apart(requests)
    decided = note.process(desk.gate, requests).replies
    ids = [orders_pb2.SubmitOrderResponse.FromString(reply.body).decision.order_id for reply in decided]
    assert sorted(ids, key=int) == ids
    assert [requests] == note._apart(requests)


@pytest.mark.parametrize("method", ["Halt", "CancelAllOrders", "AdvanceTime", "GetPortfolio"])
def test_what_makes_the_book_smaller_and_what_only_reads_is_never_blamed(tmp_path: Path, method: str) -> None:
    """Pins that two ends in a row cannot take away the way out."""
    assert not left_by(open_desk(tmp_path, reduce_only=False), Request(method, b"")).suspect


def test_the_count_of_suspects_is_bounded() -> None:
    """Pins that the oldest suspect is forgotten, and no quarantined command with it."""
    restarts = Restarts()
    for _ in range(2):
        restarts.count("poison")
    for number in range(SUSPECTS_MAX + 1):
        restarts.count(str(number))
    assert (SUSPECTS_MAX, {"poison"}) == (len(restarts.ends), restarts.quarantined)
