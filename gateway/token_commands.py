"""``tidegate token``: makes, lists and revokes the tokens of an access file."""

import contextlib
import fcntl
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from gateway.access_file import AccessFile, PrincipalSection, read_access_file
from gateway.terminal import fail
from gateway.tokens import new_token
from tidegate.errors import ConfigurationError
from tidegate.permissions import Role

token_app = typer.Typer(no_args_is_help=True, help="Make, list and revoke the tokens of an access file.")

_DAYS_MAX = 3_650
# So that nothing is wrapped: neither a hash in the file nor a row where nobody watches.
_WIDTH = 4_096
_BEGINNING = "Who may call the gateway. Tokens are kept as hashes; `tidegate token` makes and revokes them."

Access = Annotated[Path, typer.Option(help="The access file.")]


@token_app.command()
def create(  # noqa: PLR0913 -- each is an option of the command
    name: Annotated[str, typer.Argument(help="Who the token is for; the journal knows its calls by this name.")],
    access: Access,
    *,
    role: Annotated[list[Role] | None, typer.Option(help="What it may; may be given again. For a new name.")] = None,
    strategy: Annotated[list[str] | None, typer.Option(help="A trader's own strategy, or * for all.")] = None,
    adapter: Annotated[list[str] | None, typer.Option(help="A trader's own adapter, or * for all.")] = None,
    expires: Annotated[int, typer.Option(min=1, max=_DAYS_MAX, help="In so many days.")] = 90,
) -> None:
    """
    Make a token, and print it: once, and nowhere else. A new name gets its place in the file, and the file its own.

    The token alone goes to standard output, so that it can be redirected into a file.
    """
    made = new_token()
    now = datetime.now(UTC).replace(microsecond=0)
    rights: dict[str, list[str]] = {
        "roles": [str(one) for one in role or ()],
        "strategies": strategy or [],
        "adapters": adapter or [],
    }
    with _changed(access, begin=True) as document:
        principals = document.setdefault("principals", [])
        found: dict[str, Any] | None = next((one for one in principals if one["name"] == name), None)
        if found is None:
            if not role:
                fail(f"{name} is not in {access}: give a --role")
            found = {"name": name} | {key: names for key, names in rights.items() if names}
            principals.append(found)
        elif any(rights.values()):
            fail(f"{name} stands in {access} with rights already: leave --role, --strategy and --adapter out")
        found.setdefault("tokens", []).append(
            {"id": made.id, "sha256": made.sha256, "created": now, "expires": now + timedelta(days=expires)}
        )
    typer.echo(f"token {made.id} of {name}, good for {expires} days; it is not shown again:", err=True)
    typer.echo(made.text)


@token_app.command("list")
def list_tokens(access: Access) -> None:
    """List everybody in the file, with what they may and how long their tokens are good."""
    now = datetime.now(UTC)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("name", "roles", "strategies", "adapters", "token", "created", "expires"):
        table.add_column(column, no_wrap=True)
    for principal in _read(access).principals:
        rights = (
            principal.name,
            " ".join(principal.roles),
            " ".join(principal.strategies),
            " ".join(principal.adapters),
        )
        for shown in _shown(principal, now):
            table.add_row(*rights, *shown)
    Console(markup=False, width=None if sys.stdout.isatty() else _WIDTH).print(table)


@token_app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(help="The token's id, as the list shows it.")], access: Access
) -> None:
    """Revoke a token: the gateway takes it no more within a second or two, and ends its open streams."""
    with _changed(access, begin=False) as document:
        for principal in document["principals"]:
            tokens = principal.get("tokens") or []
            kept = [token for token in tokens if token["id"] != token_id]
            if len(kept) < len(tokens):
                principal["tokens"] = kept
                owner = principal["name"]
                break
        else:
            fail(f"{access} has no token {token_id}")
    typer.echo(f"token {token_id} of {owner} is revoked")


def _shown(principal: PrincipalSection, now: datetime) -> Iterator[tuple[str, str, str]]:
    if principal.certificate is not None:
        yield f"certificate {principal.certificate}", "", ""
    for token in principal.tokens:
        note = " (expired)" if token.expires <= now else ""
        yield token.id, f"{token.created:%Y-%m-%d}", f"{token.expires:%Y-%m-%d %H:%M}Z{note}"
    if principal.certificate is None and not principal.tokens:
        yield "", "", ""


@contextmanager
def _changed(path: Path, *, begin: bool) -> Iterator[Any]:
    """
    Let a file be changed, its comments kept; what it becomes is checked, then takes its place whole or not at all.

    One change at a time: the folder is locked meanwhile.
    """
    path = path.resolve()
    yaml = YAML()
    yaml.width = _WIDTH
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    with _locked(path.parent):
        if path.exists() or not begin:
            _read(path)
            document = yaml.load(path)
        else:
            document = CommentedMap()
            document.yaml_set_start_comment(_BEGINNING)
        yield document
        written = io.StringIO()
        yaml.dump(document, written)
        _replace(path, written.getvalue().rstrip("\n") + "\n")


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # readable by its owner only
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if path.exists():
                os.fchown(handle, path.stat().st_uid, path.stat().st_gid)  # the gateway's user must still read it
            os.fsync(handle)
        read_access_file(Path(name))
        Path(name).replace(path)
    except ConfigurationError as error:
        fail(str(error).replace(name, str(path)))
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        fail(f"{folder}: {error.strerror}")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read(path: Path) -> AccessFile:
    try:
        return read_access_file(path)
    except ConfigurationError as error:
        fail(str(error))
