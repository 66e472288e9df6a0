"""Everything on real Ray: one run unbroken, others with parts killed, hanging or failing in between."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
import ray
from ray.exceptions import RayActorError

from actors import cluster
from actors.names import ALLOCATOR, NAMESPACE, RISK_MANAGER, gateway_name, strategy_name
from actors.port import FrontDoor, Port
from actors.ray_port import RayPort
from actors.risk_manager import RiskManagerSettings
from gateway.client import Client, new_order
from gateway.protection import Protection
from tests.integration.conftest import free_address
from tests.integration.desk import Desk, events_of, open_desk, write_portfolio
from tests.integration.principals import AccessWriter, Certificates
from tests.integration.test_command_line import descendants
from tidegate.errors import ConfigurationError, TidegateError
from tidegate.gate import Request
from tidegate.journal.location import Database, open_journal, open_reader
from tidegate.journal.sqlite import SqliteJournal
from tidegate.permissions import INTERNAL, LOCAL, Caller, Role
from tidegate.reasons import Reason
from tidegate.v1 import actors_pb2, admin_pb2, common_pb2, journal_pb2, orders_pb2, portfolio_pb2, risk_pb2

pytestmark = [pytest.mark.usefixtures("ray_cluster"), pytest.mark.timeout(300)]

BARS = 60
CALM: dict[str, object] = {
    "id": "calm",
    "class": "strategies_for_tests:Holder",
    "kind": "margin",
    "allocation": 0.4,
    "route": "paper",
    "parameters": {"quantity": 50},
}


def ill(name: str, **parameters: str) -> dict[str, object]:
    """Describe a strategy that misbehaves."""
    own = {"id": "ill", "class": f"strategies_for_tests:{name}", "kind": "cash", "allocation": 0.4, "route": "paper"}
    return own | {"parameters": parameters}


def process_id(name: str) -> int:
    """Ask an actor for its process, waiting while Ray brings it back."""
    for _attempt in range(100):
        try:
            actor: Any = ray.get_actor(name, NAMESPACE)
            found: int = ray.get(actor.process_id.remote())
        except RayActorError:
            time.sleep(0.1)
        else:
            return found
    message = f"{name} did not come back"
    raise TimeoutError(message)


def kill(name: str) -> None:
    """Kill an actor's process as the kernel would."""
    os.kill(process_id(name), signal.SIGKILL)


def table(desk: Desk) -> tuple[portfolio_pb2.GetPortfolioResponse, dict[str, portfolio_pb2.StrategySummary]]:
    """Return what the final table shows, the journal's length left out."""
    whole = desk.whole()
    whole.sequence = 0
    return whole, desk.strategies()


class Run(NamedTuple):
    """What a run came to: its final table, and its journal."""

    whole: portfolio_pb2.GetPortfolioResponse
    strategies: dict[str, portfolio_pb2.StrategySummary]
    events: list[journal_pb2.Event]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, ray_cluster: None) -> Run:
    """Run the small portfolio once without a break, the gateway beside."""
    assert ray_cluster is None  # only asked for so that Ray runs
    path = write_portfolio(tmp_path_factory.mktemp("unbroken"))
    with open_desk(path) as desk:
        desk.replay(0, BARS)
        whole, strategies = table(desk)
        journal = desk.journal
    return Run(whole, strategies, events_of(journal))


def test_an_unbroken_run_trades_halts_is_reset_and_conserves_its_capital(unbroken: Run) -> None:
    """The small portfolio exercises what a replay is for: fills, rejects, partial fills, a halt and its reset."""
    whole, strategies, events = unbroken
    assert BARS == whole.performance.bars
    assert "0" == whole.conservation.difference
    assert whole.halts >= 1
    assert whole.halted_bars >= 5
    assert all(strategy.performance.fills > 0 for strategy in strategies.values())
    kinds = {event.WhichOneof("body") for event in events}
    assert {"trading_halted", "halt_reset", "cancel_requested", "limit_breached", "order_claimed"} <= kinds
    assert "tester" in {event.halt_reset.operator for event in events if event.HasField("halt_reset")}


