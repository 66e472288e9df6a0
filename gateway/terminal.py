"""What every command of the line needs: a client of whoever calls, and one clear line when something is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, NoReturn

import grpc
import typer

from gateway.client import Client
from gateway.credentials import read_token_file
from gateway.status import refusal_of
from gateway.tls import TlsFiles
from tidegate.errors import ConfigurationError

REFUSED = 1
_CALL_TIMEOUT_S = 5.0


class Shown(NamedTuple):
    """What the command line says about who calls; the environment says the rest."""

    token_file: Path | None
    ca: Path | None
    certificate: Path | None
    key: Path | None


@contextmanager
def connected(context: typer.Context, address: str, ask_again: str = "") -> Iterator[Client]:
    """Connect as the options and the environment say; what the gateway refuses becomes one line and exit code 1."""
    shown: Shown = context.obj
    try:
        token = None if shown.token_file is None else read_token_file(shown.token_file)
        client = Client(
            address, timeout_s=_CALL_TIMEOUT_S, token=token, ca=shown.ca, certificate=shown.certificate, key=shown.key
        )
    except ConfigurationError as error:
        fail(str(error))
    with client:
        try:
            yield client
        except grpc.RpcError as error:
            fail_call(error, f"{address} over TLS" if client.credentials.ca else address, ask_again)


def tls_files(certificate: Path | None, key: Path | None, client_ca: Path | None) -> TlsFiles | None:
    """Read the options of a gateway's TLS; none of them is none."""
    if certificate is None and key is None and client_ca is None:
        return None
    if certificate is None or key is None:
        fail("TLS takes both --tls-certificate and --tls-key")
    # Not resolved: a link is how the next certificate takes the place of this one.
    return TlsFiles(certificate.absolute(), key.absolute(), client_ca and client_ca.absolute())


def fail(message: str) -> NoReturn:
    """Say why, and end with exit code 1."""
    typer.echo(message, err=True)
    raise typer.Exit(REFUSED)


def fail_call(error: grpc.RpcError, address: str, ask_again: str = "") -> NoReturn:
    """Say what a call came to, and end with exit code 1."""
    refusal = refusal_of(error)
    if refusal.reason:
        fail(f"{refusal.reason}: {refusal.text}")
    if refusal.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        fail(f"no gateway answers at {address}; what was asked may or may not have happened{ask_again}")
    fail(f"{refusal.code.name}: {refusal.text}")
