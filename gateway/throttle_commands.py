"""The command line's ``tidegate release``: a throttled strategy may add risk again, in somebody's name."""

import getpass
from typing import Annotated

import typer

from gateway.addresses import DEFAULT_ADDRESS
from gateway.terminal import connected
from tidegate.v1 import admin_pb2


def release(  # noqa: PLR0913 -- each is an option of the command
    context: typer.Context,
    strategy: str,
    *,
    reason: Annotated[str, typer.Option(help="Why it may go on; it is journaled.")],
    instrument: Annotated[str, typer.Option(help="Only in this instrument.")] = "",
    operator: Annotated[str, typer.Option(help="Who; by default you: your token's name, or this machine's user.")] = "",
    address: Annotated[str, typer.Option(help="Where the gateway listens.")] = DEFAULT_ADDRESS,
) -> None:
    """Release the throttle of a strategy that was filled too often within a short time."""
    with connected(context, address) as client:
        name = operator or ("" if client.credentials.are_shown else getpass.getuser())
        request = admin_pb2.ReleaseThrottleRequest(
            strategy_id=strategy, symbol=instrument, operator=name, reason=reason
        )
        changed = client.admin.ReleaseThrottle(request).changed
    typer.echo(f"{strategy}: {'released' if changed else 'was not throttled'}")
