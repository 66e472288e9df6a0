"""Journals that earlier versions recorded: this version comes to the same states, and goes on from them."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from tests.journals.days import every_rule
from tests.journals.record import EVERY_KIND, HERE, record
from tidegate.clocks import bar_clock
from tidegate.gate import Gate
from tidegate.journal.contract import Head
from tidegate.journal.reading import events_of, verify
from tidegate.journal.sqlite import SqliteJournal
from tidegate.journal.sqlite_reader import SqliteReader
from tidegate.journal.states import digest, fold, state_of

RECORDED = sorted(HERE.glob("*/*.db"))


@pytest.fixture(params=RECORDED, ids=[f"{path.parent.name} {path.stem}" for path in RECORDED])
def recorded(request: pytest.FixtureRequest) -> Path:
    """Name one of the recorded journals."""
    path: Path = request.param
    return path


@pytest.fixture
def copy(recorded: Path, tmp_path: Path) -> Path:
    """Copy it, for even a reader leaves SQLite's own files beside one."""
    shutil.copy(recorded, tmp_path)
    return tmp_path / recorded.name


@pytest.mark.control("continuity", "records")
def test_a_recorded_journal_adds_up_to_the_recorded_state(recorded: Path, copy: Path) -> None:
    """Pins bytes, chain and state, section by section; sections that a later version added are its own."""
    expected = json.loads(recorded.with_suffix(".json").read_text(encoding="utf-8"))
    reader = SqliteReader(copy)
    assert Head(expected["sequence"], bytes.fromhex(expected["hash"])) == verify(reader)
    found = state_of(fold(events_of(reader)))
    assert expected["state"] == {section: found[section] for section in expected["state"]}
    assert expected["digest"] == digest({section: found[section] for section in expected["state"]})


@pytest.mark.control("continuity")
def test_a_gate_goes_on_from_a_recorded_journal(copy: Path) -> None:
    """Pins that this version not only reads it, but starts on it, with its configuration, and writes on."""
    before = fold(events_of(SqliteReader(copy)))
    assert before.configuration is not None
    gate = Gate(SqliteJournal(copy), bar_clock)
    with closing(gate.journal):
        gate.start(before.configuration)
        written = [event.WhichOneof("body") for event in gate.journal.read(before.sequence)]
        assert (["gate_started"] if before.configuration.reduce_only_after_restart else []) == written
        assert state_of(fold(events_of(SqliteReader(copy)))) == state_of(gate.engine.book)
        assert gate.journal.head() == gate.journal.verify()


def test_every_kind_of_event_is_recorded(tmp_path: Path) -> None:
    """Pins that a new kind has its place in a recorded day and in the newest version's journals."""
    newest = max(RECORDED, key=lambda path: [int(part) for part in path.parent.name.split(".")]).parent
    copied = shutil.copytree(newest, tmp_path / newest.name)
    kinds = {event.WhichOneof("body") for path in copied.glob("*.db") for event in events_of(SqliteReader(path))}
    assert EVERY_KIND == kinds
    assert EVERY_KIND == record(tmp_path / "new")


def test_the_same_day_recorded_again_is_the_same_to_the_byte(tmp_path: Path) -> None:
    """Pins that a recording has nothing of its moment in it."""
    heads = []
    for name in ("one", "two"):
        every_rule(tmp_path / f"{name}.db")
        heads.append(SqliteReader(tmp_path / f"{name}.db").head())
    assert heads[0] == heads[1]
