"""The commands ``tidegate strategy`` and ``tidegate rebalance``: who trades here, and with how much."""

import uuid
from typing import Annotated

import typer

from gateway.addresses import DEFAULT_ADDRESS
from gateway.halt_commands import operator_name
from gateway.terminal import connected, fail
from tidegate.v1 import admin_pb2, common_pb2

strategy_app = typer.Typer(no_args_is_help=True, help="Add, liquidate and remove strategies.")

Address = Annotated[str, typer.Option(help="Where the gateway listens.")]
Reason = Annotated[str, typer.Option(help="Why; it is journaled.")]
Operator = Annotated[str, typer.Option(help="Who; by default you: your token's name, or this machine's user.")]
Strategy = Annotated[str, typer.Argument(metavar="STRATEGY", help="The strategy's id.")]


@strategy_app.command()
def add(  # noqa: PLR0913 -- each is an option of the command
    context: typer.Context,
    strategy: Strategy,
    *,
    reason: Reason,
    amount: Annotated[str, typer.Option(help="Its capital, from the reserve; none: nothing yet.")] = "",
    max_leverage: Annotated[str, typer.Option(help="Its exposure, as a multiple of its own equity.")] = "1",
    instrument: Annotated[
        list[str] | None, typer.Option(help="What it may trade, as often as needed; none: all.")
    ] = None,
    long_only: Annotated[bool, typer.Option("--long-only", help="Sell only what it has.")] = False,
    route: Annotated[str, typer.Option(help="The adapter that sends the orders by which it is reduced.")] = "",
    operator: Operator = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Add a strategy without code: its orders come over gRPC. An id is never used twice."""
    with connected(context, address) as client:
        request = admin_pb2.AddStrategyRequest(
            strategy_id=strategy,
            amount=amount,
            max_leverage=max_leverage,
            instruments=instrument or (),
            long_only=long_only,
            route=route,
            operator=operator_name(operator, client),
            reason=reason,
        )
        response = client.admin.AddStrategy(request)
    typer.echo(f"{strategy}: added with {amount or '0'} (event {response.sequence})")


@strategy_app.command()
def remove(
    context: typer.Context,
    strategy: Strategy,
    *,
    reason: Reason,
    operator: Operator = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Remove a strategy that is flat; its cash goes back to the reserve."""
    with connected(context, address) as client:
        name = operator_name(operator, client)
        request = admin_pb2.RemoveStrategyRequest(strategy_id=strategy, operator=name, reason=reason)
        response = client.admin.RemoveStrategy(request)
    typer.echo(f"{strategy}: removed, {response.amount} back in the reserve (event {response.sequence})")


@strategy_app.command()
def liquidate(  # noqa: PLR0913 -- each is an option of the command
    context: typer.Context,
    strategy: Strategy,
    *,
    reason: Reason,
    remove: Annotated[bool, typer.Option("--remove", help="Remove it once it is flat.")] = False,
    operator: Operator = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Close a strategy's positions; it adds no risk until it is reset."""
    with connected(context, address) as client:
        name = operator_name(operator, client)
        request = admin_pb2.LiquidateStrategyRequest(strategy_id=strategy, operator=name, reason=reason, remove=remove)
        response = client.admin.LiquidateStrategy(request)
    typer.echo(f"{strategy}: {response.cancels_requested} cancels requested, {len(response.positions)} to close")
    for one in response.positions:
        line = f"  {one.quantity} {one.symbol}: {one.submitted_quantity} on the way out"
        typer.echo(line + (f"; {one.reason_code}: {one.reason}" if one.reason_code else ""))
    if remove:
        typer.echo("removed" if response.removed else "to be removed once it is flat")


def rebalance(  # noqa: PLR0913 -- each is an option of the command
    context: typer.Context,
    weights: Annotated[list[str] | None, typer.Argument(metavar="STRATEGY=WEIGHT", help="As in momentum=0.4.")] = None,
    *,
    reason: Reason,
    rebalance_id: Annotated[str, typer.Option("--id", help="Your own id; a new one by default.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    operator: Operator = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Move capital to shares of the equity of now; without any, give up what is still pending."""
    request = admin_pb2.RebalanceRequest(
        rebalance_id=rebalance_id or f"cli-{uuid.uuid4().hex}", reason=reason, dry_run=dry_run
    )
    for entry in weights or ():
        strategy, equals, weight = entry.rpartition("=")
        if not equals:
            fail(f"a weight is STRATEGY=WEIGHT, not {entry}")
        request.weights.add(strategy_id=strategy, weight=weight)
    ask_again = f"; ask again with --id {request.rebalance_id}"
    with connected(context, address, ask_again) as client:
        request.operator = operator_name(operator, client)
        response = client.admin.Rebalance(request)
    what = "dry run" if dry_run else f"event {response.sequence}"
    typer.echo(f"{request.rebalance_id}: of an equity of {response.equity} ({what})")
    for leg in response.legs:
        typer.echo(f"  {leg.strategy_id}: {leg.equity} to {leg.target}, {leg.moved} moved, {leg.pending} pending")
        for order in leg.reductions:
            side = common_pb2.Side.Name(order.side).removeprefix("SIDE_").lower()
            typer.echo(f"    {side} {order.quantity} {order.symbol}")
    typer.echo(f"  reserve: {response.reserve} to {response.reserve_target}")
