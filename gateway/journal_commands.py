"""``tidegate journal``: verify, export and replay a journal, beside whoever writes it."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO, TypeVar

import typer
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.terminal import REFUSED, fail
from tidegate.errors import TidegateError
from tidegate.journal.contract import BEGINNING, Head, Reader
from tidegate.journal.location import Location, located, open_reader
from tidegate.journal.reading import events_of, verified, with_keys_checked
from tidegate.journal.segments import open_whole
from tidegate.v1 import journal_pb2

T = TypeVar("T")

DEFAULT_JOURNAL = "var/journal.db"

journal_app = typer.Typer(no_args_is_help=True, help="Look at a journal beside its gate; only archive changes it.")

Journal = Annotated[str, typer.Option(help="The journal's file, or its postgresql:// URL.")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
ArchiveFolder = Annotated[
    Path | None, typer.Option("--archive", help="What has left the journal, if it is not where the journal says.")
]


def journal_at(text: str) -> Location:
    """Read where a journal is; what cannot be read ends the command."""
    try:
        return located(text)
    except TidegateError as error:
        fail(str(error))


@journal_app.command()
def head(*, journal: Journal = DEFAULT_JOURNAL) -> None:
    """Print where the journal ends, as SEQUENCE:HASH: kept elsewhere, it proves what was there. Nothing is verified."""
    try:
        found = open_reader(journal_at(journal)).head()
    except TidegateError as error:
        fail(str(error))
    typer.echo(_shown(found))


@journal_app.command()
def verify(
    *,
    journal: Journal = DEFAULT_JOURNAL,
    anchor: Annotated[list[str] | None, typer.Option(help="A head kept elsewhere; may be given again.")] = None,
    archive: ArchiveFolder = None,
) -> None:
    """
    Recompute the hash chain from the first event, read every event, and hold the store's indexes against them.

    Exit code 1: it is not as it was recorded; the line says which event breaks, and what to do.
    """
    anchors = dict(map(_anchor, anchor or []))
    with _reading(journal, archive) as reader:
        reader.check()
        found, batches, epoch = BEGINNING, 0, 0
        read = with_keys_checked(reader, verified(reader))
        for batch in _watched(read, reader.head().sequence, "verifying", lambda batch: len(batch.events)):
            found = Head(batch.last_sequence, batch.hash)
            batches += 1
            epoch = batch.epoch
            if anchors.pop(found.sequence, found.hash) != found.hash:
                fail(f"{reader.name}: event {found.sequence} has the hash {found.hash.hex()}, not that of the anchor")
    if anchors:
        fail(
            f"{reader.name}: no batch ends with event {min(anchors)}: the anchor's events are gone, or never were here"
        )
    typer.echo(
        f"{reader.name}: {found.sequence:,} events in {batches:,} batches, epoch {epoch:,}; the chain is unbroken"
    )
    typer.echo(f"head {_shown(found)}")


@journal_app.command()
def export(
    *,
    journal: Journal = DEFAULT_JOURNAL,
    begin: Annotated[int, typer.Option("--from", min=1, help="The first event.")] = 1,
    until: Annotated[int | None, typer.Option(help="The last event; all by default.")] = None,
    output: Annotated[Path | None, typer.Option(help="The file to write; standard output by default.")] = None,
    archive: ArchiveFolder = None,
) -> None:
    """Write events as JSON Lines, one a line, verified on the way; each batch's last one carries the chain's hash."""
    from tidegate.journal.exporting import lines  # noqa: PLC0415 -- only here

    with _reading(journal, archive) as reader:
        _check_there(reader, until)
        with _written(output) as file:
            for line in lines(reader, begin, until):
                file.write(f"{line}\n")


@journal_app.command()
def replay(
    *,
    journal: Journal = DEFAULT_JOURNAL,
    until: int | None = None,
    archive: ArchiveFolder = None,
    as_text: AsJson = False,
) -> None:
    """Print the state after an event, or now: positions, cash, orders, halts, limits."""
    from tidegate.journal.states import digest  # noqa: PLC0415 -- the engine: the other commands need none

    state = _state(journal, until, archive)
    if as_text:
        typer.echo(json.dumps(state, indent=2, ensure_ascii=False))
    else:
        typer.echo(yaml.safe_dump(state, sort_keys=False, allow_unicode=True) + f"digest: {digest(state)}")


@journal_app.command()
def diff(  # noqa: PLR0913 -- each is an option of the command
    sequence: Annotated[int, typer.Argument(help="After which event.")],
    other_sequence: Annotated[int | None, typer.Argument(help="And after which other one.")] = None,
    *,
    journal: Journal = DEFAULT_JOURNAL,
    other: Annotated[str, typer.Option(help="Another journal, instead of the same.")] = "",
    archive: ArchiveFolder = None,
    as_text: AsJson = False,
) -> None:
    """
    Print in what two states differ: of one journal after two events, or of two journals after the same.

    Exit code 1: they differ.
    """
    from tidegate.journal.states import differences  # noqa: PLC0415 -- the engine

    if not other and other_sequence is None:
        fail("give a second event, or --other JOURNAL")
    one = _state(journal, sequence, archive)
    second = sequence if other_sequence is None else other_sequence
    two = _state(other, second, None) if other else _state(journal, second, archive)
    found = [{"path": path, "one": before, "other": after} for path, before, after in differences(one, two)]
    if as_text:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        for place in found:
            typer.echo(f"{place['path']}: {_shown_value(place['one'])} -> {_shown_value(place['other'])}")
    if found:
        raise typer.Exit(REFUSED)


@contextmanager
def _reading(journal: str, archive: Path | None) -> Iterator[Reader]:
    try:
        yield open_whole(open_reader(journal_at(journal)), archive)
    except TidegateError as error:
        fail(str(error))


def _state(journal: str, until: int | None, archive: Path | None) -> dict[str, Any]:
    from tidegate.journal.states import fold, state_of  # noqa: PLC0415 -- the engine: the other commands need none

    with _reading(journal, archive) as reader:
        _check_there(reader, until)
        return state_of(fold(_read(reader, until)))


def _check_there(reader: Reader, until: int | None) -> None:
    newest = reader.head().sequence
    if until is not None and not 1 <= until <= newest:
        fail(f"{reader.name}: there is no event {until}; the journal has {newest:,}")


def _read(reader: Reader, until: int | None) -> Iterator[journal_pb2.Event]:
    total = reader.head().sequence if until is None else until
    return _watched(events_of(reader, until), total, "replaying", lambda _event: 1)


def _watched(things: Iterable[T], total: int, what: str, size: Callable[[T], int]) -> Iterator[T]:
    """Show how far the reading is, on the terminal only, and gone when it ends."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    watched = sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not watched) as progress:
        task = progress.add_task("", total=total)
        for thing in things:
            yield thing
            progress.advance(task, size(thing))


@contextmanager
def _written(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        try:
            yield sys.stdout
            sys.stdout.flush()
        except BrokenPipeError:
            raise  # whoever reads has enough
        except OSError as error:
            fail(f"standard output: {error.strerror}; what was written is not whole")
        return
    try:
        with output.open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        fail(f"{output}: {error.strerror}")


def _anchor(text: str) -> tuple[int, bytes]:
    """Read a head as ``tidegate journal head`` prints it."""
    sequence, _, hash_ = text.partition(":")
    try:
        return int(sequence), bytes.fromhex(hash_)
    except ValueError:
        fail(f"{text} is no head: give SEQUENCE:HASH, as `tidegate journal head` prints it")


def _shown(place: Head) -> str:
    return f"{place.sequence}:{place.hash.hex()}"


def _shown_value(value: object) -> str:
    return value if isinstance(value, str) else "nothing" if value is None else json.dumps(value, ensure_ascii=False)
