"""``tidegate run``: everything started, a replay through it if there is one, then service until Ctrl-C."""

import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from actors import cluster
from actors.port import OpenFrontDoor
from actors.risk_manager import RiskManagerSettings
from actors.snapshots import SNAPSHOT_EVERY
from actors.strategy_actor import StrategySpec, load_risk_model, load_strategy
from gateway.adapters import AdapterProcesses
from gateway.addresses import beside
from gateway.calendars import configuration_of
from gateway.client import TIMEOUT_S, Client
from gateway.inner_door import Inside, inside
from gateway.metrics import MetricsEndpoint
from gateway.prices import Prices
from gateway.protection import Protection
from gateway.replay import Progress as BarProgress
from gateway.replay import Replay
from gateway.run_lock import lock_run, say_who_writes
from gateway.server import Gateway, open_gateway
from gateway.tables import show_portfolio
from tidegate.journal.location import Location
from tidegate.journal.reports import beside as reports_beside
from tidegate.portfolio_file import PortfolioFile, read_portfolio_file
from tidegate.report_rules import ReportRules
from tidegate.times import to_datetime
from tidegate.yaml_file import Problem

_PLAIN_PROGRESS_PERIOD_S = 10.0
_REPORTS_NEED = "scipy"

OpenGateway = partial[Coroutine[Any, Any, Gateway]]


@dataclass(frozen=True)
class RunOptions:
    """
    What a run is asked to do.

    apart: the gateway in an actor of its own instead of beside the RiskManager. more_gateways: addresses of further
    ones, each an actor of its own. metrics: where the RiskManager's process serves its figures; each gateway apart does
    so one port further on. leave: end after the replay.
    protection: its files by their absolute paths, for the actors do not stand in this folder.
    snapshot_every: events between two snapshots, 0 for none. whole: read every event at the start.
    """

    portfolio: Path
    journal: Location
    address: str
    apart: bool = False
    more_gateways: tuple[str, ...] = ()
    leave: bool = False
    begin: date | None = None
    end: date | None = None
    protection: Protection = field(default_factory=Protection)
    metrics: str = ""
    snapshot_every: int = SNAPSHOT_EVERY
    whole: bool = False


class Started(NamedTuple):
    """What runs: how many events its journal held, and the way in for a client of the run's own."""

    events: int
    inside: Inside

    def client(self, timeout_s: float = TIMEOUT_S) -> Client:
        """Connect by the inner door if there is one, whatever the environment says."""
        own = self.inside
        return Client(own.address, timeout_s=timeout_s, token=own.replay_token, ca="", certificate="", key="")


def run(options: RunOptions, console: Console) -> None:
    """
    Start everything, replay, show the result, serve.

    Raises:
        TidegateError: something cannot start; what had started is stopped.
        KeyboardInterrupt: it was asked to end, by Ctrl-C or SIGTERM.
    """
    portfolio = read_and_check(options, console)
    specs = strategy_specs(portfolio, options)
    prices = _prices(portfolio, options)
    lock = lock_run(options.journal)
    say_who_writes(options.journal, _printer(console))
    console.print("starting Ray and the actors", highlight=False)
    try:
        with _signals_deferred():
            cluster.start_ray()
        with started(portfolio, specs, options, _printer(console)) as running, running.client() as client:
            say = _printer(console)
            say(f"journal {options.journal}: {running.events:,} events; logs in {_logs(options)}")
            if portfolio.replay is not None and prices is not None:
                _replay(Replay(client, portfolio.replay.operator), prices, console)
                show_portfolio(client, console)
            if not options.leave:
                console.print(f"serving on {options.address}; Ctrl-C ends", highlight=False)
                threading.Event().wait()
            _ignore_signals()
    except KeyboardInterrupt:
        lock.check()
        raise
    finally:
        cluster.stop_ray()
        lock.close()


def read_and_check(options: RunOptions, console: Console) -> PortfolioFile:
    """
    Read the portfolio file, and say what is unwise in it.

    Raises:
        TidegateError: it, an address or a protection cannot be used.
    """
    for address in (options.address, *options.more_gateways):
        options.protection.check(address)
    if options.metrics:
        _metrics(options).check()
    portfolio = read_portfolio_file(
        options.portfolio, partial(_check_strategies, folder=options.portfolio.parent.resolve())
    )
    for warning in portfolio.warnings():
        console.print(f"{options.portfolio}: warning: {warning}", style="yellow", highlight=False, soft_wrap=True)
    return portfolio


