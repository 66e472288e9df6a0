"""The program as a user runs it: a process of its own, its output, its exit code, and what it leaves behind."""

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.client import Client, new_order
from tests.integration.conftest import free_address
from tests.integration.desk import events_of, write_portfolio
from tests.integration.principals import Certificates
from tidegate.journal.sqlite import SqliteJournal
from tidegate.reasons import Reason
from tidegate.v1 import common_pb2, market_data_pb2, portfolio_pb2

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]
TIDEGATE = str(Path(sys.executable).parent / "tidegate")
END_TIMEOUT_S = 20


class Program:
    """Starts ``tidegate run``, each in a session of its own as a terminal would; ends what a test left running."""

    def __init__(self) -> None:
        """Begin with nothing started."""
        self.started: list[subprocess.Popen[str]] = []

    def __call__(self, folder: Path, address: str, *options: str) -> subprocess.Popen[str]:
        """Start the portfolio of a folder."""
        files = [str(folder / "portfolio.yaml"), "--journal", str(folder / "journal.db")]
        process = subprocess.Popen(  # noqa: S603 -- the program under test
            [TIDEGATE, "run", *files, "--address", address, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process


@pytest.fixture
def begin() -> Iterator[Program]:
    """Give the test a way to start the program, and clean up after it."""
    program = Program()
    yield program
    for process in program.started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)


def ask(*words: str) -> subprocess.CompletedProcess[str]:
    """Run another command of the program, or a script, to its end."""
    return subprocess.run(list(words), capture_output=True, text=True, check=False, timeout=60)  # noqa: S603


def completed_bars(journal: Path) -> int:
    """Count the bars that a running program has completed."""
    uri = f"{journal.as_uri()}?mode=ro"  # else SQLite would begin an empty file, which no run takes for a journal
    with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(sqlite3.connect(uri, uri=True)) as db:
        count: int = db.execute("SELECT COUNT(*) FROM events WHERE kind = 'bar_completed'").fetchone()[0]
        return count
    return 0


def wait_for_bars(process: subprocess.Popen[str], journal: Path, bars: int) -> None:
    """Wait until a running program has completed so many bars."""
    deadline = time.monotonic() + 60
    while completed_bars(journal) < bars:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def descendants(pid: int) -> set[int]:
    """Find all processes below one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
                )
    found, more = set[int](), {pid}
    while more:
        found |= more
        more = {child for child, parent in parents.items() if parent in more} - found
    return found - {pid}


def rays_agents() -> set[int]:
    """Find Ray's own helpers: after a SIGKILL they end by themselves, but only when they next look, a minute later."""
    found = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and b"Agent" in (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
    return found


def alive(pids: set[int]) -> set[int]:
    """Keep the processes that still run; a dead one that nobody has reaped does not."""
    running = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z":
                running.add(pid)
    return running


def wait_until_gone(pids: set[int]) -> set[int]:
    """Wait for processes to end; return those that do not."""
    deadline = time.monotonic() + END_TIMEOUT_S
    while (left := alive(pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def final_table(output: str) -> str:
    """Cut the table and what follows out of a run's output."""
    return output[output.index("small, USD") :]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write the small portfolio file into a folder of its own."""
    write_portfolio(tmp_path)
    return tmp_path


@pytest.mark.control("continuity")
def test_a_run_killed_in_the_middle_and_started_again_ends_like_an_unbroken_one(
    folder: Path, begin: Program, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SIGKILL loses nothing: the second run goes on after the last completed bar, and no process stays behind."""
    address = free_address()
    other = tmp_path_factory.mktemp("unbroken")
    write_portfolio(other)
    unbroken, _ = begin(other, address, "--exit").communicate(timeout=120)
    process = begin(folder, address, "--exit")
    wait_for_bars(process, folder / "journal.db", 25)
    below = descendants(process.pid) - rays_agents()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    again, _ = begin(folder, address, "--exit").communicate(timeout=120)
    assert re.search(r"\d+ bars are in the journal already", again)
    assert final_table(unbroken) == final_table(again)
    assert "difference 0\n" in again
    assert set() == wait_until_gone(below)


@pytest.mark.parametrize("bars", [0, pytest.param(20, marks=pytest.mark.long)])
def test_ctrl_c_ends_in_a_few_seconds_and_leaves_no_process(folder: Path, begin: Program, bars: int) -> None:
    """Whether it starts or replays: exit code 0, one clear line, nothing left."""
    process = begin(folder, free_address())
    if bars:
        wait_for_bars(process, folder / "journal.db", bars)
    else:
        time.sleep(2.5)  # about when Ray starts
    below = descendants(process.pid)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert time.monotonic() - began < 15
    assert 0 == process.returncode, output
    assert output.endswith("stopped; the journal keeps everything\n")
    assert set() == wait_until_gone(below)


def test_orders_halts_resets_and_status_from_another_terminal(folder: Path, begin: Program) -> None:
    """The commands that the README names work on a running program, and say what happened in one line."""
    address = free_address()
    at = ["--address", address]
    process = begin(folder, address)
    wait_for_bars(process, folder / "journal.db", 60)
    submit = [TIDEGATE, "order", "submit", "--strategy", "two", "--symbol", "FLAT", "--quantity", "1", *at]
    allowed = ask(*submit, "--client-order-id", "mine")
    assert allowed.stdout.startswith("ALLOW mine (event "), allowed
    shown = ask(TIDEGATE, "order", "show", "two", "mine", *at)
    assert "mine BUY 1 FLAT: PENDING_NEW, 0 filled, 1 left" in shown.stdout
    halted = ask(TIDEGATE, "halt", "--reason", "a [/test]", "--operator", "tester", *at)
    assert re.match(r"portfolio halted by tester: a \[/test\]; [1-9]\d* cancels requested", halted.stdout)
    refused = ask(*submit)
    assert 1 == refused.returncode
    assert "HALT" in refused.stdout
    assert "TRADING_HALTED: trading of the portfolio is halted by tester: a [/test]" in refused.stdout
    status = ask(TIDEGATE, "status", *at)
    assert "portfolio HALTED" in status.stdout
    assert "OPERATOR_HALT: a [/test]" in status.stdout
    assert "difference 0" in status.stdout
    reset = [sys.executable, str(ROOT / "scripts" / "reset_halt.py"), "--operator", "tester", "--reason", "done", *at]
    assert "portfolio: reset\n" == ask(*reset, "--rebase-peak").stdout
    assert "portfolio: was not halted\n" == ask(*reset, "--rebase-peak").stdout
    assert 0 == ask(*submit).returncode
    malformed = ask(TIDEGATE, "order", "submit", "--strategy", "two", "--symbol", "UP", "--quantity", "-1", *at)
    assert malformed.stderr.startswith("QUANTITY_INVALID: order.quantity is '-1'"), malformed
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert output.endswith("stopped; the journal keeps everything\n")
    events = events_of(folder / "journal.db")
    own = [e.trading_halted for e in events if e.trading_halted.operator == "tester"]
    assert [(common_pb2.HALT_LEVEL_HALTED, "a [/test]")] == [(halt.level, halt.reason) for halt in own]


def test_a_protected_gateway_is_asked_with_tokens_from_another_terminal(folder: Path, begin: Program) -> None:
    """TLS, roles, an administrators' listener, apart: each command by its own token, and no token in any log."""
    address, admin_address = free_address(), free_address()
    certificates = Certificates(folder / "certificates")
    tls = certificates.tls()
    access = ["--access", str(folder / "access.yaml")]

    def token(name: str, *rights: str) -> str:
        made = ask(TIDEGATE, "token", "create", name, *rights, *access)
        file = folder / f"{name}.token"
        file.write_text(made.stdout, encoding="ascii")
        return str(file)

    ann, bob = token("ann", "--role", "risk"), token("bob", "--role", "trader", "--strategy", "two")
    options = ["--tls-certificate", str(tls.certificate), "--tls-key", str(tls.key), "--admin-address", admin_address]
    process = begin(folder, address, "--apart", *access, *options)
    wait_for_bars(process, folder / "journal.db", 60)

    def as_(file: str, *words: str) -> subprocess.CompletedProcess[str]:
        return ask(TIDEGATE, "--token-file", file, "--ca", str(certificates.ca), *words)

    at, admin_at = ["--address", address], ["--address", admin_address]
    submit = ["order", "submit", "--symbol", "FLAT", "--quantity", "1", *at]
    assert as_(bob, *submit, "--strategy", "two").stdout.startswith("ALLOW")
    foreign = as_(bob, *submit, "--strategy", "one")
    assert (1, "PERMISSION_DENIED: bob may not act for strategy 'one'\n") == (foreign.returncode, foreign.stderr)
    assert "PERMISSION_DENIED: bob may not call GetPortfolio\n" == as_(bob, "status", *at).stderr
    stranger = ask(TIDEGATE, "--ca", str(certificates.ca), "status", *at)
    assert "UNAUTHENTICATED: the call shows neither a token nor a client certificate\n" == stranger.stderr
    assert f"no gateway answers at {address}; " in ask(TIDEGATE, "status", *at).stderr
    elsewhere = as_(ann, "halt", "--reason", "drill", *at)
    assert "METHOD_ELSEWHERE: Halt is answered on another listener of this gateway\n" == elsewhere.stderr
    assert as_(ann, "halt", "--reason", "drill", *admin_at).stdout.startswith("portfolio halted by ann: drill;")
    reset = [sys.executable, str(ROOT / "scripts" / "reset_halt.py"), "--reason", "done", "--rebase-peak", *admin_at]
    own = ["--token-file", ann, "--ca", str(certificates.ca)]
    in_anothers_name = ask(*reset, *own, "--operator", "bob")
    assert "OPERATOR_NOT_CALLER: operator is 'bob'; ann cannot act in that name\n" == in_anothers_name.stderr
    assert "portfolio: reset\n" == ask(*reset, *own).stdout
    assert "portfolio ACTIVE" in as_(ann, "status", *at).stdout
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert output.endswith("stopped; the journal keeps everything\n")
    assert ["ann"] == [
        e.halt_reset.operator for e in events_of(folder / "journal.db") if e.halt_reset.operator == "ann"
    ]
    written = output + "".join(path.read_text(encoding="utf-8") for path in (folder / "logs").iterdir())
    assert '"who": "bob", "method": "SubmitOrder"' in written
    assert not re.search("tg_[a-z]{8}_", written)
    for file in (ann, bob):
        assert Path(file).read_text(encoding="ascii").strip().rpartition("_")[2] not in written


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--address", "0.0.0.0:50051"], "does not listen on 0.0.0.0 without TLS and an access file"),
        (["--tls-certificate", "gateway.pem"], "TLS takes both --tls-certificate and --tls-key"),
        (["--tls-client-ca", "ca.pem"], "TLS takes both --tls-certificate and --tls-key"),
        (["--tls-certificate", "none.pem", "--tls-key", "none.key"], "No such file or directory"),
        (["--access", "none.yaml"], "none.yaml: No such file or directory"),
        (["--admin-address", "127.0.0.1"], "127.0.0.1 is not host:port"),
    ],
)
def test_a_protection_that_cannot_be_is_refused_before_anything_starts(
    folder: Path, begin: Program, options: list[str], text: str
) -> None:
    """Exit code 1, one line, no journal."""
    process = begin(folder, free_address(), "--exit", *options)
    output, _ = process.communicate(timeout=60)
    assert (1, 1) == (process.returncode, output.count("\n")), output
    assert text in output
    assert not (folder / "journal.db").exists()


def test_without_a_gateway_the_commands_say_so() -> None:
    """One clear line instead of a stack trace."""
    answer = ask(TIDEGATE, "status", "--address", "127.0.0.1:1")
    assert (1, "no gateway answers at 127.0.0.1:1; what was asked may or may not have happened\n") == (
        answer.returncode,
        answer.stderr,
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"capitol": 5}, "capitol"),
        ({"name": "two words"}, "name"),
        ({"adapters": []}, "no adapter is called paper"),
        ({"clock": "wall"}, "a replay needs the clock to be bars"),
    ],
)
def test_a_wrong_portfolio_file_is_refused_before_anything_starts(
    folder: Path, begin: Program, changes: dict[str, Any], text: str
) -> None:
    """The exit code is 1, the line names the file, and no journal is begun."""
    write_portfolio(folder, **changes)
    output, _ = begin(folder, free_address(), "--exit").communicate(timeout=60)
    assert str(folder / "portfolio.yaml") in output.replace("\n", "")
    assert text in output
    assert not (folder / "journal.db").exists()


