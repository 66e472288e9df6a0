"""The simulation: nothing is found in what we ship, and what is planted is found within a few seeds."""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from chaos.checker import Finding
from chaos.simulation import __main__ as command
from chaos.simulation import memory
from chaos.simulation.history import History, InFile, InMemory
from chaos.simulation.living import live_all
from chaos.simulation.memory import Crash, MemoryJournal, MemoryRecorded
from tests.chaos.doctored import let_zombies_answer
from tidegate.journal.contract import BEGINNING, Entry, Head
from tidegate.risk.draft import Key
from tidegate.risk.engine import Engine
from tidegate.state import recovery
from tidegate.state.engine import write_engine
from tidegate.v1 import journal_pb2

SEEDS = range(1, 151)


@pytest.mark.control("continuity", "one-writer")
def test_nothing_is_found_in_histories_with_faults() -> None:
    """A share of what `make simulate` runs; a seed that fails here fails there."""
    found = {seed: findings for seed in SEEDS if (findings := History(seed, InMemory()).run())}
    assert {} == found


def test_nothing_is_found_in_histories_on_real_files(tmp_path: Path) -> None:
    """The same over SQLite, with writers that die on either side of its commits."""
    found = {
        seed: findings for seed in range(1, 13) if (findings := History(seed, InFile(tmp_path / f"{seed}.db")).run())
    }
    assert {} == found


def test_a_seed_is_one_history(tmp_path: Path) -> None:
    """The same events to the byte and the same answers, twice in memory and once in a file."""
    runs = []
    for store in (InMemory(), InMemory(), InFile(tmp_path / "journal.db")):
        history = History(5, store)
        assert [] == history.run()
        runs.append((store.links(), history.records))
    assert runs[0] == runs[1] == runs[2]
    assert runs[0] != ([], [])


def test_histories_on_several_cores_are_those_of_one(tmp_path: Path) -> None:
    """The same histories in the same order, each with what was found in it."""
    for folder in ("1", "2"):
        (tmp_path / folder).mkdir()
    one, several = (list(live_all(range(1, 31), 20, tmp_path / f"{number}", number)) for number in (1, 2))
    assert one == several
    assert [([], True)] * 30 == [(lived.findings, lived.counted["events"] > 0) for lived in one]


def test_a_writer_may_die_before_and_after_each_of_its_writes() -> None:
    """One history, once for every write in it and for either side of the commit."""
    writes = 0

    def count() -> Crash:
        nonlocal writes
        writes += 1
        return ""

    assert [] == History(11, InMemory(), count).run(80)
    assert writes > 10
    for place in range(writes):
        for crash in memory.CRASHES:
            crashes = chain(repeat("", place), [crash], repeat(""))
            assert [] == History(11, InMemory(), lambda crashes=crashes: next(crashes)).run(80), (place, crash)  # type: ignore[misc]


def promises_within(seeds: range) -> set[str]:
    """Name the promises that a planted fault breaks."""
    return {finding.promise for seed in seeds for finding in History(seed, InMemory()).run()}


def test_a_gate_that_answers_what_it_remembers_after_a_takeover_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zombie that only reads, or says again what it knows, is a zombie."""
    let_zombies_answer(monkeypatch)
    assert {"order in time"} == promises_within(range(1, 101))


def test_a_store_that_loses_a_commit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it said was durable is gone when the next writer comes."""
    append = MemoryJournal.append

    def forget(self: MemoryJournal, entries: Sequence[Entry]) -> Head:
        head = append(self, entries)
        if entries[0].kind == "execution_booked" and len(self._store.links) > 1:
            store = self._store
            lost = store.links.pop()
            del store.entries[-len(lost.events) :]
            store.keys = {key: place for key, place in store.keys.items() if place <= len(store.entries)}
            store.head = self._head = Head(len(store.entries), store.links[-1].hash)
        return head

    monkeypatch.setattr(MemoryJournal, "append", forget)
    assert "acknowledged" in {finding.promise for seed in range(1, 41) for finding in _run_or_end(seed)}


def _run_or_end(seed: int) -> Sequence[Finding]:
    """Run a history whose gates may end for good, for their sequences no longer fit the store's."""
    history = History(seed, InMemory())
    try:
        return history.run()
    except RecursionError:
        return history.findings


def test_a_store_that_forgets_ids_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry becomes a second order, and a repeated report a second fill."""
    append = MemoryJournal.append

    def forget(self: MemoryJournal, entries: Sequence[Entry]) -> Head:
        head = append(self, entries)
        self._store.keys.clear()
        return head

    def nothing(_self: MemoryJournal, _keys: Collection[Key]) -> dict[Key, journal_pb2.Event]:
        return {}

    monkeypatch.setattr(MemoryJournal, "append", forget)
    monkeypatch.setattr(MemoryJournal, "find_all", nothing)
    assert {"every prefix"} == promises_within(range(1, 31))


def test_a_replay_that_leaves_an_event_out_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that starts again without the newest event forgets a halt, or an order."""
    batches = MemoryJournal.batches

    def leave_out(self: MemoryJournal, after: Head) -> Iterator[tuple[Head, list[journal_pb2.Event]]]:
        found = list(batches(self, after))
        yield from found[: max(len(found) - 1, 1)]

    monkeypatch.setattr(MemoryJournal, "batches", leave_out)
    assert "replay" in {finding.promise for seed in range(1, 11) for finding in _run_or_end(seed)}


def test_writers_go_on_from_snapshots_taken_in_the_middle_of_histories(tmp_path: Path) -> None:
    """In memory and over SQLite; what they come to is what a replay of every event comes to."""
    for store in (InMemory, lambda: InFile(tmp_path / "journal.db")):
        history = History(next(seed for seed in SEEDS if resumed(seed)), store())
        assert [] == history.run()
        assert history.resumed


def resumed(seed: int) -> int:
    """Count a seed's writers that went on from a snapshot."""
    history = History(seed, InMemory())
    history.run()
    return history.resumed


def test_a_snapshot_that_forgets_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that comes back from it is another one than a replay of every event."""

    def forget(engine: Engine) -> bytes:
        engine.book.alerts.clear()
        return write_engine(engine)

    monkeypatch.setattr(recovery, "write_engine", forget)
    assert "replay" in promises_within(range(1, 41))


def test_a_snapshot_of_another_place_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies under a journal's snapshots and is none of it costs nothing but time."""
    monkeypatch.setattr(MemoryRecorded, "holds", lambda _self, head: head == BEGINNING)
    assert {(0, ())} == {(resumed(seed), tuple(History(seed, InMemory()).run())) for seed in range(1, 6)}


def test_a_failing_seed_is_printed_and_can_be_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command ends with 1, and says how to run the one history again."""
    monkeypatch.setattr(MemoryJournal, "find_all", lambda _self, _keys: {})
    runner = CliRunner()
    app = Typer()
    app.command()(command.main)
    failed = runner.invoke(app, ["--seed", "1", "--histories", "8"])
    assert 1 == failed.exit_code
    (line,) = [line for line in failed.stdout.splitlines() if line.startswith("again: ")]
    seed = line.split("--seed ")[1].split()[0]
    again = runner.invoke(app, ["--seed", seed, "--histories", "1"])
    assert f"seed {seed}: " in again.stdout
    monkeypatch.undo()
    mended = runner.invoke(app, ["--seed", seed, "--histories", "1"])
    assert 0 == mended.exit_code
    assert "0 with violations" in mended.stdout
