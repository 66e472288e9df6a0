"""``tidegate journal snapshot``: the state after the last event, so that the next start folds only what follows."""

import time
from pathlib import Path
from typing import Annotated

import typer

from gateway.explain_commands import DEFAULT_JOURNAL
from gateway.terminal import fail
from tidegate.errors import JournalError


def snapshot(
    *,
    journal: Annotated[Path, typer.Option(help="The journal's file.")] = DEFAULT_JOURNAL,
    anew: Annotated[bool, typer.Option("--anew", help="From the first event, not from the last snapshot.")] = False,
) -> None:
    """Take a snapshot, beside a gate at work or of a journal at rest. The hash chain is verified on the way."""
    from tidegate.journal.reading import JournalFile  # noqa: PLC0415 -- the engine: the other commands need none
    from tidegate.state.recovery import take_snapshot  # noqa: PLC0415

    began = time.monotonic()
    try:
        taken = take_snapshot(JournalFile(journal), anew=anew)
    except JournalError as error:
        fail(str(error))
    if taken is None:
        typer.echo(f"{journal}: nothing was recorded since the last snapshot")
        return
    elapsed_s = time.monotonic() - began
    typer.echo(f"snapshot after event {taken.sequence:,} of {journal}, in {elapsed_s:.1f} s")
