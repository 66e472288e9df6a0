"""The engine by itself: from request bytes to decision and event bytes, with all checks, on one thread."""

import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import NamedTuple

from google.protobuf.message import Message

from actors.garbage import collect_rarely
from bench import flow
from bench.errors import BenchError
from tidegate.gate import Gate, Reply, Request
from tidegate.journal.contract import HASH_OF_NOTHING, NOTHING_ARCHIVED, Archived, Entry, Head, Journal, Snapshots
from tidegate.journal.snapshot_folder import SnapshotFolder
from tidegate.journal.sqlite import SqliteJournal
from tidegate.portfolio_file import PortfolioFile
from tidegate.risk.draft import Key
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2, portfolio_pb2

BATCH = 500
_MANY_SYMBOLS = tuple(f"P{number:03}" for number in range(500))
_WARM_UP_BATCHES = 3
# So that a full window of 252 returns lies behind today.
_SESSIONS = 253


class Recorder:
    """
    A journal that takes every event's bytes and keeps none: an instrument, to see the engine without the disk.

    It never saw an id before. received: how many events were handed to it.
    """

    epoch = 1
    snapshots: Snapshots = SnapshotFolder(Path("nowhere"))

    def __init__(self) -> None:
        """Begin empty."""
        self.received = 0

    def head(self) -> Head:
        """Return the beginning."""
        return Head(0, HASH_OF_NOTHING)

    def append(self, entries: Sequence[Entry]) -> Head:
        """Count the events."""
        self.received += sum(1 for entry in entries if entry.body)
        return Head(entries[-1].sequence, HASH_OF_NOTHING)

    def newest_epoch(self) -> int:
        """Return the only epoch."""
        return self.epoch

    def verify(self) -> Head:
        """Return the beginning."""
        return self.head()

    def archived(self) -> Archived:
        """Return that nothing is."""
        return NOTHING_ARCHIVED

    def archive(self, archived: Archived, dropped: Sequence[int]) -> None:
        """Let go of nothing: there is nothing."""

    def holds(self, head: Head) -> bool:
        """Tell whether it is the beginning."""
        return head == self.head()

    def batches(self, after: Head) -> Iterator[tuple[Head, list[journal_pb2.Event]]]:  # noqa: ARG002 -- the contract's
        """Return no batches."""
        return iter(())

    def read(self, after: int, most: int | None = None) -> Iterator[journal_pb2.Event]:  # noqa: ARG002 -- the contract's
        """Return no events."""
        return iter(())

    def read_topic(self, topic: str, after: int, most: int) -> list[journal_pb2.Event]:  # noqa: ARG002 -- the contract's
        """Return no events."""
        return []

    def find_all(self, keys: Collection[Key]) -> dict[Key, journal_pb2.Event]:  # noqa: ARG002 -- the contract's
        """Return nothing."""
        return {}

    def events_of_order(self, order_id: int) -> list[journal_pb2.Event]:  # noqa: ARG002 -- the contract's
        """Return no events."""
        return []

    def confirm(self) -> None:
        """Have no other writer."""

    def checkpoint(self) -> None:
        """Do nothing: there is nothing to tidy up."""

    def close(self) -> None:
        """Let go of nothing."""


class EngineResult(NamedTuple):
    """Medians over the batches by name, in microseconds an order; reply: what a SubmitOrder is answered with."""

    medians_us: dict[str, float]
    reply: bytes


def measure(batches: int, folder: Path) -> EngineResult:
    """
    Measure batches of 500 SubmitOrder requests; what is compared takes turns.

    Raises:
        BenchError: an order was not allowed, or its event did not reach the journal.
    """
    collect_rarely()  # as the RiskManager's process does
    with tempfile.TemporaryDirectory(dir=folder) as own:
        durable = _open(SqliteJournal(Path(own) / "engine.db"), flow.SYMBOLS)
        (with_commit_us,) = _in_turn([durable], batches, flow.SYMBOLS)
        alone_us = median(_process(durable, [flow.single("alone", number)])[0] for number in range(batches))
        durable.journal.close()
    recorder = Recorder()
    bare = _open(recorder, flow.SYMBOLS)
    before = recorder.received
    gates = [bare, _checked(2), _checked(50), _checked(2, history=_SESSIONS)]
    bare_us, checked_us, checked_50_us, at_risk_us = _in_turn(gates, batches, flow.SYMBOLS)
    if recorder.received - before != (batches + _WARM_UP_BATCHES) * BATCH:
        message = f"{recorder.received - before} events reached the journal, not one for each order"
        raise BenchError(message)
    one, many = _open(Recorder(), _MANY_SYMBOLS), _open(Recorder(), _MANY_SYMBOLS)
    _take_positions(one, _MANY_SYMBOLS[:1])
    _take_positions(many, _MANY_SYMBOLS)
    one_us, many_us = _in_turn([one, many], batches, _MANY_SYMBOLS[:1])
    medians_us = {
        "engine_us": bare_us,
        "engine_with_commit_us": with_commit_us,
        "engine_one_order_and_commit_us": alone_us,
        "engine_every_scope_us": checked_us,
        "engine_every_scope_50_strategies_us": checked_50_us,
        "engine_every_scope_and_var_us": at_risk_us,
        "engine_1_position_us": one_us,
        "engine_500_positions_us": many_us,
    }
    return EngineResult(medians_us, _process(bare, [flow.single("reply", 0)])[1][0].body)


