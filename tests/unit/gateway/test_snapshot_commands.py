"""``tidegate journal snapshot``, and the process that a gate has snapshots taken by."""

import subprocess
import sys

from typer.testing import CliRunner

from gateway.cli import app
from tests.unit.builders import Desk, configuration
from tidegate.journal.location import Database


def run(*words: str) -> tuple[int, str]:
    """Run the command line; return its exit code and what it says."""
    result = CliRunner().invoke(app, ["journal", "snapshot", *words])
    return result.exit_code, result.output


def test_a_snapshot_is_taken_on_demand_and_from_the_first_event(desk: Desk) -> None:
    """Pins the lines, that nothing new needs no snapshot, and one line for a journal that is not there."""
    code, said = run("--journal", str(desk.path))
    assert (0, True) == (code, said.startswith(f"snapshot after event 2 of {desk.path}, in "))
    assert [2] == desk.gate.journal.snapshots.sequences()
    assert (0, f"{desk.path}: nothing was recorded since the last snapshot\n") == run("--journal", str(desk.path))
    assert run("--journal", str(desk.path), "--anew")[1].startswith("snapshot after event 2 of ")
    assert (1, "nowhere.db: there is no such journal\n") == run("--journal", "nowhere.db")


def test_a_journal_in_postgresql_has_its_snapshots_there(desk: Desk, database: Database) -> None:
    """Pins that the other process gets the URL by its standard input, and the next start goes on from it."""
    server = Desk(desk.path, configuration(), location=database)
    server.bar(1, A="100", B="50", F="20")
    command = [sys.executable, "-m", "tidegate.state"]
    done = subprocess.run(command, check=False, input=database.url, text=True, capture_output=True, timeout=300)  # noqa: S603 -- our own
    assert (0, "2", "") == (done.returncode, done.stdout, done.stderr)
    server.gate.journal.close()
    again = server.restarted()
    assert (2, ()) == (again.gate.recovery.head.sequence, again.gate.recovery.refused)
    again.gate.journal.close()