@pytest.mark.parametrize("apart", [False, True])
def test_a_second_run_gives_the_same_journal(tmp_path: Path, unbroken: Run, *, apart: bool) -> None:
    """Beside or apart, the same bars give the same events, to the byte."""
    with open_desk(write_portfolio(tmp_path), apart=apart) as desk:
        desk.replay(0, BARS)
        journal = desk.journal
    assert unbroken.events == events_of(journal)


def test_a_run_whose_actors_are_killed_ends_like_an_unbroken_one(tmp_path: Path, unbroken: Run) -> None:
    """The RiskManager, the allocator and a strategy die in turn; the table at the end is the same."""
    with open_desk(write_portfolio(tmp_path)) as desk:
        desk.replay(0, 10)
        kill(strategy_name("one"))
        desk.replay(10, 20)
        kill(ALLOCATOR)
        desk.replay(20, 33)
        kill(RISK_MANAGER)
        desk.replay(33, BARS)
        result = table(desk)
    assert unbroken[:2] == result


def test_a_killed_risk_manager_comes_back_from_a_snapshot_taken_beside_it(tmp_path: Path, unbroken: Run) -> None:
    """Snapshots are taken by count while it trades; what it makes of the newest and the tail ends like the whole."""
    with open_desk(write_portfolio(tmp_path), snapshot_every=50) as desk:
        desk.replay(0, 33)
        taken = wait_for_log(desk.logs / "risk_manager.jsonl", "snapshot_taken")[-1]["sequence"]
        kill(RISK_MANAGER)
        desk.replay(33, BARS)
        result = table(desk)
        started = wait_for_log(desk.logs / "risk_manager.jsonl", "started", 2)
    assert unbroken[:2] == result
    assert 0 == started[0]["snapshot"]
    assert int(taken) <= started[1]["snapshot"] <= started[1]["events"]
    assert not [
        line
        for line in read_log(tmp_path / "logs" / "risk_manager.jsonl")
        if "snapshot_" in line["event"] and line["event"] != "snapshot_taken"
    ]


def test_a_killed_strategy_comes_back_with_the_state_that_it_saved(tmp_path: Path) -> None:
    """It goes on as one that was never killed: the same orders to the end, and only the bars since live again."""
    found = []
    for name, dies in (("unbroken", False), ("killed", True)):
        (tmp_path / name).mkdir()
        remembering = CALM | {"class": "strategies_for_tests:Remembering"}
        with open_desk(write_portfolio(tmp_path / name, [remembering])) as desk:
            desk.replay(0, 54)
            if dies:
                kill(strategy_name("calm"))
            desk.replay(54, BARS)
            found.append(table(desk))
            journal = desk.journal
        (saved,) = [event for event in events_of(journal) if event.bar_completed.states]
        assert b"50 " == saved.bar_completed.states[0].state[:3]
        if dies:
            (again,) = wait_for_log(tmp_path / name / "logs" / "allocator.jsonl", "strategy_catches_up")
            assert saved.bar_completed.seen_sequence == again["after"]
    assert found[0] == found[1]


