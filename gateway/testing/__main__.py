"""
A gateway as a process, for tests in another language: ``python -m gateway.testing``.

It prints its address as one line once it serves, and ends when its standard input is closed.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.testing.in_thread import gateway_in_thread
from gateway.testing.portfolio import DEFAULT_PORTFOLIO
from tidegate.errors import TidegateError


def main(
    portfolio: Annotated[Path | None, typer.Option(help="A portfolio file; by default a small one.")] = None,
) -> None:
    """Run a gateway on a fresh journal until standard input is closed."""
    try:
        with gateway_in_thread(DEFAULT_PORTFOLIO if portfolio is None else portfolio) as gateway:
            typer.echo(gateway.address)
            sys.stdin.read()
    except TidegateError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)