def test_a_strategy_class_that_does_not_exist_is_refused_before_anything_starts(folder: Path, begin: Program) -> None:
    """A typing mistake in a class name is found at once, not on the first bar."""
    ghost = {"id": "g", "class": "strategies_for_tests:Ghost", "allocation": 0.5, "route": "paper"}
    write_portfolio(folder, [ghost])
    output, _ = begin(folder, free_address(), "--exit").communicate(timeout=60)
    assert "cannot build strategies_for_tests:Ghost" in output
    assert not (folder / "journal.db").exists()


def test_a_risk_model_that_cannot_be_built_is_refused_before_anything_starts(folder: Path, begin: Program) -> None:
    """A limit that is no share, and a class that is no risk model: each has its own line."""
    stop = {"class": "tidegate.targets.trailing_stop:TrailingStop", "parameters": {"limit": 2}}
    holder = {"class": "strategies_for_tests:Holder", "parameters": {"quantity": 1}}
    strategy = {"id": "g", "class": "strategies_for_tests:Holder", "allocation": 0.5, "route": "paper"}
    write_portfolio(folder, [strategy | {"parameters": {"quantity": 1}, "risk_models": [stop, holder]}])
    output, _ = begin(folder, free_address(), "--exit").communicate(timeout=60)
    assert "cannot build tidegate.targets.trailing_stop:TrailingStop: ValueError: limit is 2" in output
    assert "Holder is not a subclass of tidegate.targets.model.RiskModel" in output
    assert not (folder / "journal.db").exists()