def read_log(path: Path) -> list[dict[str, Any]]:
    """Read a log's lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def wait_for_log(path: Path, event: str, count: int = 1) -> list[dict[str, Any]]:
    """Wait until a log tells of something so many times; return those lines."""
    for _attempt in range(300):
        found = [line for line in read_log(path) if line["event"] == event]
        if len(found) >= count:
            return found
        time.sleep(0.1)
    message = f"{path} has no {count} lines of {event}"
    raise TimeoutError(message)


@pytest.mark.control("continuity", "one-writer")
def test_a_run_in_postgresql_whose_risk_manager_dies_and_is_fenced_ends_like_an_unbroken_one(
    tmp_path: Path, unbroken: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed, it comes back from the database; stopped and taken over from, it ends when it goes on, and comes back."""
    monkeypatch.chdir(tmp_path)  # where the logs go
    with open_desk(write_portfolio(tmp_path), database=database) as desk:
        desk.replay(0, 20)
        kill(RISK_MANAGER)
        desk.replay(20, 40)
        stopped = process_id(RISK_MANAGER)
        os.kill(stopped, signal.SIGSTOP)
        open_journal(database).close()
        os.kill(stopped, signal.SIGCONT)
        desk.replay(40, BARS)
        assert stopped != process_id(RISK_MANAGER)
        result = table(desk)
    assert unbroken[:2] == result
    events = events_of(database)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert 4 == max(batch.epoch for batch in open_reader(database).stored())
    assert (tmp_path / "var" / "logs" / "risk_manager.jsonl").exists()


def test_a_run_that_is_stopped_and_started_again_ends_like_an_unbroken_one(tmp_path: Path, unbroken: Run) -> None:
    """A new set of actors on the same journal goes on where the old one stopped."""
    path = write_portfolio(tmp_path)
    with open_desk(path) as desk:
        desk.replay(0, 36)
    with open_desk(path) as desk:
        desk.replay(0, BARS)
        assert unbroken[:2] == table(desk)


def test_a_persons_halt_is_not_reset_by_the_simulated_operator(tmp_path: Path) -> None:
    """A replay's operator resets what the gate halted, after its bars; who halts by hand resets by hand."""
    with open_desk(write_portfolio(tmp_path)) as desk:
        desk.replay(0, 3)
        desk.client.admin.Halt(admin_pb2.HaltRequest(operator="ann", reason="looks wrong"))
        desk.replay(3, 15)
        state = desk.client.risk.GetHaltState(risk_pb2.GetHaltStateRequest())
    assert [("ann", 12)] == [(halt.operator, halt.bars) for halt in state.halts]


def test_a_strategy_that_raises_is_paused_alone(tmp_path: Path) -> None:
    """Its exception is journaled with its text; the other strategy goes on to the last bar."""
    with open_desk(write_portfolio(tmp_path, [CALM, ill("Breaking")])) as desk:
        desk.replay(0, 12)
        strategies = desk.strategies()
    assert "RuntimeError: what no test foresaw" == strategies["ill"].paused_reason
    (paused,) = [e.strategy_paused for e in events_of(desk.journal) if e.HasField("strategy_paused")]
    assert Reason.STRATEGY_FAILED == paused.reason_code
    assert not strategies["calm"].paused
    assert strategies["calm"].performance.orders >= 30


def test_a_strategy_that_hangs_is_paused_alone_and_its_late_orders_are_void(tmp_path: Path) -> None:
    """The bar goes on after the deadline; the strategy's process is replaced."""
    with open_desk(write_portfolio(tmp_path, [CALM, ill("Hanging")], bar_deadline_s=1.0)) as desk:
        before = process_id(strategy_name("ill"))
        desk.replay(0, 8)
        strategies = desk.strategies()
        journal = desk.journal
        assert before != process_id(strategy_name("ill"))
    assert strategies["ill"].paused
    assert not strategies["calm"].paused
    pauses = [e.strategy_paused for e in events_of(journal) if e.HasField("strategy_paused")]
    assert [("ill", Reason.STRATEGY_LATE)] == [(pause.strategy_id, pause.reason_code) for pause in pauses]


@pytest.mark.parametrize(("lives", "paused"), [(1, False), (2, True)])
def test_a_strategy_whose_process_dies_is_forgiven_once(tmp_path: Path, *, lives: int, paused: bool) -> None:
    """A killed process comes back and catches up; one that dies on the same bar again waits for an operator."""
    counter = tmp_path / "lives"
    counter.write_text(str(lives), encoding="utf-8")
    with open_desk(write_portfolio(tmp_path, [CALM, ill("Crashing", lives=str(counter))])) as desk:
        desk.replay(0, 8)
        strategies = desk.strategies()
        assert paused is strategies["ill"].paused
        assert not strategies["calm"].paused
        resume = admin_pb2.ResumeStrategyRequest(strategy_id="ill", operator="ann", reason="mended")
        desk.client.admin.ResumeStrategy(resume)
        desk.replay(8, 12)
        journal = desk.journal
    ran = [set(event.bar_completed.strategy_ids) for event in events_of(journal) if event.HasField("bar_completed")]
    assert [{"calm", "ill"}] * 4 == ran[8:]