def _open(journal: Journal, symbols: Sequence[str]) -> Gate:
    gate = _begin(journal, flow.portfolio(symbols))
    _ask(gate, "PublishPrices", flow.prices(symbols))
    return gate


def _begin(journal: Journal, portfolio: PortfolioFile) -> Gate:
    gate = Gate(journal, lambda _command, _newest_ns: time.time_ns())
    gate.start(portfolio.to_wire())
    return gate


def _checked(strategies: int, history: int = 0) -> Gate:
    """Open a gate with limits of every scope; with a history, one on the value at risk as well."""
    further = flow.limits_of_every_scope(strategies)
    if history:
        further.append({"figure": "value_at_risk", "limit": Decimal("0.9")})
    gate = _begin(Recorder(), flow.portfolio(strategies=strategies, further=further))
    for session in range(history, -1, -1):
        _ask(gate, "PublishPrices", flow.past_prices(session) if session else flow.prices())
    return gate


def _in_turn(gates: Sequence[Gate], batches: int, symbols: Sequence[str]) -> list[float]:
    """Give each gate the same orders, batch by batch, the order of the gates turned round each time."""
    times_us: dict[Gate, list[float]] = {gate: [] for gate in gates}
    for number in range(batches + _WARM_UP_BATCHES):
        bodies = [flow.single("turn", number * BATCH + place, symbols) for place in range(BATCH)]
        for gate in gates if number % 2 else reversed(gates):
            times_us[gate].append(_process(gate, bodies)[0])
    return [median(times_us[gate][_WARM_UP_BATCHES:]) for gate in gates]


def _process(gate: Gate, bodies: Sequence[bytes]) -> tuple[float, list[Reply]]:
    """Have orders decided as one batch; return the microseconds an order, and the replies."""
    requests = [Request("SubmitOrder", body) for body in bodies]
    began = time.perf_counter()
    replies = gate.process(requests).replies
    elapsed_us = (time.perf_counter() - began) * 1e6
    for reply in replies:
        decision = orders_pb2.SubmitOrderResponse.FromString(reply.body).decision
        if decision.action != common_pb2.ACTION_ALLOW:
            message = f"an order was not allowed: {reply.text or decision.reason}"
            raise BenchError(message)
    return elapsed_us / len(bodies), replies


def _take_positions(gate: Gate, symbols: Sequence[str]) -> None:
    """Buy each symbol, and have the orders filled."""
    orders = [flow.order("position", number, symbols=symbols) for number in range(len(symbols))]
    reply = _ask(gate, "SubmitOrders", orders_pb2.SubmitOrdersRequest(orders=orders))
    fills = [
        orders_pb2.Execution(
            execution_id=f"fill-{decision.order_id}",
            execution_type=orders_pb2.EXECUTION_TYPE_TRADE,
            order_id=decision.order_id,
            last_quantity=decision.approved_quantity,
            last_price=flow.MARK,
        )
        for decision in orders_pb2.SubmitOrdersResponse.FromString(reply).decisions
    ]
    _ask(
        gate,
        "ReportExecutions",
        orders_pb2.ReportExecutionsRequest(account="a", adapter=flow.ADAPTER, executions=fills),
    )
    shown = _ask(gate, "GetStrategy", portfolio_pb2.GetStrategyRequest(strategy_id=flow.STRATEGY))
    held = [p for p in portfolio_pb2.GetStrategyResponse.FromString(shown).positions if Decimal(p.quantity)]
    if len(held) != len(symbols):
        message = f"{len(held)} positions are open, not {len(symbols)}"
        raise BenchError(message)


def _ask(gate: Gate, method: str, request: Message) -> bytes:
    (reply,) = gate.process([Request(method, request.SerializeToString())]).replies
    if reply.reason:
        message = f"{method} was refused: {reply.text}"
        raise BenchError(message)
    return reply.body
