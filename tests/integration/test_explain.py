"""``tidegate explain`` as an auditor runs it: on a journal's file, through a gateway, while the gateway is at work."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.client import new_order
from gateway.testing import GatewayInThread, gateway_in_thread
from tidegate.journal.contract import HASH_OF_NOTHING, link
from tidegate.v1 import common_pb2, journal_pb2

TIDEGATE = str(Path(sys.executable).parent / "tidegate")


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayInThread]:
    """Run a gateway that has allowed order a, refused order b, and goes on."""
    with gateway_in_thread() as running:
        running.publish_bar({"AAA": "100.00"})
        for client_order_id, quantity in (("a", "1"), ("b", "5000")):
            order = new_order(
                strategy_id="desk",
                client_order_id=client_order_id,
                symbol="AAA",
                side=common_pb2.SIDE_BUY,
                quantity=quantity,
                route="broker",
            )
            running.client.submit_order(order)
        yield running


def explain(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run([TIDEGATE, "explain", *words], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603


@pytest.mark.control("explanation")
def test_an_auditor_reads_one_screen_from_the_file_of_a_gateway_at_work(gateway: GatewayInThread) -> None:
    """The decision, every check with its figures, the limits and who set them, and the same decision again."""
    ran = explain("3", "--journal", str(gateway.journal))
    assert (0, "") == (ran.returncode, ran.stderr)
    for line in (
        "order a of desk: BUY 1 AAA at market, sent by broker, event 3 of ",
        "decision ALLOW, approved quantity 1",
        "leverage       passed   gross exposure, to warn above: 100 against 1,800,000",
        "concentration of the portfolio  warn above 0.15, refuse above 0.2 ",
        "portfolio file testing, event 1",
        "its hash chain holds as far as it was read",
    ):
        assert line in ran.stdout
    assert ran.stdout.endswith("recomputed: same\n")
    assert len(ran.stdout.splitlines()) < 40


def test_file_and_gateway_say_the_same_of_a_refused_order(gateway: GatewayInThread) -> None:
    """By the sender's own id, as JSON; only where it was read differs."""
    by_name = ["--strategy", "desk", "--client-order-id", "b", "--json"]
    found = [
        json.loads(explain(*by_name, *source).stdout)
        for source in (["--journal", str(gateway.journal)], ["--address", gateway.address])
    ]
    proofs = [one.pop("read_from") for one in found]
    assert found[0] == found[1]
    assert "hash chain holds" in proofs[0]
    assert f"the gateway at {gateway.address}, whose journal of " in proofs[1]
    refused = found[0]
    assert ("CONCENTRATION", "same", "0") == (
        refused["decision"]["reason_code"],
        refused["recomputed"],
        refused["decision"]["approved_quantity"],
    )
    outcomes = {check["name"]: check["outcome"] for check in refused["checks"]}
    assert "REJECT CONCENTRATION" == outcomes["concentration"]
    assert "passed" == outcomes["leverage"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["77"], "ORDER_UNKNOWN: the journal's 4 events hold no decision on order 77"),
        (
            ["--strategy", "desk", "--client-order-id", "zz"],
            "ORDER_UNKNOWN: the journal's 4 events hold no decision on order zz of desk",
        ),
        (["order-7"], "order-7 is no order id: give its number, or --strategy and --client-order-id"),
        ([], "give the order's id, or both --strategy and --client-order-id"),
        (["7", "--strategy", "desk"], "give the order's id, or both --strategy and --client-order-id"),
        (["--strategy", "desk"], "give the order's id, or both --strategy and --client-order-id"),
    ],
)
def test_what_cannot_be_explained_is_one_clear_line(gateway: GatewayInThread, words: list[str], line: str) -> None:
    """Exit code 1, nothing on standard output, no traceback."""
    ran = explain(*words, "--journal", str(gateway.journal))
    assert (1, "", f"{line}\n") == (ran.returncode, ran.stdout, ran.stderr)


def test_a_journal_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    """It names the file, and makes none."""
    ran = explain("3", "--journal", str(tmp_path / "none.db"))
    assert (1, f"{tmp_path}/none.db: there is no such journal\n") == (ran.returncode, ran.stderr)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.control("explanation")
def test_a_decision_that_was_forged_with_its_hash_chain_is_a_loud_difference(
    gateway: GatewayInThread, tmp_path: Path
) -> None:
    """The chain alone convinces nobody: the refusal that became an approval does not follow from what was before."""
    copy = tmp_path / "journal.db"
    with closing(sqlite3.connect(gateway.journal)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    _forge(copy)
    ran = explain("4", "--journal", str(copy))
    assert 1 == ran.returncode
    assert "RECOMPUTED: DIFFERENT action: recorded 1; now 4\n" in ran.stdout
    assert "RECOMPUTED: DIFFERENT approved_quantity: recorded 5000; now 0\n" in ran.stdout
    assert "recomputed: same" not in ran.stdout


def _forge(path: Path) -> None:
    """Turn the refusal of order b into an approval, and make the hash chain fit."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        (body,) = db.execute("SELECT body FROM events WHERE sequence = 4").fetchone()
        event = journal_pb2.Event.FromString(body)
        decision = event.order_decided.decision
        decision.action, decision.approved_quantity = common_pb2.ACTION_ALLOW, "5000"
        db.execute("UPDATE events SET body = ? WHERE sequence = 4", (event.SerializeToString(),))
        chained, last = HASH_OF_NOTHING, 0
        for end, epoch in db.execute("SELECT last_sequence, epoch FROM batches ORDER BY 1").fetchall():
            bodies = db.execute(
                "SELECT body FROM events WHERE sequence > ? AND sequence <= ? ORDER BY sequence", (last, end)
            )
            chained, last = link(chained, epoch, [row[0] for row in bodies.fetchall()]), end
            db.execute("UPDATE batches SET hash = ? WHERE last_sequence = ?", (chained, end))
