"""A short run with real processes: Ray, gRPC and a journal, SIGKILL and SIGSTOP, and the checker at the end."""

import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from chaos.__main__ import repeated
from chaos.schedule import HANG, KILL, PAUSE, SERVER, SESSION, TAKE_OVER, steps
from chaos.stores import OWN_SERVER, SQLITE


@pytest.mark.control("continuity", "one-writer")
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("journal", "minutes"), [("sqlite", "0.2"), pytest.param("postgresql", "1", marks=pytest.mark.long)]
)
def test_a_short_run_with_killed_processes_loses_nothing(tmp_path: Path, journal: str, minutes: str) -> None:
    """Parts of a real run are killed and stopped under load; every client was answered in the end, and truly."""
    options = ["--seed", "5", "--minutes", minutes, "--journal", journal, "--parts-only"]
    ran = subprocess.run(  # noqa: S603 -- this interpreter, our own module
        [sys.executable, "-m", "chaos", *options, "--folder", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert (0, "") == (ran.returncode, ran.stderr), ran.stdout
    figures = re.search(
        r"([\d,]+) kills, ([\d,]+) orders acknowledged \(([\d,]+) accepted\), ([\d,]+) events", ran.stdout
    )
    assert figures is not None, ran.stdout
    kills, answered, accepted, events = (int(figure.replace(",", "")) for figure in figures.groups())
    assert kills >= 2
    assert answered >= accepted >= 100
    assert events > accepted
    assert "\n0 violations\n" in ran.stdout


def test_what_is_printed_draws_the_same_schedule_again_and_shows_no_password() -> None:
    """Pins that what changes the schedule is in the line, beside the seed."""
    assert "--seed 7" == repeated(7, SQLITE, parts_only=False)
    assert "--seed 7 --journal postgresql --parts-only" == repeated(7, OWN_SERVER, parts_only=True)
    assert "--seed 7 --journal URL" == repeated(7, "postgresql://gate:secret@db/gate", parts_only=False)


def test_a_seed_is_one_schedule() -> None:
    """What is done, and when, is drawn from the seed alone; to whole runs as well, unless that is left out."""
    assert list(islice(steps(7), 100)) == list(islice(steps(7), 100)) != list(islice(steps(8), 100))
    done = {(step.action, step.target) for step in islice(steps(7), 1_000)}
    assert {(KILL, "risk manager"), (PAUSE, "risk manager"), (KILL, "adapter"), (TAKE_OVER, "run")} <= done
    assert all(step.target != "run" for step in islice(steps(7, whole_runs=False), 1_000))
    assert not {SERVER, SESSION} & {target for _, target in done}


def test_a_database_and_its_server_die_as_well() -> None:
    """Somebody else's server is left alone; only what is this run's own there ends."""
    done = {(step.action, step.target) for step in islice(steps(7, database=True, server=True), 1_000)}
    assert {(KILL, SERVER), (PAUSE, SERVER), (KILL, SESSION), (HANG, "risk manager")} <= done
    assert SERVER not in {step.target for step in islice(steps(7, database=True), 1_000)}
