"""A whole desk on the session's Ray: actors, gateway, paper broker, and a replay through them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gateway.client import Client
from gateway.prices import Prices, Session
from gateway.protection import Protection
from gateway.replay import Replay
from gateway.run import RunOptions, started, strategy_specs
from tests.integration.conftest import PORTFOLIO, free_address
from tidegate.journal.location import Database, Location, open_journal
from tidegate.portfolio_file import PortfolioFile, read_portfolio_file
from tidegate.v1 import journal_pb2, portfolio_pb2


@dataclass
class Desk:
    """What a test holds in its hands."""

    client: Client
    portfolio: PortfolioFile
    sessions: list[Session]
    journal: Path
    logs: Path
    address: str

    def replay(self, begin: int, end: int) -> None:
        """Run some of the bars, by their numbers."""
        operator = self.portfolio.replay.operator if self.portfolio.replay is not None else None
        Replay(self.client, operator).run(self.sessions[begin:end], lambda _progress: None)

    def strategies(self) -> dict[str, portfolio_pb2.StrategySummary]:
        """Ask the gateway for every strategy."""
        answer = self.client.portfolio.ListStrategies(portfolio_pb2.ListStrategiesRequest())
        return {strategy.strategy_id: strategy for strategy in answer.strategies}

    def whole(self) -> portfolio_pb2.GetPortfolioResponse:
        """Ask the gateway for the portfolio."""
        return self.client.portfolio.GetPortfolio(portfolio_pb2.GetPortfolioRequest())


def write_portfolio(folder: Path, strategies: list[dict[str, object]] | None = None, **changes: Any) -> Path:
    """Write the small portfolio file with other strategies or keys, so that it works in another folder."""
    content = yaml.safe_load(PORTFOLIO.read_text(encoding="utf-8")) | changes
    if strategies is not None:
        content["strategies"] = strategies
    broker = PORTFOLIO.parents[3] / "examples" / "paper_broker.py"
    for adapter in content["adapters"]:
        adapter["command"] = [str(broker) if "paper_broker" in word else word for word in adapter["command"]]
    for name in ("prices.py", "strategies_for_tests.py"):
        (folder / name).write_text((PORTFOLIO.parent / name).read_text(encoding="utf-8"), encoding="utf-8")
    path = folder / "portfolio.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@contextmanager
def open_desk(
    path: Path,
    *,
    apart: bool = False,
    more_gateways: Sequence[str] = (),
    protection: Protection | None = None,
    database: Database | None = None,
) -> Iterator[Desk]:
    """Start what a portfolio file names, on a journal beside the file or in a database; the client is the run's own."""
    portfolio = read_portfolio_file(path)
    journal = path.parent / "journal.db"
    options = RunOptions(
        path,
        database or journal,
        free_address(),
        apart=apart,
        more_gateways=tuple(more_gateways),
        protection=protection or Protection(),
    )
    symbols = [section.symbol for section in portfolio.instruments]
    source = portfolio.replay.prices if portfolio.replay is not None else ""
    sessions = list(Prices(source, symbols, folder=path.parent, begin=None, end=None).sessions())
    specs = strategy_specs(portfolio, options)
    with started(portfolio, specs, options, print) as running, running.client(timeout_s=60) as client:
        yield Desk(client, portfolio, sessions, journal, path.parent / "logs", options.address)


def events_of(journal: Location) -> list[journal_pb2.Event]:
    """Read a journal that nobody writes any more, and verify it."""
    store = open_journal(journal)
    store.verify()
    events = list(store.read(0))
    store.close()
    return events