@pytest.mark.control("continuity")
def test_a_risk_manager_that_cannot_commit_ends_and_comes_back_from_the_journal(tmp_path: Path) -> None:
    """A newer writer fences it: nothing is answered from memory, and a retry gets the next process's decision."""
    with open_desk(write_portfolio(tmp_path)) as desk:
        desk.replay(0, 3)
        before = process_id(RISK_MANAGER)
        SqliteJournal(desk.journal).close()
        order = new_order(strategy_id="two", client_order_id="x", symbol="FLAT", side=common_pb2.SIDE_BUY, quantity="1")
        decision = desk.client.submit_order(order)
        assert before != process_id(RISK_MANAGER)
        assert decision == desk.client.submit_order(order)
        desk.replay(3, 6)
        journal = desk.journal
    decided = [e for e in events_of(journal) if e.order_decided.order.client_order_id == "x"]
    assert [decision] == [event.order_decided.decision for event in decided]


def test_an_adapter_that_dies_is_heard_and_one_that_cannot_start_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither hangs in silence: the console names the adapter, its exit code and its log."""
    adapter = {"name": "paper", "synchronised": True, "command": ["python", "-c", "raise SystemExit(3)"]}
    with open_desk(write_portfolio(tmp_path, adapters=[adapter])):
        time.sleep(1.5)
    assert "adapter paper ended with exit code 3 and is started again; see" in capsys.readouterr().out
    adapter["command"] = ["no-such-program"]
    path = write_portfolio(tmp_path, adapters=[adapter])
    with pytest.raises(ConfigurationError, match="adapter paper: cannot start no-such-program"), open_desk(path):
        pass


async def end_at_once(_port: Port) -> FrontDoor:
    """Open no gateway: what hosts it dies, as when the kernel wants its memory back."""
    os._exit(1)


@pytest.mark.long
def test_a_risk_manager_whose_process_ends_while_it_starts_is_refused_in_one_line(tmp_path: Path) -> None:
    """Pins that the line says where to look, and that nothing of the portfolio is left running."""
    manager = RiskManagerSettings(b"", tmp_path / "journal.db", tmp_path / "logs", open_front_door=end_at_once)
    with pytest.raises(TidegateError, match=rf"^a process ended while it started \(.*\); .* is in {tmp_path}/logs$"):
        cluster.start(cluster.ClusterSettings(manager, strategies=(), bar_deadline_s=1))
    assert [] == cluster.running()


def test_another_process_of_the_cluster_finds_the_risk_manager(tmp_path: Path) -> None:
    """The actors are named: a second driver attaches and asks."""
    script = """
        import ray, sys
        from actors import cluster
        print("SERVING", ray.get(cluster.attach(sys.argv[1]).is_serving.remote()))
    """
    with open_desk(write_portfolio(tmp_path)):
        address = ray.get_runtime_context().gcs_address
        found = subprocess.run(  # noqa: S603 -- this interpreter, our script
            [sys.executable, "-c", textwrap.dedent(script), address],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert "SERVING True" in found.stdout, found.stderr


@pytest.mark.parametrize("apart", [False, True])
def test_a_protected_run_ends_like_an_open_one_and_its_own_parts_come_in(
    tmp_path: Path, unbroken: Run, *, apart: bool
) -> None:
    """With client certificates and roles on, the replay and the adapter need neither, also after a crash."""
    access = AccessWriter(tmp_path / "access.yaml")
    access.add("viewer", "viewer")
    certificates = Certificates(tmp_path / "certificates")
    protection = Protection(access=access.write(), tls=certificates.tls(mutual=True))
    with open_desk(write_portfolio(tmp_path), apart=apart, protection=protection) as desk:
        desk.replay(0, 30)
        kill(gateway_name("1") if apart else RISK_MANAGER)
        desk.replay(30, BARS)
        result, logs = table(desk), desk.logs
        with (
            Client(desk.address, timeout_s=1, token=access.tokens["viewer"], ca=certificates.ca) as without_certificate,
            pytest.raises(grpc.RpcError),
        ):
            without_certificate.portfolio.GetPortfolio(portfolio_pb2.GetPortfolioRequest())
        started = "".join(Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8") for pid in descendants(os.getpid()))
    assert unbroken[:2] == result
    assert "paper_broker.py" in started
    written = "".join(path.read_text(encoding="utf-8") for path in logs.iterdir())
    assert not re.search("tg_[a-z]{8}_", written + started)


async def test_the_gate_asks_who_calls_also_from_inside_the_cluster(tmp_path: Path) -> None:
    """Over Ray a caller has the rights that it names, and no others; bars and histories are the allocator's."""
    trader = Caller("bob", frozenset({Role.TRADER}), frozenset({"two"}))
    halt = admin_pb2.HaltRequest(reason="drill").SerializeToString()
    history = actors_pb2.ReadHistoryRequest(strategy_id="one", up_to_sequence=30).SerializeToString()
    order = new_order(strategy_id="one", client_order_id="x", symbol="UP", side=common_pb2.SIDE_BUY, quantity="1")
    submit = orders_pb2.SubmitOrderRequest(order=order).SerializeToString()
    with open_desk(write_portfolio(tmp_path)) as desk:
        desk.replay(0, 3)
        port = RayPort(ray.get_actor(RISK_MANAGER, NAMESPACE))
        asked = [
            Request("Halt", halt, trader),
            Request("SubmitOrder", submit, trader),
            Request("NextBar", b"", trader),
            Request("NextBar", b""),
            Request("CompleteBar", b""),
        ]
        replies = await port.execute(asked)
        replies += [await port.read(Request("ReadHistory", history, caller)) for caller in (trader, LOCAL)]
        unknown = await port.read(Request("GetPortfolio", history))
        allowed = await port.read(Request("ReadHistory", history, INTERNAL))
    assert {Reason.PERMISSION_DENIED} == {reply.reason for reply in replies}
    assert ("", Reason.METHOD_UNKNOWN) == (allowed.reason, unknown.reason)
    assert actors_pb2.ReadHistoryResponse.FromString(allowed.body).events