@pytest.mark.long
def test_a_journal_that_is_not_let_go_of_is_waited_for_and_then_refused_in_one_line(
    folder: Path, begin: Program
) -> None:
    """What an earlier run has left may hang in the middle of a commit: the line names the process, and what to do."""
    path = folder / "journal.db"
    SqliteJournal(path).close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        ran = begin(folder, free_address(), "--exit")
        output, _ = ran.communicate(timeout=120)
    assert 1 == ran.returncode
    assert f"{path}: process {os.getpid()} holds the journal; waiting up to 15 s" in output
    assert f"cannot open the journal: process {os.getpid()} holds it, and has not let go within 15 s" in output
    assert f"end it (kill -9 {os.getpid()}), and start again" in output
    assert "Traceback" not in output


def test_another_portfolios_journal_a_journal_in_use_and_a_taken_port_are_refused_in_one_line(
    folder: Path, begin: Program
) -> None:
    """A changed limit does not slip in by a restart; two gateways never share a port."""
    address = free_address()
    first = begin(folder, address)
    wait_for_bars(first, folder / "journal.db", 60)
    second = begin(folder, address, "--journal", str(folder / "other.db"), "--exit")
    output, _ = second.communicate(timeout=120)
    assert f"cannot listen on {address}: another process does" in output
    assert 1 == second.returncode
    third, _ = begin(folder, free_address(), "--exit").communicate(timeout=60)
    assert "another run uses this journal" in third
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    write_portfolio(folder, limits={"max_leverage": 5})
    output, _ = begin(folder, address, "--exit").communicate(timeout=60)
    assert "the journal was begun with other limits than the portfolio file states" in output


