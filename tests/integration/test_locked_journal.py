"""A writer that stands still in the middle of a commit keeps SQLite's file: what the next one does, and says."""

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actors.watchdog import SILENT_MAX_S
from gateway.run_lock import say_who_writes
from tidegate.errors import JournalError
from tidegate.journal import sqlite, sqlite_lock
from tidegate.journal.sqlite import SqliteJournal
from tidegate.journal.sqlite_lock import WRITER_ENDS_WITHIN_S, writer_of

# A writer in a process of its own, with the watchdog of an actor or without, in a transaction that it never ends.
_HOLDER = """
    import asyncio, sys
    from pathlib import Path
    import structlog
    from actors.heartbeat import Heartbeat
    from tests.unit.journal.stores import entry
    from tidegate.journal.sqlite import SqliteJournal

    async def hold():
        journal = SqliteJournal(Path(sys.argv[1]))
        journal.append([entry(1)])
        journal._db.execute("BEGIN IMMEDIATE")
        journal._db.execute("DELETE FROM events")
        if sys.argv[2] == "watched":
            heartbeat = Heartbeat(lambda: True, structlog.get_logger())
            await asyncio.sleep(0.3)
        print("holding", flush=True)
        await asyncio.sleep(600)

    asyncio.run(hold())
"""
Holder = Callable[[str], int]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a journal that the holder begins."""
    return tmp_path / "journal.db"


@pytest.fixture
def hold(path: Path) -> Iterator[Holder]:
    """Give the test a way to have a process stopped inside a transaction; return its id."""
    held: list[subprocess.Popen[bytes]] = []

    def stop_inside(how: str) -> int:
        process = subprocess.Popen(  # noqa: S603 -- this interpreter, our script
            [sys.executable, "-c", textwrap.dedent(_HOLDER), str(path), how], stdout=subprocess.PIPE
        )
        held.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"holding\n"
        process.send_signal(signal.SIGSTOP)
        return process.pid

    yield stop_inside
    for process in held:
        process.kill()
        process.communicate()


@pytest.mark.control("continuity")
def test_a_start_goes_on_by_itself_when_a_watchdog_has_ended_what_hung(path: Path, hold: Holder) -> None:
    """The wait is longer than the watchdog's; what was not committed is not there, and what was is."""
    assert WRITER_ENDS_WITHIN_S > 2 * SILENT_MAX_S
    pid, said = hold("watched"), list[str]()
    say_who_writes(path, said.append)
    assert [f"{path}: process {pid} holds the journal; waiting up to 15 s for it to let go, or for its watchdog"] == [
        line.removesuffix(" to end it") for line in said
    ]
    began = time.monotonic()
    with closing(SqliteJournal(path)) as journal:
        assert time.monotonic() - began > SILENT_MAX_S - 2
        assert (2, 1) == (journal.epoch, journal.head().sequence)
        assert journal.head() == journal.verify()


def test_a_start_that_waits_in_vain_names_the_process_and_what_to_do(
    path: Path, hold: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a watchdog nobody ends it but a person, who is told which, and how."""
    pid = hold("unwatched")
    monkeypatch.setattr(sqlite, "WRITER_ENDS_WITHIN_S", 0.5)
    monkeypatch.setattr(sqlite_lock, "WRITER_ENDS_WITHIN_S", 0.5)
    with pytest.raises(JournalError) as caught:
        SqliteJournal(path)
    assert (
        f"{path}: cannot open the journal: process {pid} holds it, and has not let go within 0.5 s; if that is an "
        f"earlier run, which hangs or was stopped, end it (kill -9 {pid}), and start again" == str(caught.value)
    )
    subprocess.run(["kill", "-9", str(pid)], check=True)  # noqa: S603, S607 -- what the line says
    while writer_of(path):
        time.sleep(0.01)
    SqliteJournal(path).close()
    said: list[str] = []
    say_who_writes(path, said.append)
    assert [] == said