@pytest.mark.control("duplicate-ids")
def test_the_same_order_through_two_gateways_is_one_order(tmp_path: Path) -> None:
    """Two front doors and one book: a retry at the other door gets the first answer, and a halt holds at both."""
    order = new_order(strategy_id="one", client_order_id="x", symbol="UP", side=common_pb2.SIDE_BUY, quantity="1")
    addresses = [free_address(), free_address()]
    with open_desk(write_portfolio(tmp_path), apart=True, more_gateways=addresses) as desk:
        desk.replay(0, 3)
        with ExitStack() as doors:
            clients = [desk.client, *(doors.enter_context(Client(address, timeout_s=30)) for address in addresses)]
            decisions = [client.submit_order(order) for client in clients]
            scope = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_STRATEGY, name="one")
            clients[1].admin.Halt(admin_pb2.HaltRequest(scope=scope, operator="ann", reason="drill"))
            order.client_order_id = "y"
            refused = [client.submit_order(order) for client in clients]
    assert decisions == [decisions[0]] * 3
    assert ["TRADING_HALTED"] * 3 == [decision.reason_code for decision in refused]
    decided = [e.order_decided for e in events_of(desk.journal) if e.HasField("order_decided")]
    assert 1 == sum(event.order.client_order_id == "x" for event in decided)
