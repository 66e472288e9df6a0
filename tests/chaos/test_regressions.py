"""What the simulation and the runs with real processes found, once and for all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.message import Message

from chaos.simulation.history import CONFIGURATION
from tidegate.errors import CommitFailedError, EpochFencedError
from tidegate.gate import Gate, Request
from tidegate.journal.sqlite import SqliteJournal
from tidegate.v1 import admin_pb2, risk_pb2

HALT = admin_pb2.HaltRequest(operator="ann", reason="a drill")
RESET = admin_pb2.ResetHaltRequest(
    operator="ann", reason="it is over", high_water_mark=admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def replaced(path: Path) -> Iterator[Gate]:
    """Keep a gate that halted, and in whose place another one has reset that."""
    old = opened(path)
    send(old, "Halt", HALT)
    new = opened(path)
    send(new, "ResetHalt", RESET)
    yield old
    old.journal.close()
    new.journal.close()


def opened(path: Path) -> Gate:
    gate = Gate(SqliteJournal(path), lambda _command, _newest_ns: 1)
    gate.start(CONFIGURATION)
    return gate


def send(gate: Gate, method: str, message: Message) -> None:
    (reply,) = gate.process([Request(method, message.SerializeToString())]).replies
    assert not reply.reason, reply


@pytest.mark.control("one-writer")
def test_a_gate_that_was_replaced_does_not_confirm_a_halt_that_is_reset(replaced: Gate) -> None:
    """Found by the simulation: it said "halted already" from memory, wrote nothing, and was not fenced."""
    with pytest.raises(EpochFencedError):
        send(replaced, "Halt", HALT)


@pytest.mark.control("one-writer")
def test_a_gate_that_was_replaced_does_not_answer_reads(replaced: Gate) -> None:
    """Found by the simulation: it went on to show a state that was over."""
    with pytest.raises(EpochFencedError):
        send(replaced, "GetRiskMetrics", risk_pb2.GetRiskMetricsRequest())


@pytest.mark.control("one-writer")
def test_a_writer_that_was_replaced_knows_it_without_writing(path: Path) -> None:
    """It asks the journal; a journal that does not answer fences as well."""
    old = SqliteJournal(path)
    old.confirm()
    new = SqliteJournal(path)
    with pytest.raises(EpochFencedError, match="epoch 1 was fenced by epoch 2"):
        old.confirm()
    new.confirm()
    new.close()
    with pytest.raises(CommitFailedError, match="cannot tell whether another writer has taken over"):
        new.confirm()
    old.close()
