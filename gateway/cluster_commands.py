"""The command line's way to a Ray cluster: ``tidegate up``, ``down`` and ``scale``."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from gateway.addresses import DEFAULT_ADDRESS
from gateway.journal_commands import journal_at
from gateway.protection import Protection
from gateway.terminal import fail, tls_files
from tidegate.errors import TidegateError

if TYPE_CHECKING:
    from gateway.run import RunOptions
    from tidegate.portfolio_file import PortfolioFile

RayAddress = Annotated[str, typer.Option("--address", help="The Ray cluster's head, as in 10.0.0.1:6379.")]
_MEBIBYTE = 1024 * 1024


def up(  # noqa: PLR0913 -- each is an option of the command
    portfolio: Annotated[Path, typer.Argument(help="The portfolio file.", exists=True, dir_okay=False)],
    *,
    address: RayAddress,
    journal: Annotated[
        str,
        typer.Option(help="Where the journal is, or begins: a file of its node, or postgresql://user@host/database."),
    ],
    listen: Annotated[
        str, typer.Option(help="Where the gateway listens, on the RiskManager's node.")
    ] = DEFAULT_ADDRESS,
    access: Annotated[Path | None, typer.Option(help="The access file: who may call, and what for.")] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="The gateway's certificate chain (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key (PEM).")] = None,
    tls_client_ca: Annotated[Path | None, typer.Option(help="Clients must show a certificate of this CA.")] = None,
    admin_address: Annotated[str, typer.Option(help="Where AdminService answers, and nothing else.")] = "",
    apart: Annotated[bool, typer.Option("--apart", help="The gateway in an actor of its own.")] = False,
    more_gateways: Annotated[
        list[str] | None, typer.Option("--gateway", help="Where a further gateway listens, in an actor of its own.")
    ] = None,
    metrics: Annotated[str, typer.Option(help="Where Prometheus finds the figures, as in 127.0.0.1:9464.")] = "",
) -> None:
    """Start a portfolio on a Ray cluster that runs, and leave it there; every path is one of the nodes."""
    _show_token()
    from gateway.run import RunOptions, read_and_check  # noqa: PLC0415 -- the other commands need no Ray

    options = RunOptions(
        portfolio=portfolio,
        journal=journal_at(journal),
        address=listen,
        apart=apart,
        more_gateways=tuple(more_gateways or ()),
        metrics=metrics,
        protection=Protection(
            access=access and access.absolute(),
            tls=tls_files(tls_certificate, tls_key, tls_client_ca),
            admin_address=admin_address,
        ),
    )
    console = Console(markup=False)
    with _failing_in_one_line():
        read = read_and_check(options, console)
        _check_live(read, portfolio)
        with _joined(address):
            _start(read, options, console)


def down(address: RayAddress) -> None:
    """End the portfolio that runs on a Ray cluster, in order; the cluster and the journal stay."""
    _show_token()
    from actors import cluster  # noqa: PLC0415 -- the other commands need no Ray

    with _failing_in_one_line(), _joined(address):
        names = cluster.running()
        cluster.stop()
    typer.echo(f"stopped {', '.join(names)}; the journal keeps everything" if names else "nothing runs there")


def scale(address: RayAddress) -> None:
    """Show where everything runs: node, process, restarts, memory."""
    _show_token()
    from actors.cluster import running  # noqa: PLC0415 -- the other commands need no Ray

    with _failing_in_one_line(), _joined(address):
        if running():
            _show_places(Console(markup=False))
        else:
            typer.echo("nothing runs there")


def _show_token() -> None:
    """
    Have Ray show its token: left to itself it does so to a cluster that it finds by "auto", and to none that is named.

    To be said before Ray is imported, for it listens only then.
    """
    os.environ["RAY_AUTH_MODE"] = os.environ.get("RAY_AUTH_MODE") or "token"


def _start(portfolio: "PortfolioFile", options: "RunOptions", console: Console) -> None:
    from actors import cluster  # noqa: PLC0415 -- the other commands need no Ray
    from gateway.run import settings_of, strategy_specs  # noqa: PLC0415
    from gateway.server import open_gateway  # noqa: PLC0415

    cluster.check_room()
    open_front_door = partial(open_gateway, address=options.address, protection=options.protection)
    say = partial(console.print, highlight=False, soft_wrap=True)
    events = cluster.start(settings_of(portfolio, strategy_specs(portfolio, options), options, open_front_door, say))
    say(f"journal {options.journal}: {events:,} events; serving on {options.address}")
    _show_places(console)


def _check_live(portfolio: "PortfolioFile", path: Path) -> None:
    """Refuse what takes a process that stays: nothing of this one is left when the portfolio is up."""
    if portfolio.replay is not None:
        message = f"{path}: a replay runs with tidegate run, on one machine"
        raise TidegateError(message)
    if commands := [adapter.name for adapter in portfolio.adapters if adapter.command]:
        message = f"{path}: on a cluster adapters are started by whoever runs their machine, not by: {commands[0]}"
        raise TidegateError(message)


def _show_places(console: Console) -> None:
    from actors.places import places  # noqa: PLC0415 -- the other commands need no Ray

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("part", "state", "node", "host"):
        table.add_column(name, no_wrap=True)
    for name in ("process", "restarts", "memory"):
        table.add_column(name, justify="right", no_wrap=True)
    for place in places():
        memory = "no answer" if place.memory is None else f"{place.memory // _MEBIBYTE} MiB"
        numbers = (str(place.process_id), str(place.restarts), memory)
        table.add_row(place.name, place.state, place.node_id[:8], place.host, *numbers)
    console.print(table, soft_wrap=True)


@contextmanager
def _joined(address: str) -> Iterator[None]:
    from actors import cluster  # noqa: PLC0415 -- the other commands need no Ray

    cluster.join(address)
    try:
        yield
    finally:
        cluster.stop_ray()


@contextmanager
def _failing_in_one_line() -> Iterator[None]:
    try:
        yield
    except TidegateError as error:
        fail(str(error))
