"""``tidegate journal snapshot``: the state after the last event, so that the next start folds only what follows."""

import time
from typing import Annotated

import typer

from gateway.journal_commands import DEFAULT_JOURNAL, ArchiveFolder, Journal, journal_at
from gateway.terminal import fail
from tidegate.errors import TidegateError
from tidegate.journal.location import open_reader
from tidegate.journal.recorded import RecordedJournal
from tidegate.journal.segments import open_whole


def snapshot(
    *,
    journal: Journal = DEFAULT_JOURNAL,
    anew: Annotated[bool, typer.Option("--anew", help="From the first event, not from the last snapshot.")] = False,
    archive: ArchiveFolder = None,
) -> None:
    """Take a snapshot, beside a gate at work or of a journal at rest. The hash chain is verified on the way."""
    from tidegate.state.recovery import take_snapshot  # noqa: PLC0415 -- the engine: the other commands need none

    began = time.monotonic()
    try:
        reader = open_whole(open_reader(journal_at(journal)), archive)
        taken = take_snapshot(RecordedJournal(reader), anew=anew)
    except TidegateError as error:
        fail(str(error))
    if taken is None:
        typer.echo(f"{reader.name}: nothing was recorded since the last snapshot")
        return
    elapsed_s = time.monotonic() - began
    typer.echo(f"snapshot after event {taken.sequence:,} of {reader.name}, in {elapsed_s:.1f} s")
