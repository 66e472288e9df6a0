"""Parts that hang: each is found by its watchdog, ended and replaced, while nothing is answered that is not so."""

import ctypes
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import grpc
import pytest
import ray
from ray.exceptions import RayActorError

from actors.names import ALLOCATOR, NAMESPACE, RISK_MANAGER, gateway_name, strategy_name
from actors.watchdog import SILENT_MAX_S
from gateway.calendars import configuration_of
from gateway.client import new_order
from tests.integration.desk import Desk, events_of, open_desk, write_portfolio
from tests.integration.test_cluster import CALM, ill, kill, process_id
from tests.integration.test_command_line import descendants
from tidegate.clocks import bar_clock
from tidegate.gate import Gate
from tidegate.journal.sqlite import SqliteJournal
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, common_pb2, orders_pb2, risk_pb2

pytestmark = [pytest.mark.usefixtures("ray_cluster"), pytest.mark.timeout(300)]

# A watchdog looks for so long, then Ray needs its time to begin a new process; on a busy machine both take longer.
REPLACED_WITHIN_S = SILENT_MAX_S + 40
_SEIZE, _INTERRUPT = 0x4206, 0x4207


def buy(client_order_id: str) -> orders_pb2.NewOrder:
    """Write a small order."""
    return new_order(
        strategy_id="two", client_order_id=client_order_id, symbol="FLAT", side=common_pb2.SIDE_BUY, quantity="1"
    )


def stop_process(pid: int, _logs: Path) -> None:
    """Stop a whole process; nothing but SIGKILL and SIGCONT reaches it then."""
    os.kill(pid, signal.SIGSTOP)


def stop_engine_thread(_pid: int, logs: Path) -> None:
    """Stop one thread of a process by ptrace, as if it waited for a lock for ever."""
    lines = (logs / "risk_manager.jsonl").read_text(encoding="utf-8").splitlines()
    started = [line for line in map(json.loads, lines) if line["event"] == "started"]
    libc, thread = ctypes.CDLL(None, use_errno=True), started[-1]["engine_thread"]
    if libc.ptrace(_SEIZE, thread, 0, 0) or libc.ptrace(_INTERRUPT, thread, 0, 0):
        pytest.skip(f"this machine lets nobody trace a thread: errno {ctypes.get_errno()}")


def watchdog_of(pid: int) -> int:
    """Find the watchdog that is beside a process."""
    found = [p for p in descendants(pid) if b"watchdog.py" in Path(f"/proc/{p}/cmdline").read_bytes()]
    return found[0] if found else 0


@contextmanager
def replaced(*names: str) -> Iterator[None]:
    """Wait until each of these actors is another process than before."""
    before = {name: process_id(name) for name in names}
    yield
    began = time.monotonic()
    for name, pid in before.items():
        while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8"):
            assert time.monotonic() - began < REPLACED_WITHIN_S, name
            time.sleep(0.1)
        assert pid != process_id(name)


@pytest.mark.control("continuity")
@pytest.mark.parametrize("hang", [stop_process, pytest.param(stop_engine_thread, marks=pytest.mark.long)])
def test_a_risk_manager_that_hangs_is_replaced(tmp_path: Path, hang: Callable[[int, Path], None]) -> None:
    """Whether the whole process stands still or only its engine: an order that was sent meanwhile is decided once."""
    with open_desk(write_portfolio(tmp_path)) as desk:
        desk.replay(0, 3)
        before = process_id(RISK_MANAGER)
        began = time.monotonic()
        hang(before, desk.logs)
        decision = submit_until_answered(desk, "x")
        assert time.monotonic() - began < REPLACED_WITHIN_S
        assert before != process_id(RISK_MANAGER)
        assert decision == desk.client.submit_order(buy("x"))
        desk.replay(3, 6)
    assert 1 == sum(e.order_decided.order.client_order_id == "x" for e in events_of(desk.journal))


def submit_until_answered(desk: Desk, client_order_id: str) -> orders_pb2.Decision:
    """Submit an order as an adapter does: again with the same id, for as long as the answer is "unknown"."""
    while True:
        try:
            request = orders_pb2.SubmitOrderRequest(order=buy(client_order_id))
            return desk.client.orders.SubmitOrder(request, timeout=3).decision
        except grpc.RpcError as error:
            assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}  # noqa: PT017


