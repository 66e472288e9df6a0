"""A Ray cluster of several nodes on this machine, and what a user would type to it."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import grpc

from actors.names import JOURNAL_RESOURCE
from gateway.client import Client, new_order
from gateway.testing import free_address
from tests.integration.desk import write_portfolio
from tidegate.journal.location import Database, Location
from tidegate.v1 import common_pb2, market_data_pb2, orders_pb2, portfolio_pb2

TIDEGATE = str(Path(sys.executable).parent / "tidegate")
# As a strategy of the portfolio file: each buys a few units with every bar.
HOLDER: dict[str, object] = {
    "class": "strategies_for_tests:Holder",
    "kind": "margin",
    "allocation": 0.2,
    "route": "paper",
    "parameters": {"quantity": 5},
}


@dataclass
class Nodes:
    """A cluster that runs, and a portfolio file for it."""

    cluster: Any
    portfolio: Path
    journal: Location
    listen: str = field(default_factory=free_address)

    @property
    def address(self) -> str:
        """Where the head is."""
        return str(self.cluster.gcs_address)

    def ask(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the program to its end."""
        command = [TIDEGATE, *words, "--address", self.address]
        return subprocess.run(  # noqa: S603 -- the program under test
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
            env=os.environ | environment,
            cwd=self.portfolio.parent,  # where the logs go, with a journal in a database
        )

    def up(self) -> subprocess.CompletedProcess[str]:
        """Start the portfolio."""
        journal = self.journal.url if isinstance(self.journal, Database) else str(self.journal)
        return self.ask("up", str(self.portfolio), "--journal", journal, "--listen", self.listen)

    def places(self) -> dict[str, dict[str, str]]:
        """Read the table of ``tidegate scale``: by part, its columns."""
        shown = self.ask("scale")
        assert shown.returncode == 0, shown.stderr
        return places_in(shown.stdout)

    def node_of(self, part: str) -> Any:
        """Find the node on which a part runs."""
        short = self.places()[part]["node"]
        return next(node for node in self.cluster.list_all_nodes() if node.node_id.startswith(short))


def places_in(shown: str) -> dict[str, dict[str, str]]:
    """Read the table of ``tidegate scale``: by part, its columns."""
    lines = [line.strip().split(maxsplit=6) for line in shown.splitlines()]
    begin = next(number for number, line in enumerate(lines) if line[:1] == ["part"])
    return {line[0]: dict(zip(lines[begin], line, strict=True)) for line in lines[begin + 1 :] if len(line) == 7}


def publish(client: Client, orders: int = 0) -> int:
    """Publish a bar of now, and wait until the strategies have decided on it; return how many orders there are."""
    bars = [market_data_pb2.Bar(symbol=symbol, close="10") for symbol in ("UP", "FLAT", "FALL")]
    request = market_data_pb2.PublishBarsRequest(bars=bars)
    request.time.GetCurrentTime()
    client.market_data.PublishBars(request)
    began, found = time.monotonic(), orders
    while found <= orders:
        assert time.monotonic() - began < 120
        time.sleep(0.2)
        strategies = client.portfolio.ListStrategies(portfolio_pb2.ListStrategiesRequest()).strategies
        found = sum(strategy.performance.orders for strategy in strategies)
    return found


def submit(client: Client, client_order_id: str) -> orders_pb2.Decision:
    """Submit an order again and again until it is answered."""
    order = new_order(
        strategy_id="one", client_order_id=client_order_id, symbol="UP", side=common_pb2.SIDE_BUY, quantity="1"
    )
    request = orders_pb2.SubmitOrderRequest(order=order)
    return wait_for(lambda: client.orders.SubmitOrder(request, timeout=3).decision)


def wait_for(ask: Callable[[], orders_pb2.Decision]) -> orders_pb2.Decision:
    """Ask until there is an answer; a gateway that is away says UNAVAILABLE, and nothing else."""
    began = time.monotonic()
    while True:
        try:
            return ask()
        except grpc.RpcError as error:
            code = error.code()
        assert code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
        assert time.monotonic() - began < 120
        time.sleep(0.2)


@contextmanager
def nodes(
    folder: Path, workers: int, database: Database | None = None, *, cpus: int = 1, **environment: str
) -> Iterator[Nodes]:
    """
    Run a head and so many workers, with a token of their own; the journal is a file of the folder, or a database.

    The head is near the journal only where there is no other node.
    """
    from ray._private.authentication_test_utils import reset_auth_token_state  # noqa: PLC0415 -- Ray is slow to import
    from ray.cluster_utils import Cluster  # noqa: PLC0415

    strategies = [HOLDER | {"id": name} for name in ("one", "two", "three", "four")]
    adapter = {"name": "paper", "command": []}
    portfolio = write_portfolio(folder, strategies, clock="wall", replay=None, adapters=[adapter])
    near: dict[str, float] = {JOURNAL_RESOURCE: 1}
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with mock.patch.dict(os.environ, secret | environment):
        reset_auth_token_state()
        head = {"num_cpus": cpus, "include_dashboard": False, "resources": {} if workers else near}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            for _ in range(workers):
                cluster.add_node(num_cpus=cpus, resources=near)
            yield Nodes(cluster, portfolio, database or folder / "journal.db")
        finally:
            cluster.shutdown()  # type: ignore[no-untyped-call]
    reset_auth_token_state()
