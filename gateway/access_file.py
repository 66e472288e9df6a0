"""The access file: who may call the gateway, by which token or certificate, and what for."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tidegate.errors import ConfigurationError
from tidegate.permissions import Caller, Role
from tidegate.portfolio_file import Name
from tidegate.risk.consequences import GATE
from tidegate.yaml_file import Problem, duplicates, read_yaml

_ROOT = 0
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
NameOrAll = Annotated[str, Field(pattern=r"^(\*|[A-Za-z0-9_.-]{1,32})$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class TokenSection(_Section):
    """One token: the hash of its secret, and until when it is good."""

    id: Annotated[str, Field(pattern=r"^[a-z]{8}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    created: AwareDatetime
    expires: AwareDatetime


class PrincipalSection(_Section):
    """
    Somebody who may call.

    strategies, adapters: what a trader acts for; nothing when left out, everything with ``*``. certificate: the common
    name, or an alternative name, of the client certificate that proves it.
    """

    name: Name
    roles: Annotated[list[Role], Field(min_length=1)]
    strategies: list[NameOrAll] = []
    adapters: list[NameOrAll] = []
    certificate: Annotated[str | None, Field(min_length=1, max_length=256)] = None
    tokens: list[TokenSection] = []

    def to_caller(self) -> Caller:
        """Return whom the gate sees."""
        return Caller(self.name, frozenset(self.roles), frozenset(self.strategies), frozenset(self.adapters))


class AccessFile(_Section):
    """A whole access file."""

    principals: list[PrincipalSection] = []

    def problems(self) -> Iterator[Problem]:
        """Find what no single key shows, with its place."""
        yield from duplicates("principals", "name", [principal.name for principal in self.principals])
        tokens, certificates = set[str](), set[str]()
        for index, principal in enumerate(self.principals):
            place = ("principals", index)
            if principal.name.casefold() == GATE:
                yield Problem((*place, "name"), f"{GATE} is the gate itself; nobody else has this name")
            for key in ("strategies", "adapters"):
                if getattr(principal, key) and Role.TRADER not in principal.roles:
                    yield Problem((*place, key), f"only a {Role.TRADER} has {key}")
            if principal.certificate in certificates:
                yield Problem((*place, "certificate"), f"{principal.certificate} stands twice")
            certificates |= {principal.certificate} if principal.certificate is not None else set()
            for number, token in enumerate(principal.tokens):
                if token.id in tokens:
                    yield Problem((*place, "tokens", number, "id"), f"{token.id} stands twice")
                tokens.add(token.id)


def read_access_file(path: Path) -> AccessFile:
    """
    Read and check an access file, which only its owner may read or write; a file of root's also our group may read.

    Raises:
        ConfigurationError: one line a problem, each with file, line and key.
    """
    try:
        found = path.stat()
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise ConfigurationError(message) from error
    mode = stat.S_IMODE(found.st_mode)
    if not _is_private(mode, found.st_uid, os.geteuid()):
        message = f"{path}: others may read or write it (mode {mode:04o}); chmod 600 it"
        raise ConfigurationError(message)
    return read_yaml(path, AccessFile, AccessFile.problems)


def _is_private(mode: int, owner: int, reader: int) -> bool:
    """Tell whether nobody else may use a file; one that root keeps is shown to another user by that user's group."""
    if owner == _ROOT and reader != _ROOT:
        return not mode & (_OTHERS & ~stat.S_IRGRP)
    return not mode & _OTHERS
