"""``tidegate journal archive``: what lies behind a snapshot leaves the journal for a folder."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from gateway.journal_commands import DEFAULT_JOURNAL, Journal, journal_at
from gateway.run_lock import lock_run, say_who_writes
from gateway.terminal import fail
from tidegate.errors import TidegateError
from tidegate.journal.location import open_journal, open_reader


def archive(
    folder: Annotated[Path, typer.Argument(help="Where the archive is, or begins.", file_okay=False)],
    until: Annotated[int, typer.Option(min=1, help="The last event; a snapshot must lie behind it.")],
    *,
    journal: Journal = DEFAULT_JOURNAL,
) -> None:
    """
    Move events up to one of them into an archive, verified, of a journal that no run uses.

    What carries a sender's id or an order's stays in the journal as well: it is still asked for.
    """
    from tidegate.state.archiving import archive as archive_events  # noqa: PLC0415 -- the engine: few commands need it

    location = journal_at(journal)
    try:
        reader = open_reader(location)
        with closing(lock_run(location)):
            say_who_writes(location, typer.echo)
            with closing(open_journal(location)) as writer:
                archived, left = archive_events(writer, reader, until, folder)
    except TidegateError as error:
        fail(str(error))
    typer.echo(f"{archived.place}: events up to {archived.head.sequence:,}; {left:,} have left {reader.name}")
