"""The commands ``tidegate reconcile`` and ``tidegate suspense``: a broker's statement, and fills of nobody's."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gateway.addresses import DEFAULT_ADDRESS
from gateway.halt_commands import Instrument, Operator, Strategy, halt_scope, operator_name
from gateway.statement_file import read_statement_file
from gateway.terminal import REFUSED, connected, fail
from tidegate.errors import ConfigurationError
from tidegate.v1 import common_pb2, portfolio_pb2, reconciliation_pb2

suspense_app = typer.Typer(no_args_is_help=True, help="Show and assign fills of orders that the gate never saw.")

Address = Annotated[str, typer.Option(help="Where the gateway listens.")]
_LEVELS = {
    "": common_pb2.HALT_LEVEL_UNSPECIFIED,
    "reduce-only": common_pb2.HALT_LEVEL_REDUCE_ONLY,
    "halted": common_pb2.HALT_LEVEL_HALTED,
}


def reconcile(  # noqa: PLR0913 -- each is an option of the command
    context: typer.Context,
    statement: Annotated[Path, typer.Argument(help="The statement, YAML or JSON.", exists=True, dir_okay=False)],
    *,
    operator: Operator = "",
    halt: Annotated[str, typer.Option(help="On a break, halt: reduce-only or halted.")] = "",
    strategy: Strategy = "",
    instrument: Instrument = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Hold a broker's statement against the books of its account; exit code 1 when it breaks."""
    if halt not in _LEVELS:
        fail(f"--halt takes reduce-only or halted, not {halt}")
    try:
        request = read_statement_file(statement).to_wire()
    except ConfigurationError as error:
        fail(str(error))
    request.halt_level = _LEVELS[halt]
    request.halt_scope.CopyFrom(halt_scope(strategy, instrument))
    with connected(context, address) as client:
        request.operator = operator_name(operator, client)
        response = client.admin.ReconcilePositions(request)
    if not response.difference_count:
        typer.echo(f"{request.account} is clean (event {response.sequence})")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("kind", "what"):
        table.add_column(name, no_wrap=True)
    for name in ("here", "at the broker", "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("", "since"):
        table.add_column(name, no_wrap=True)
    for one in response.differences:
        kind = reconciliation_pb2.DifferenceKind.Name(one.kind).removeprefix("DIFFERENCE_KIND_")
        what = " ".join(filter(None, [one.strategy_id, one.order_id, one.broker_order_id, one.symbol, one.currency]))
        mark = "BREAK" if one.is_break else "in flight"
        table.add_row(kind, what, one.ours, one.stated, one.difference, mark, one.since.ToJsonString())
    Console(markup=False, width=160).print(table)
    rest = response.difference_count - len(response.differences)
    more = f", {rest} of them not shown" if rest else ""
    typer.echo(
        f"{request.account}: {response.difference_count} differences{more}, {response.break_count} breaks "
        f"(event {response.sequence})"
    )
    for one_halt in response.halts:
        level = common_pb2.HaltLevel.Name(one_halt.level).removeprefix("HALT_LEVEL_")
        typer.echo(f"{one_halt.scope.name or 'portfolio'} is {level}: {one_halt.reason}")
    if response.break_count:
        raise typer.Exit(REFUSED)


@suspense_app.command("list")
def list_suspense(context: typer.Context, address: Address = DEFAULT_ADDRESS) -> None:
    """Show every fill that nobody has assigned, oldest first."""
    with connected(context, address) as client:
        response = client.portfolio.ListSuspense(portfolio_pb2.ListSuspenseRequest())
    if not response.fills:
        typer.echo("nothing is in suspense")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("event", "time", "account", "execution", "side"):
        table.add_column(name, no_wrap=True)
    for name in ("quantity", "symbol", "price", "fee"):
        table.add_column(name, justify="right", no_wrap=True)
    for fill in response.fills:
        side = common_pb2.Side.Name(fill.side).removeprefix("SIDE_")
        names = (str(fill.sequence), fill.time.ToJsonString(), fill.account, fill.execution_id, side)
        table.add_row(*names, fill.quantity, fill.symbol, fill.price, fill.fee or "0")
    Console(markup=False, width=160).print(table)
    if response.left_out:
        typer.echo(f"and {response.left_out} older ones; read the journal for them")


@suspense_app.command("assign")
def assign_suspense(  # noqa: PLR0913 -- each is an option of the command
    context: typer.Context,
    account: Annotated[str, typer.Argument(help="The account at the broker.")],
    execution_id: Annotated[str, typer.Argument(help="The broker's id of the fill.")],
    *,
    strategy: Annotated[str, typer.Option(help="Whose it is.")],
    reason: Annotated[str, typer.Option(help="Why; it is journaled.")],
    operator: Operator = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Move a fill with its cash and fee from the suspense ledger to a strategy's, once."""
    request = reconciliation_pb2.AssignSuspenseRequest(
        account=account, execution_id=execution_id, strategy_id=strategy, reason=reason
    )
    with connected(context, address) as client:
        request.operator = operator_name(operator, client)
        sequence = client.admin.AssignSuspense(request).sequence
    typer.echo(f"{execution_id} of {account} is {strategy}'s (event {sequence})")
