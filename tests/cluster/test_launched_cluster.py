"""Ray's cluster launcher with the file that we ship, for real, over SSH; docs/cluster.md is what is followed."""

import subprocess
from pathlib import Path

import pytest

from gateway.client import Client
from gateway.testing import free_address
from tests.cluster.machines import HEAD, WORKER, machines
from tests.cluster.nodes import HOLDER, TIDEGATE, places_in, publish, submit
from tests.integration.desk import write_portfolio
from tidegate.v1 import common_pb2

pytestmark = pytest.mark.timeout(300)


def test_a_cluster_launched_by_ssh_takes_a_portfolio_and_answers_an_order(tmp_path: Path) -> None:
    """The head starts Ray on the worker, the portfolio is on both, and the RiskManager is near the journal."""
    strategies = [HOLDER | {"id": name} for name in ("one", "two")]
    adapter = {"name": "paper", "command": []}
    portfolio = write_portfolio(tmp_path, strategies, clock="wall", replay=None, adapters=[adapter])
    listen = free_address()
    with machines() as own:
        assert own.ray("get-auth-token", "--generate").returncode == 0
        launched = own.ray("up", "--yes", "--no-config-cache", str(own.config))
        assert launched.returncode == 0, launched.stdout
        own.wait_for_worker()
        journal = tmp_path / "journal.db"
        started = own.on_head(f"tidegate up {portfolio} --address auto --journal {journal} --listen {listen}")
        assert f"serving on {listen}" in started
        with Client(listen, timeout_s=30) as client:
            publish(client)
            assert common_pb2.ACTION_ALLOW == submit(client, "first").action
        said = own.on_head("tidegate scale --address auto && tidegate down --address auto")
        places = places_in(said)
        assert HEAD == places["RiskManager"]["host"]
        assert WORKER in {places[f"Strategy:{name}"]["host"] for name in ("one", "two")}
        assert "RiskManager; the journal keeps everything" in said


def test_where_no_cluster_answers_one_line_says_so() -> None:
    """At once: Ray itself would try again for a quarter of an hour."""
    address = free_address()
    command = [TIDEGATE, "scale", "--address", address]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603 -- ours
    assert 1 == shown.returncode
    assert shown.stderr.startswith(f"no Ray cluster answers at {address}: ")
    assert 1 == len(shown.stderr.splitlines())
