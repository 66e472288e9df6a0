"""``python -m bench.recovery``: how long a start takes with a journal behind it, with a snapshot and without."""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from actors.garbage import collect_rarely
from bench import flow
from bench.errors import BenchError
from tidegate.gate import Gate, Request
from tidegate.journal.recorded import RecordedJournal
from tidegate.journal.sqlite import SqliteJournal
from tidegate.journal.sqlite_reader import SqliteReader
from tidegate.state.recovery import take_snapshot
from tidegate.v1 import orders_pb2

_BATCH = 250
_MILLION = 1_000_000


class Figures(NamedTuple):
    """
    Seconds of each way to start, and to take the snapshot; tail: how many events followed it.

    whole_cpu_s: of the first, what the process itself took: all of it on a machine that does nothing else.
    """

    events: int
    whole_s: float
    whole_cpu_s: float
    snapshot_s: float
    tail: int
    resumed_s: float
    snapshot_bytes: int

    def lines(self) -> list[str]:
        """Write them for people."""
        rate, per_million = self.events / self.whole_s, self.whole_s / self.events * _MILLION
        cpu = self.whole_cpu_s / self.events * _MILLION
        return [
            f"{self.events:,} events, every order filled, {self.snapshot_bytes:,} bytes a snapshot",
            f"from every event  {self.whole_s:.2f} s, {rate:,.0f} events/s",
            f"a million events  {per_million:.1f} s, of which this process was at work {cpu:.1f} s",
            f"from a snapshot   {self.resumed_s:.2f} s with {self.tail:,} events after it, whatever is before it",
            f"a snapshot        {self.snapshot_s:.2f} s for its process, beside the gate",
        ]


def measure(events: int, folder: Path) -> Figures:
    """
    Record so many events by a real gate, then start on them.

    Raises:
        BenchError: an order was refused, or two starts do not agree.
    """
    path = folder / "recovery.db"
    gate = _open(path)
    numbers = iter(range(events))
    _record(gate, numbers, events * 9 // 10)
    began = time.perf_counter()
    taken = take_snapshot(RecordedJournal(SqliteReader(path)))
    snapshot_s = time.perf_counter() - began
    _record(gate, numbers, events)
    gate.journal.close()
    collect_rarely()
    begun_cpu = time.process_time()
    whole_s, whole = _start(path, whole=True)
    whole_cpu_s = time.process_time() - begun_cpu
    resumed_s, resumed = _start(path, whole=False)
    if taken is None or resumed.recovery.head != taken or whole.engine.book.equity != resumed.engine.book.equity:
        message = "the start from the snapshot did not come to the same book"
        raise BenchError(message)
    size = len(resumed.journal.snapshots.load(taken.sequence))
    count = whole.engine.book.sequence
    return Figures(count, whole_s, whole_cpu_s, snapshot_s, count - taken.sequence, resumed_s, size)


def _open(path: Path) -> Gate:
    gate = Gate(SqliteJournal(path), lambda _command, _newest_ns: time.time_ns())
    gate.start(flow.portfolio().to_wire())
    gate.process([Request("PublishPrices", flow.prices().SerializeToString())])
    return gate


def _start(path: Path, *, whole: bool) -> tuple[float, Gate]:
    gate = Gate(SqliteJournal(path), lambda _command, _newest_ns: time.time_ns())
    began = time.perf_counter()
    gate.start(flow.portfolio().to_wire(), whole=whole)
    elapsed_s = time.perf_counter() - began
    gate.journal.close()
    return elapsed_s, gate


def _record(gate: Gate, numbers: Iterator[int], up_to: int) -> None:
    while gate.engine.book.sequence < up_to:
        number = next(numbers)
        (reply,) = gate.process([Request("SubmitOrders", flow.batch("recovery", number, _BATCH))]).replies
        decisions = orders_pb2.SubmitOrdersResponse.FromString(reply.body).decisions
        report = orders_pb2.ReportExecutionsRequest(account="bench", adapter=flow.ADAPTER)
        for decision in decisions:
            if not decision.order_id:
                message = f"an order was refused: {decision.reason}"
                raise BenchError(message)
            report.executions.add(
                execution_id=f"x{decision.order_id}",
                order_id=decision.order_id,
                execution_type=orders_pb2.EXECUTION_TYPE_TRADE,
                last_quantity=decision.approved_quantity,
                last_price=flow.MARK,
            )
        prices = Request("PublishPrices", flow.prices().SerializeToString())
        booked, _ = gate.process([Request("ReportExecutions", report.SerializeToString()), prices]).replies
        if booked.reason:
            message = f"the fills were refused: {booked.reason}: {booked.text}"
            raise BenchError(message)


def main(
    events: Annotated[int, typer.Option(min=10_000, help="How long the journal is.")] = 200_000,
    output: Annotated[Path | None, typer.Option(help="A file for the figures, as JSON.")] = None,
) -> None:
    """Measure how fast a gate comes back on this machine."""
    with tempfile.TemporaryDirectory(prefix="bench-") as own:
        found = measure(events, Path(own))
    typer.echo("\n".join(found.lines()))
    if output is not None:
        output.write_text(json.dumps(found._asdict(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
