"""``tidegate explain``: why an order was decided as it was, from a journal's file or through a gateway."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from gateway.client import Client
from gateway.journal_commands import DEFAULT_JOURNAL, ArchiveFolder
from gateway.terminal import REFUSED, connected, fail
from tidegate.errors import RefusedError, TidegateError
from tidegate.journal.location import located, open_reader
from tidegate.journal.reading import events_of
from tidegate.journal.segments import open_whole
from tidegate.v1 import admin_pb2, journal_pb2

_PAGE_EVENTS = 2_000
# So that nothing is wrapped where nobody watches.
_WIDTH = 160


class Source(NamedTuple):
    """A journal to read: how long it is, its events, and what stands for their being as they were recorded."""

    events: Iterable[journal_pb2.Event]
    head_sequence: int
    proof: str


def explain_order(  # noqa: PLR0913 -- each is an option of the command
    context: typer.Context,
    order_id: Annotated[str, typer.Argument(help="The order's id, or the number of a refusal's event.")] = "",
    *,
    strategy: Annotated[str, typer.Option(help="Instead of the id: the order's strategy, and")] = "",
    client_order_id: Annotated[str, typer.Option(help="its sender's own id.")] = "",
    journal: Annotated[str, typer.Option(help="The journal's file, or its postgresql:// URL.")] = DEFAULT_JOURNAL,
    archive: ArchiveFolder = None,
    address: Annotated[str, typer.Option(help="Ask the gateway that listens here, and read no file.")] = "",
    as_text: Annotated[bool, typer.Option("--json", help="For machines: everything as JSON.")] = False,
) -> None:
    """
    Explain an order: the decision, every check with its figures, the limits in force, and the decision made again.

    Exit code 1: there is no such order, or the decision comes out differently now.
    """
    from gateway.explanations import as_json, show_explanation  # noqa: PLC0415 -- numpy: the other commands need none
    from tidegate.explanation import Wanted, explain  # noqa: PLC0415

    if bool(order_id) == bool(strategy or client_order_id) or bool(strategy) != bool(client_order_id):
        fail("give the order's id, or both --strategy and --client-order-id")
    if order_id and not order_id.isdecimal():
        fail(f"{order_id} is no order id: give its number, or --strategy and --client-order-id")
    wanted = Wanted(order_id.lstrip("0") or order_id, strategy, client_order_id)
    try:
        with _opened(context, journal, archive, address) as source:
            explanation = explain(_with_progress(source), wanted)
    except RefusedError as refusal:
        fail(f"{refusal.reason}: {refusal.text}")
    except TidegateError as error:
        fail(str(error))
    if as_text:
        typer.echo(json.dumps(as_json(explanation, source.proof), indent=2))
    else:
        console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
        show_explanation(explanation, source.proof, console)
    if explanation.differences:
        raise typer.Exit(REFUSED)


@contextmanager
def _opened(context: typer.Context, journal: str, archive: Path | None, address: str) -> Iterator[Source]:
    if not address:
        reader = open_whole(open_reader(located(journal)), archive)
        proof = f"{reader.name}: its hash chain holds as far as it was read"
        yield Source(events_of(reader), reader.head().sequence, proof)
        return
    with connected(context, address) as client:
        head = client.admin.ReadJournal(admin_pb2.ReadJournalRequest(page_size=1))
        proof = (
            f"the gateway at {address}, whose journal of {head.head_sequence:,} events has the hash "
            f"{head.head_hash.hex()}; only its file can be verified"
        )
        yield Source(_pages(client, head.head_sequence), head.head_sequence, proof)


def _pages(client: Client, head_sequence: int) -> Iterator[journal_pb2.Event]:
    after = 0
    while after < head_sequence:
        page = client.admin.ReadJournal(admin_pb2.ReadJournalRequest(after_sequence=after, page_size=_PAGE_EVENTS))
        yield from map(journal_pb2.Event.FromString, page.events)
        after = page.next_after_sequence


def _with_progress(source: Source) -> Iterator[journal_pb2.Event]:
    """Show how far the reading is, on the terminal only, and gone when it ends."""
    columns = (TextColumn("reading the journal"), BarColumn(), MofNCompleteColumn())
    watched = sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not watched) as progress:
        task = progress.add_task("", total=source.head_sequence)
        for event in source.events:
            progress.advance(task)
            yield event