@contextmanager
def started(
    portfolio: PortfolioFile, specs: list[StrategySpec], options: RunOptions, say: Callable[[str], None]
) -> Iterator[Started]:
    """
    Start the actors and the adapters on the Ray that runs; stop them, adapters first, whatever happens meanwhile.

    ``say`` gets a line when an adapter died.
    """
    with inside(portfolio, options.address, options.protection) as own:
        open_front_door = partial(open_gateway, address=options.address, protection=own.protection)
        settings = settings_of(portfolio, specs, options, open_front_door, say)
        _logs(options).mkdir(parents=True, exist_ok=True)
        folder = options.portfolio.parent.resolve()
        adapters = AdapterProcesses(portfolio.adapters, folder=folder, inside=own, logs=_logs(options), say=say)
        try:
            events = cluster.start(settings)
            adapters.start()
            yield Started(events, own)
        finally:
            adapters.stop()
            cluster.stop()


def settings_of(
    portfolio: PortfolioFile,
    specs: list[StrategySpec],
    options: RunOptions,
    open_front_door: OpenGateway,
    say: Callable[[str], None],
) -> cluster.ClusterSettings:
    """Write down what every actor needs; ``say`` gets a line where something is done without."""
    rules, journal, logs = _report_rules(portfolio, say), _absolute(options.journal), _logs(options)
    return cluster.ClusterSettings(
        risk_manager=RiskManagerSettings(
            configuration=configuration_of(portfolio).SerializeToString(),
            journal=journal,
            logs=logs,
            reports=None if rules is None else reports_beside(journal, logs),
            open_front_door=None if options.apart else open_front_door,
            open_metrics=None if not options.metrics else _metrics(options).open,
            snapshot_every=options.snapshot_every,
            whole=options.whole,
        ),
        strategies=specs,
        bar_deadline_s=portfolio.bar_deadline_s,
        gateways_apart=_gateways_apart(options, open_front_door),
        reports=rules,
    )


def _report_rules(portfolio: PortfolioFile, say: Callable[[str], None]) -> ReportRules | None:
    """Return what reports are made by; None, said aloud, without the extra: trading does not wait for it."""
    if portfolio.reports is None:
        return None
    if find_spec(_REPORTS_NEED) is None:
        say(f"reports: no risk reports are made: {_REPORTS_NEED} is missing, install the extra tidegate[statistics]")
        return None
    return portfolio.reports.to_rules()


def _gateways_apart(options: RunOptions, open_front_door: OpenGateway) -> dict[str, OpenFrontDoor]:
    """Name the gateways in actors of their own; the listener of AdminService alone is the first one's."""
    protection = options.protection.of_further_gateways()
    apart: dict[str, OpenGateway] = {"1": open_front_door} if options.apart else {}
    for number, address in enumerate(options.more_gateways, start=2):
        apart[str(number)] = partial(open_gateway, address=address, protection=protection)
    if not options.metrics:
        return dict(apart)
    endpoints = {name: _metrics(options, number) for number, name in enumerate(apart, start=1)}
    return {name: partial(opening, metrics=endpoints[name]) for name, opening in apart.items()}


def _metrics(options: RunOptions, number: int = 0) -> MetricsEndpoint:
    tls = options.protection.tls
    files = (None, None) if tls is None else (tls.certificate, tls.key)
    return MetricsEndpoint(beside(options.metrics, number), *files)


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    """Stop undisturbed: a second Ctrl-C must not leave processes behind."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def _signals_deferred() -> Iterator[None]:
    """
    Hold Ctrl-C and SIGTERM back until Ray has started: a half-started Ray leaves processes behind.

    Afterwards both interrupt; Ray has put handlers of its own in place, which abort.
    """
    held: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        signal.signal(number, lambda number, _frame: held.append(number))
    yield
    for number in numbers:
        signal.signal(number, _interrupt)
    if held:
        _interrupt(held[0], None)


def strategy_specs(portfolio: PortfolioFile, options: RunOptions) -> list[StrategySpec]:
    """Write down what each strategy's actor needs."""
    configuration = portfolio.to_wire().SerializeToString()
    return [
        StrategySpec(
            strategy_id=section.id,
            code=section.code,
            parameters=section.parameters,
            route=section.route or "",
            folder=options.portfolio.parent.resolve(),
            configuration=configuration,
            logs=_logs(options),
            risk_models=tuple((model.code, model.parameters) for model in section.risk_models),
        )
        for section in portfolio.strategies
        if section.code is not None
    ]


