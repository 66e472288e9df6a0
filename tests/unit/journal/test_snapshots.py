"""Snapshots in a folder: each whole under its name, or not there."""

from pathlib import Path

import pytest

from tidegate.errors import JournalError
from tidegate.journal.contract import Head, Journal
from tidegate.journal.snapshot_folder import SnapshotFolder
from tidegate.journal.snapshots import Snapshot

SNAPSHOT = Snapshot(Head(7, bytes(range(32))), "v1", b"a state\nof two lines")


def test_a_snapshot_comes_back_as_it_was() -> None:
    """Pins the place, the version and the state."""
    assert SNAPSHOT == Snapshot.from_bytes(SNAPSHOT.to_bytes())


def test_every_damage_to_a_snapshot_is_found() -> None:
    """Pins that no byte of it can be changed or left out."""
    body = SNAPSHOT.to_bytes()
    for place in range(len(body)):
        for damaged in (body[:place], body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]):
            with pytest.raises(JournalError):
                Snapshot.from_bytes(damaged)


def test_the_newest_are_kept(journal: Journal) -> None:
    """Pins, in both stores, their order, that the older ones go, and that there are none at first."""
    assert [] == journal.snapshots.sequences()
    for sequence in (5, 30, 200):
        journal.snapshots.save(sequence, b"%d" % sequence)
    assert [200, 30] == journal.snapshots.sequences()
    assert [b"200", b"30"] == [journal.snapshots.load(sequence) for sequence in journal.snapshots.sequences()]
    journal.snapshots.save(200, bytes(10_000))
    assert bytes(10_000) == journal.snapshots.load(200)
    with pytest.raises(JournalError, match=r"cannot read the snapshot|there is no snapshot 5"):
        journal.snapshots.load(5)


def test_what_another_process_left_unfinished_is_never_read(tmp_path: Path) -> None:
    """Pins that it is no snapshot, and goes with the next one."""
    folder = SnapshotFolder(tmp_path / "journal.db")
    folder.save(5, b"whole")
    left_behind = tmp_path / "journal.db.snapshots" / "0000000000000000009.77.unfinished"
    left_behind.write_bytes(b"ha")
    assert [5] == folder.sequences()
    folder.save(9, b"whole too")
    assert ([9, 5], False) == (folder.sequences(), left_behind.exists())


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """Pins one clear error; a file stands in the folder's place."""
    (tmp_path / "journal.db.snapshots").write_bytes(b"")
    with pytest.raises(JournalError, match="cannot write the snapshot"):
        SnapshotFolder(tmp_path / "journal.db").save(1, b"")
    with pytest.raises(JournalError, match=r"journal\.db\.snapshots: cannot read the snapshots: Not a directory"):
        SnapshotFolder(tmp_path / "journal.db").sequences()