@pytest.mark.long
def test_a_gateway_an_allocator_and_a_watchdog_that_hang_are_replaced(tmp_path: Path) -> None:
    """All three stopped at once; the run goes on after them."""
    with open_desk(write_portfolio(tmp_path), apart=True) as desk:
        desk.replay(0, 3)
        with replaced(ALLOCATOR, gateway_name("1")):
            dog = watchdog_of(process_id(RISK_MANAGER))
            for pid in (dog, process_id(ALLOCATOR), process_id(gateway_name("1"))):
                stop_process(pid, desk.logs)
        manager = process_id(RISK_MANAGER)
        while watchdog_of(manager) in (0, dog):
            time.sleep(0.1)
        desk.replay(3, 6)


@pytest.mark.control("continuity")
@pytest.mark.long
def test_a_strategy_that_stands_still_is_paused_alone(tmp_path: Path) -> None:
    """Its process is stopped, not only its code: the bar's deadline ends it all the same."""
    with open_desk(write_portfolio(tmp_path, [CALM, ill("Hanging")], bar_deadline_s=1.0)) as desk:
        before = process_id(strategy_name("ill"))
        stop_process(before, desk.logs)
        desk.replay(0, 4)
        strategies = desk.strategies()
        assert before != process_id(strategy_name("ill"))
    assert (True, False) == (strategies["ill"].paused, strategies["calm"].paused)


@pytest.mark.control("continuity")
@pytest.mark.long
def test_after_an_unplanned_restart_only_reducing_passes_until_somebody_has_looked(tmp_path: Path) -> None:
    """As the portfolio file asks; a planned one changes nothing, and the person and the reason are on record."""
    path = write_portfolio(tmp_path, after_restart="reduce_only")
    with open_desk(path) as desk:
        desk.replay(0, 3)
    with open_desk(path) as desk:
        assert common_pb2.ACTION_ALLOW == desk.client.submit_order(buy("planned")).action
        kill(RISK_MANAGER)
        assert Reason.REDUCE_ONLY == desk.client.submit_order(buy("x")).reason_code
        (halt,) = desk.client.risk.GetHaltState(risk_pb2.GetHaltStateRequest()).halts
        assert (Reason.UNPLANNED_RESTART, common_pb2.HALT_LEVEL_REDUCE_ONLY) == (halt.reason_code, halt.level)
        keep = admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP
        reset = admin_pb2.ResetHaltRequest(operator="ann", reason="books agree", high_water_mark=keep)
        assert desk.client.admin.ResetHalt(reset).changed
        assert common_pb2.ACTION_ALLOW == desk.client.submit_order(buy("y")).action
    starts = [event.gate_started.is_unplanned for event in events_of(desk.journal) if event.HasField("gate_started")]
    assert [False, True] == starts


class Empty:
    """An actor that does nothing, so that its restart takes what Ray needs."""

    async def is_serving(self) -> bool:
        """Answer."""
        return True

    async def process_id(self) -> int:
        """Return this process's id."""
        return os.getpid()


def seconds_to_return(name: str) -> float:
    """Kill an actor's process, and wait until another one answers."""
    kill(name)
    began = time.monotonic()
    while True:
        actor: Any = ray.get_actor(name, NAMESPACE)
        with suppress(RayActorError):
            if ray.get(actor.is_serving.remote()):
                return time.monotonic() - began
        time.sleep(0.02)


@pytest.mark.long
def test_a_killed_risk_manager_is_back_in_half_as_much_again_as_an_empty_actor(tmp_path: Path) -> None:
    """Measured in turns, on one Ray; what reading the journal takes comes on top."""
    make: Any = ray.remote(Empty)
    options = {"name": "Strategy:empty", "namespace": NAMESPACE, "lifetime": "detached", "max_restarts": -1}
    with open_desk(write_portfolio(tmp_path)) as desk:
        desk.replay(0, 30)
        empty = make.options(**options, num_cpus=0).remote()
        assert ray.get(empty.is_serving.remote())
        pairs = [(seconds_to_return("Strategy:empty"), seconds_to_return(RISK_MANAGER)) for _ in range(5)]
        ray.kill(empty)
    events = len(events_of(desk.journal))
    began = time.monotonic()
    assert events == Gate(SqliteJournal(desk.journal), bar_clock).start(configuration_of(desk.portfolio))
    replay_s = time.monotonic() - began
    bare_s, own_s = (median(times) for times in zip(*pairs, strict=True))
    text = f"back after {own_s:.2f} s; an empty actor after {bare_s:.2f} s, {events} events read in {replay_s:.2f} s"
    print(f"\na killed RiskManager is {text}")  # noqa: T201
    assert own_s <= 1.5 * bare_s + replay_s, text
