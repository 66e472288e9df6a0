"""Figures for Prometheus: what the RiskManager does, counted where it happens or read off the book when asked."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tidegate.v1 import common_pb2

if TYPE_CHECKING:
    from actors.engine_thread import EngineThread
    from tidegate.gate import Gate

_SECONDS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)
_REQUESTS = (1, 2, 5, 10, 20, 50, 100, 200, 512)

COMMIT_SECONDS = Histogram("tidegate_commit_seconds", "One commit of the journal.", buckets=_SECONDS)
BATCH_SECONDS = Histogram("tidegate_batch_seconds", "One batch, from its first check to its commit.", buckets=_SECONDS)
BATCH_REQUESTS = Histogram("tidegate_batch_requests", "Requests in a batch.", buckets=_REQUESTS)


class BookCollector(Collector):
    """What the book says at the moment somebody asks; counters go on over restarts, as the journal does."""

    def __init__(self, gate: "Gate", engine: "EngineThread") -> None:
        """Stand beside a gate and its thread; ``collect`` may run on any thread, for it only reads."""
        self._gate = gate
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """Read the figures off."""
        engine, book = self._gate.engine, self._gate.engine.book
        decisions = CounterMetricFamily(
            "tidegate_decisions", "Decisions on orders since the journal began.", labels=["action", "reason"]
        )
        for (action, reason), count in list(engine.performance.decisions.items()):
            decisions.add_metric([common_pb2.Action.Name(action).removeprefix("ACTION_"), reason], count)
        yield decisions
        halts = GaugeMetricFamily("tidegate_halts", "Scopes that are halted now.", labels=["kind", "level"])
        for halt in list(book.halts.values()):
            kind = common_pb2.ScopeKind.Name(halt.scope.kind).removeprefix("SCOPE_KIND_")
            halts.add_metric([kind, common_pb2.HaltLevel.Name(halt.level).removeprefix("HALT_LEVEL_")], 1)
        yield halts
        yield from _gauges(
            ("tidegate_queue_requests", "Requests that wait for the engine or are in it.", self._engine.waiting),
            ("tidegate_working_orders", "Orders that the broker may still fill.", len(book.orders)),
            ("tidegate_overdue_orders", "Orders on which a report is owed.", len(book.awaiting)),
            ("tidegate_breaches", "Limits that the book is over now.", len(book.breaches)),
            ("tidegate_held_prices", "Instruments whose price waits for confirmation.", len(book.held_prices)),
            ("tidegate_journal_sequence", "Events in the journal.", book.sequence),
            ("tidegate_journal_epoch", "How often the journal was opened to be written.", self._gate.journal.epoch),
        )


def _gauges(*figures: tuple[str, str, float]) -> Iterable[Metric]:
    for name, text, value in figures:
        gauge = GaugeMetricFamily(name, text)
        gauge.add_metric([], value)
        yield gauge
