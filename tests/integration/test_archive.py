"""An archived journal behind the real gateway, archived by the command line."""

from pathlib import Path

import grpc
import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.status import refusal_of
from gateway.testing import running_gateway
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2


def journal(*words: str) -> tuple[int, str]:
    """Run ``tidegate journal``; return its exit code and what it says."""
    result = CliRunner().invoke(app, ["journal", *words])
    return result.exit_code, result.output


def move(source: Path, target: Path) -> Path:
    """Lay a folder somewhere else."""
    return source.rename(target)


def assert_read_as_one(events: int, *options: str) -> None:
    """Check that every command that reads a journal reads its archive before it."""
    code, said = journal("verify", *options)
    assert (0, True) == (code, f"{events:,} events in " in said), said
    for words in (("replay",), ("diff", "2", "2"), ("export",), ("snapshot", "--anew")):
        assert 0 == journal(*words, *options)[0]
    explained = CliRunner().invoke(app, ["explain", "2", *options])
    assert (1, True) == (explained.exit_code, "hold no decision on order 2" in explained.output), explained.output


@pytest.mark.control("records")
async def test_what_has_left_the_journal_is_named_by_its_place(tmp_path: Path) -> None:
    """Pins the commands, where they look, the code on the wire, and that what follows is read and served as before."""
    folder = str(tmp_path / "archive")
    async with running_gateway() as gateway:
        for price in ("100", "101", "102"):
            await gateway.publish_bar({"AAA": price, "BBB": price})
        before = gateway.events()
        await gateway.stop()
        place = ("--journal", str(gateway.journal))
        assert (1, True) == (
            (refused := journal("archive", folder, "--until", "1", *place))[0],
            "no snapshot" in refused[1],
        )
        refused = journal("verify", "--archive", folder, *place)
        assert (1, True) == (refused[0], "nothing has left it for an archive" in refused[1])
        assert 0 == journal("snapshot", *place)[0]
        code, said = journal("archive", folder, "--until", "1", *place)
        assert (0, f"{folder}: events up to 1; 0 have left {gateway.journal}\n") == (code, said)
        assert_read_as_one(len(before), *place)
        moved = move(Path(folder), tmp_path / "moved")
        for words in (("verify",), ("replay",), ("diff", "2", "2"), ("export",), ("snapshot", "--anew")):
            assert (1, True) == ((alone := journal(*words, *place))[0], "EVENT_ARCHIVED" in alone[1])
        assert 0 == journal("head", *place)[0]
        explained = CliRunner().invoke(app, ["explain", "2", *place])
        assert (1, True) == (explained.exit_code, "EVENT_ARCHIVED" in explained.output), explained.output
        assert_read_as_one(len(before), "--archive", str(moved), *place)
        move(moved, Path(folder))
        await gateway.start()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.client.admin.ReadJournal(admin_pb2.ReadJournalRequest())
        assert Reason.EVENT_ARCHIVED == refusal_of(caught.value).reason
        assert folder in refusal_of(caught.value).text
        answer = await gateway.client.admin.ReadJournal(admin_pb2.ReadJournalRequest(after_sequence=1))
        assert [event.SerializeToString() for event in before[1:]] == list(answer.events)
        await gateway.publish_bar({"AAA": "103", "BBB": "103"})