def _check_strategies(portfolio: PortfolioFile, folder: Path) -> Iterator[Problem]:
    """Build each strategy and risk model once here, so that a wrong class is refused before anything starts."""
    for index, section in enumerate(portfolio.strategies):
        if section.code is None:
            continue
        try:
            load_strategy(section.code, section.parameters, folder)
        except Exception as error:  # noqa: BLE001 -- user code may raise anything; it becomes a line of the refusal
            text = f"cannot build {section.code}: {type(error).__name__}: {error}"
            yield Problem(("strategies", index, "class"), text)
        for place, model in enumerate(section.risk_models):
            try:
                load_risk_model(model.code, model.parameters, folder)
            except Exception as error:  # noqa: BLE001 -- user code may raise anything; it becomes a line of the refusal
                text = f"cannot build {model.code}: {type(error).__name__}: {error}"
                yield Problem(("strategies", index, "risk_models", place, "class"), text)


def _prices(portfolio: PortfolioFile, options: RunOptions) -> Prices | None:
    if portfolio.replay is None:
        return None
    symbols = [section.symbol for section in portfolio.instruments]
    folder = options.portfolio.parent.resolve()
    return Prices(portfolio.replay.prices, symbols, folder=folder, begin=options.begin, end=options.end)


def _printer(console: Console) -> Callable[[str], None]:
    return partial(console.print, highlight=False, soft_wrap=True)


def _absolute(journal: Location) -> Location:
    return journal.resolve() if isinstance(journal, Path) else journal


def _logs(options: RunOptions) -> Path:
    """Log beside the journal's file; of a run with a database, where the file would be."""
    journal = options.journal if isinstance(options.journal, Path) else Path("var/journal.db")
    return journal.parent.resolve() / "logs"


def _replay(replay: Replay, prices: Prices, console: Console) -> None:
    """Run the bars under a progress bar; where nobody watches, print a line from time to time."""
    completed_ns = replay.completed_ns()
    sessions = [session for session in prices.sessions() if session.time_ns > completed_ns]
    if done := len(prices) - len(sessions):
        console.print(f"{done:,} bars are in the journal already; going on after them", highlight=False)
    columns = (
        TextColumn("{task.fields[date]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.0f} bars/s  equity {task.fields[equity]}  {task.fields[drawdown]}"),
        TextColumn("{task.fields[halted]}"),
        TimeRemainingColumn(),
    )
    began = shown = time.monotonic()
    count = 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(sessions), date="", rate=0.0, equity="", drawdown="", halted="")

        def show(bar: BarProgress) -> None:
            nonlocal count, shown
            count += 1
            now = time.monotonic()
            fields: dict[str, Any] = {
                "date": to_datetime(bar.time_ns).date().isoformat(),
                "rate": count / max(now - began, 1e-9),
                "equity": f"{Decimal(bar.equity):,.0f}",
                "drawdown": f"{Decimal(bar.drawdown or 0) * 100:.1f}%",
                "halted": "HALTED" if bar.is_halted else "",
            }
            progress.update(task, completed=count, **fields)
            if not console.is_terminal and now - shown > _PLAIN_PROGRESS_PERIOD_S:
                shown = now
                line = "{date}  {n:,} of {total:,}  {rate:.0f} bars/s  equity {equity}  {drawdown}  {halted}"
                console.print(line.format(n=count, total=len(sessions), **fields).rstrip(), highlight=False)

        replay.run(sessions, show)
    elapsed_s = time.monotonic() - began
    if count:
        rate = count / elapsed_s
        console.print(f"{count:,} bars in {elapsed_s:.0f} s, {rate:.0f} bars/s", highlight=False)
