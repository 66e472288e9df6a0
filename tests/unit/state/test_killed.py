"""A process that takes a snapshot, killed at every step of it: what another one loads is whole, or the one before."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.builders import Desk
from tidegate.journal.contract import BEGINNING
from tidegate.journal.recorded import RecordedJournal
from tidegate.journal.sqlite_reader import SqliteReader
from tidegate.past import Past
from tidegate.state.differences import state_digest
from tidegate.state.recovery import resume, take_snapshot

# Run in the other process before it begins; each really kills it, there.
DEATHS = {
    "before it writes": "Path.mkdir = die",
    "half written": "signal.signal(signal.SIGXFSZ, signal.SIG_DFL); setrlimit(RLIMIT_FSIZE, (300, 300))",
    "before it is durable": "os.fsync = die",
    "before it has its name": "Path.replace = die",
    "before its name is durable": "calls = iter([os.fsync, die]); os.fsync = lambda file: next(calls)(file)",
    "before the oldest goes": "Path.unlink = die",
}
PROGRAM = """
import os, signal, sys
from resource import RLIMIT_FSIZE, setrlimit
from pathlib import Path
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
from tidegate.state.__main__ import main
{death}
main()
"""


def run(journal: Path, program: str) -> int:
    """Run a program on a journal in a process of its own; return how it ended."""
    command, place = [sys.executable, "-c", program], str(journal)
    done = subprocess.run(command, check=False, input=place, text=True, capture_output=True, timeout=300)  # noqa: S603 -- our own
    return done.returncode


@pytest.mark.control("continuity")
@pytest.mark.parametrize("death", DEATHS)
def test_a_snapshot_that_another_process_died_over_is_never_half_read(desk: Desk, death: str) -> None:
    """Pins that recovery finds nothing to refuse, that the state is the same, and that the next snapshot is taken."""
    file = RecordedJournal(SqliteReader(desk.path))
    for _ in range(3):
        desk.hold("cash", "1", "100")
        before = take_snapshot(file) or BEGINNING
    desk.hold("cash", "1", "100")
    assert -run(desk.path, PROGRAM.format(death=DEATHS[death])) in {signal.SIGKILL, signal.SIGXFSZ}
    resumed = Past()
    head, refused = resume(resumed.engine, file)
    assert ((), True) == (refused, head in {before, desk.gate.journal.head()})
    for _, events in file.batches(head):
        for event in events:
            resumed.engine.apply(event)
    assert state_digest(desk.gate.engine) == state_digest(resumed.engine)
    desk.hold("cash", "1", "100")
    assert 0 == run(desk.path, PROGRAM.format(death=""))
    assert desk.gate.journal.head().sequence == file.snapshots.sequences()[0]


def test_a_journal_that_cannot_be_read_ends_the_process_with_one_line(tmp_path: Path) -> None:
    """Pins what the gate's log says then."""
    command, place = [sys.executable, "-m", "tidegate.state"], str(tmp_path / "journal.db")
    done = subprocess.run(command, check=False, input=place, text=True, capture_output=True, timeout=300)  # noqa: S603 -- our own
    assert (1, "") == (done.returncode, done.stdout)
    assert f"{tmp_path / 'journal.db'}: there is no such journal\n" == done.stderr
