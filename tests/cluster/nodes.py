"""A Ray cluster of several nodes on this machine, and what a user would type to it."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from actors.names import JOURNAL_RESOURCE
from gateway.testing import free_address
from tests.integration.desk import write_portfolio

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
    listen: str = field(default_factory=free_address)

    @property
    def address(self) -> str:
        """Where the head is."""
        return str(self.cluster.gcs_address)

    @property
    def journal(self) -> Path:
        """The journal's file: the nodes share this machine's disk."""
        return self.portfolio.parent / "journal.db"

    def ask(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the program to its end."""
        command = [TIDEGATE, *words, "--address", self.address]
        return subprocess.run(  # noqa: S603 -- the program under test
            command, capture_output=True, text=True, check=False, timeout=240, env=os.environ | environment
        )

    def up(self) -> subprocess.CompletedProcess[str]:
        """Start the portfolio."""
        return self.ask("up", str(self.portfolio), "--journal", str(self.journal), "--listen", self.listen)

    def places(self) -> dict[str, dict[str, str]]:
        """Read the table of ``tidegate scale``: by part, its columns."""
        shown = self.ask("scale")
        assert shown.returncode == 0, shown.stderr
        lines = [line.strip().split(maxsplit=6) for line in shown.stdout.splitlines()]
        header, *rows = [line for line in lines if len(line) == 7]
        return {row[0]: dict(zip(header, row, strict=True)) for row in rows}

    def node_of(self, part: str) -> Any:
        """Find the node on which a part runs."""
        short = self.places()[part]["node"]
        return next(node for node in self.cluster.list_all_nodes() if node.node_id.startswith(short))


@contextmanager
def nodes(folder: Path, workers: int, **environment: str) -> Iterator[Nodes]:
    """
    Run a head and so many workers, with a token of their own.

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
        head = {"num_cpus": 1, "include_dashboard": False, "resources": {} if workers else near}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            for _ in range(workers):
                cluster.add_node(num_cpus=1, resources=near)
            yield Nodes(cluster, portfolio)
        finally:
            cluster.shutdown()  # type: ignore[no-untyped-call]
    reset_auth_token_state()