def test_without_a_replay_and_with_the_walls_clock_it_serves_live_adapters(folder: Path, begin: Program) -> None:
    """A bar of now is decided on by the strategies; a price too old by this machine's clock refuses an order."""
    limits = {"max_price_age_s": 2, "max_leverage": 2, "max_concentration": 0.6}
    write_portfolio(folder, clock="wall", replay=None, limits=limits)
    address = free_address()
    process = begin(folder, address)
    order: dict[str, Any] = {"strategy_id": "two", "symbol": "UP", "side": common_pb2.SIDE_BUY, "quantity": "1"}
    with Client(address, timeout_s=60) as client:
        bars = [market_data_pb2.Bar(symbol=symbol, close="10") for symbol in ("UP", "FLAT", "FALL")]
        now = Timestamp()
        now.GetCurrentTime()
        published = client.market_data.PublishBars(market_data_pb2.PublishBarsRequest(time=now, bars=bars))
        client.market_data.AwaitBar(market_data_pb2.AwaitBarRequest(bar_sequence=published.bar_sequence))
        strategies = client.portfolio.ListStrategies(portfolio_pb2.ListStrategiesRequest()).strategies
        assert all(strategy.performance.orders for strategy in strategies)
        time.sleep(2.5)
        assert Reason.PRICE_STALE == client.submit_order(new_order(client_order_id="late", **order)).reason_code
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert f"serving on {address}" in output
