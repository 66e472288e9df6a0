"""A portfolio on a Ray cluster of several nodes: where it runs, who may join, and what dies with a node."""

import time
from pathlib import Path

import grpc
import pytest

from gateway.client import Client
from tests.cluster.nodes import Nodes, nodes, publish, submit
from tests.integration.desk import events_of
from tidegate.journal.location import Database, open_reader
from tidegate.v1 import common_pb2, portfolio_pb2

pytestmark = [pytest.mark.timeout(420)]

PARTS = {"RiskManager", "PortfolioAllocator", "Strategy:one", "Strategy:two", "Strategy:three", "Strategy:four"}


def test_a_portfolio_joins_a_cluster_stays_there_and_is_ended(tmp_path: Path) -> None:
    """The command that started it has left; another one shows where it runs, and a third one ends it in order."""
    with nodes(tmp_path, workers=0) as own:
        assert "nothing runs there\n" == own.ask("scale", RAY_AUTH_MODE="").stdout  # with its token nevertheless
        started = own.up()
        assert started.returncode == 0, started.stderr
        assert f"serving on {own.listen}" in started.stdout
        with Client(own.listen, timeout_s=30) as client:
            assert publish(client) > 0
        places = own.places()
        assert PARTS == set(places)
        assert {"ALIVE"} == {place["state"] for place in places.values()}
        assert all(place["memory"].endswith("MiB") for place in places.values())
        assert "a portfolio runs on this cluster already" in own.up().stderr
        ended = own.ask("down")
        assert "RiskManager; the journal keeps everything\n" in ended.stdout
        assert "nothing runs there\n" == own.ask("down").stdout
    assert events_of(own.journal)


@pytest.mark.long
def test_a_cluster_without_a_cpu_for_strategies_is_refused(tmp_path: Path) -> None:
    """Instead of waiting for ever for one."""
    with nodes(tmp_path, workers=0, cpus=0) as own:
        assert (
            own.up()
            .stderr.splitlines()[-1]
            .startswith("no node of this cluster offers a CPU, so no strategy can start")
        )
        assert "nothing runs there\n" == own.ask("scale").stdout


@pytest.mark.control("continuity")
@pytest.mark.long
def test_the_node_of_the_risk_manager_dies_and_the_portfolio_goes_on(tmp_path: Path, database: Database) -> None:
    """
    Three nodes, strategies on more than one, the journal in PostgreSQL.

    What was acknowledged stays, the next bar is decided on, and who was replaced has written nothing since.
    """
    with nodes(tmp_path, workers=2, database=database) as own:
        stranger = own.ask("scale", RAY_AUTH_TOKEN="0" * 64)
        assert 1 == stranger.returncode
        assert "cannot join a Ray cluster" in stranger.stderr.splitlines()[-1]
        assert own.up().returncode == 0
        before = own.places()
        assert 1 < len({place["node"] for part, place in before.items() if part.startswith("Strategy:")})
        with Client(own.listen, timeout_s=60) as client:
            orders = publish(client)
            first = submit(client, "before")
            own.cluster.remove_node(own.node_of("RiskManager"), allow_graceful=False)
            began = time.monotonic()
            while before["RiskManager"]["process"] == own.places()["RiskManager"]["process"]:
                submit(client, "before")  # whoever answers meanwhile still owns the journal
                assert time.monotonic() - began < 120
            second = submit(client, "after")
            print(f"\nthe node of the RiskManager killed: another one answers after {time.monotonic() - began:.1f} s")  # noqa: T201
            assert first == submit(client, "before")
            assert common_pb2.ACTION_ALLOW == second.action
            assert publish(client, orders) > orders
        after = own.places()
        assert before["RiskManager"]["node"] != after["RiskManager"]["node"]
        assert "1" == after["RiskManager"]["restarts"]
        own.ask("down")
    events = events_of(database)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    decided = [e.order_decided.order.client_order_id for e in events if e.HasField("order_decided")]
    assert (1, 1) == (decided.count("before"), decided.count("after"))
    epochs = [batch.epoch for batch in open_reader(database).stored()]
    assert sorted(epochs) == epochs
    assert 2 == len(set(epochs))


@pytest.mark.control("continuity")
@pytest.mark.long
def test_when_the_head_dies_everything_ends_and_another_cluster_goes_on(tmp_path: Path) -> None:
    """The gateway answers while Ray waits for its head; then all processes end, and the journal is taken further."""
    with nodes(tmp_path, workers=1, RAY_gcs_rpc_server_reconnect_timeout_s="10") as own:
        assert own.up().returncode == 0
        with Client(own.listen, timeout_s=60) as client:
            publish(client)
            submit(client, "before")
            own.cluster.head_node.kill_gcs_server()
            assert common_pb2.ACTION_ALLOW == submit(client, "headless").action
            began = time.monotonic()
            while answers(own):
                assert time.monotonic() - began < 120
                time.sleep(0.5)
            print(f"\nthe head killed: everything ended after {time.monotonic() - began:.1f} s")  # noqa: T201
    with nodes(tmp_path, workers=0) as other:
        assert other.up().returncode == 0
        with Client(other.listen, timeout_s=60) as client:
            submit(client, "after")
        other.ask("down")
    decided = [e.order_decided.order.client_order_id for e in events_of(own.journal) if e.HasField("order_decided")]
    assert [1, 1, 1] == [decided.count(name) for name in ("before", "headless", "after")]


def answers(own: Nodes) -> bool:
    """Tell whether the gateway answers."""
    with Client(own.listen, timeout_s=3) as client:
        try:
            client.portfolio.GetPortfolio(portfolio_pb2.GetPortfolioRequest(), timeout=2)
        except grpc.RpcError:
            return False
    return True
