"""The commands ``tidegate halt``, ``flatten`` and ``confirm-reset``: what stops trading, and lets it go on."""

import getpass
from typing import Annotated

import typer

from gateway.addresses import DEFAULT_ADDRESS
from gateway.client import Client
from gateway.terminal import connected, fail
from tidegate.risk.consequences import GATE
from tidegate.v1 import admin_pb2, common_pb2

Address = Annotated[str, typer.Option(help="Where the gateway listens.")]
Reason = Annotated[str, typer.Option(help="Why; it is journaled.")]
Operator = Annotated[str, typer.Option(help="Who; by default you: your token's name, or this machine's user.")]
Strategy = Annotated[str, typer.Option(help="Only this strategy.")]
Instrument = Annotated[str, typer.Option(help="Only this instrument.")]


def halt(  # noqa: PLR0913 -- each is an option of the command
    context: typer.Context,
    *,
    reason: Reason,
    operator: Operator = "",
    strategy: Strategy = "",
    instrument: Instrument = "",
    flatten: Annotated[bool, typer.Option("--flatten", help="Close the positions as well.")] = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Halt trading: of the portfolio, of one strategy or of one instrument."""
    scope = halt_scope(strategy, instrument)
    with connected(context, address) as client:
        name = operator_name(operator, client)
        response = client.admin.Halt(admin_pb2.HaltRequest(scope=scope, operator=name, reason=reason, flatten=flatten))
    name = response.halt.scope.name or "portfolio"
    typer.echo(
        f"{name} halted by {response.halt.operator}: {response.halt.reason}; "
        f"{response.cancels_requested} cancels requested (event {response.halt.sequence})"
    )


def flatten(  # noqa: PLR0913 -- each is an option of the command
    context: typer.Context,
    *,
    reason: Reason,
    operator: Operator = "",
    strategy: Strategy = "",
    instrument: Instrument = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Cancel what works and close the positions: of the portfolio, of one strategy or of one instrument."""
    scope = halt_scope(strategy, instrument)
    with connected(context, address) as client:
        name = operator_name(operator, client)
        request = admin_pb2.FlattenRequest(scope=scope, operator=name, reason=reason)
        response = client.admin.Flatten(request)
    count = len(response.positions)
    typer.echo(f"{scope.name or 'portfolio'}: {response.cancels_requested} cancels requested, {count} to close")
    for one in response.positions:
        line = f"  {one.strategy_id or 'suspense'} {one.quantity} {one.symbol}: {one.submitted_quantity} on the way out"
        if one.waiting_quantity != "0":
            line += f", {one.waiting_quantity} may still be filled by working orders"
        typer.echo(line + (f"; {one.reason_code}: {one.reason}" if one.reason_code else ""))


def confirm_reset(
    context: typer.Context,
    request: Annotated[int, typer.Argument(help="The request's number, as the reset and the status show it.")],
    *,
    reason: Reason,
    operator: Operator = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Confirm the reset that another person has asked for."""
    with connected(context, address) as client:
        name = operator_name(operator, client)
        confirm = admin_pb2.ConfirmResetRequest(request_sequence=request, operator=name, reason=reason)
        scope = client.admin.ConfirmReset(confirm).scope
    typer.echo(f"{scope.name or 'portfolio'}: reset")


def operator_name(operator: str, client: Client) -> str:
    """Say who acts: as told; else nobody when the token says it, else this machine's user."""
    if operator or client.credentials.are_shown:
        return operator
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        return "unknown"  # a container without a passwd entry must be able to halt too
    return f"user.{name}" if name.casefold() == GATE else name


def halt_scope(strategy: str, instrument: str) -> common_pb2.Scope:
    """Name what a command is about: one of the two, or the portfolio."""
    if strategy and instrument:
        fail("choose a strategy or an instrument, not both")
    if strategy:
        return common_pb2.Scope(kind=common_pb2.SCOPE_KIND_STRATEGY, name=strategy)
    if instrument:
        return common_pb2.Scope(kind=common_pb2.SCOPE_KIND_INSTRUMENT, name=instrument)
    return common_pb2.Scope(kind=common_pb2.SCOPE_KIND_PORTFOLIO)
