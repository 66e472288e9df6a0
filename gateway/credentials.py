"""What a client shows, and whom it trusts: as it was told, else as the environment says."""

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.addresses import is_on_this_machine
from tidegate.errors import ConfigurationError

TOKEN = "TIDEGATE_TOKEN"  # noqa: S105 -- the variable's name
TOKEN_FILE = "TIDEGATE_TOKEN_FILE"  # noqa: S105 -- the variable's name
CA = "TIDEGATE_CA"
CERTIFICATE = "TIDEGATE_CERTIFICATE"
KEY = "TIDEGATE_KEY"
VARIABLES = (TOKEN, TOKEN_FILE, CA, CERTIFICATE, KEY)

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Credentials:
    """
    A token, and PEM files.

    ca: the authority that the gateway's certificate must come from; without one the client does not speak TLS.
    certificate, key: the client's own, for a gateway that asks for them.
    """

    token: str = field(default="", repr=False)
    ca: str = ""
    certificate: str = ""
    key: str = ""

    @classmethod
    def of(
        cls,
        token: str | None = None,
        ca: PathLike | None = None,
        certificate: PathLike | None = None,
        key: PathLike | None = None,
    ) -> "Credentials":
        """
        Take what was given; what is None comes from the environment, and an empty text is none whatever that says.

        Raises:
            ConfigurationError: they do not go together, or the token's file cannot be read.
        """
        found = cls(
            token=_token(os.environ) if token is None else token,
            ca=_path(ca, CA),
            certificate=_path(certificate, CERTIFICATE),
            key=_path(key, KEY),
        )
        if bool(found.certificate) is not bool(found.key):
            message = f"a client certificate needs its key, and a key its certificate: {CERTIFICATE} and {KEY}"
            raise ConfigurationError(message)
        if found.certificate and not found.ca:
            message = f"a client certificate is shown over TLS only: name the gateway's authority with {CA}"
            raise ConfigurationError(message)
        if not (found.token.isascii() and found.token.isprintable()):
            message = "the token has characters that no token has"
            raise ConfigurationError(message)
        return found

    @property
    def are_shown(self) -> bool:
        """Whether the gateway can learn who calls."""
        return bool(self.token or self.certificate)

    def check(self, address: str) -> None:
        """
        Refuse to give the token away.

        Raises:
            ConfigurationError: it would leave this machine without TLS.
        """
        if self.token and not self.ca and not is_on_this_machine(address):
            message = f"a token is sent to {address} over TLS only: name the gateway's authority with {CA}"
            raise ConfigurationError(message)


def read_token_file(path: PathLike) -> str:
    """
    Read a token out of a file of its own.

    Raises:
        ConfigurationError: the file cannot be read, or is empty.
    """
    try:
        token = Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: {getattr(error, 'strerror', None) or 'not a token'}"
        raise ConfigurationError(message) from None  # the cause would carry what stands in the file
    if not token:
        message = f"{path}: the file is empty"
        raise ConfigurationError(message)
    return token


def add_credential_options(parser: argparse.ArgumentParser) -> None:
    """Give a script the options that it hands on to its client."""

    def token(path: str) -> str:
        try:
            return read_token_file(path)
        except ConfigurationError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    parser.add_argument("--token-file", dest="token", type=token, help=f"a file with your token; else {TOKEN}")
    parser.add_argument("--ca", help=f"the authority of the gateway's certificate (PEM); else {CA}")
    parser.add_argument("--certificate", help=f"your own client certificate (PEM); else {CERTIFICATE}")
    parser.add_argument("--key", help=f"its key (PEM); else {KEY}")


def _token(environment: Mapping[str, str]) -> str:
    if environment.get(TOKEN):
        return environment[TOKEN].strip()
    return read_token_file(environment[TOKEN_FILE]) if environment.get(TOKEN_FILE) else ""


def _path(given: PathLike | None, variable: str) -> str:
    return os.environ.get(variable, "") if given is None else os.fspath(given)
