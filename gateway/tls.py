"""TLS: the gateway's certificate, and the authority that its clients' certificates must come from."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from gateway.watched_files import WatchedFiles
from tidegate.errors import ConfigurationError


@dataclass(frozen=True)
class TlsFiles:
    """PEM files. With client_ca every client must show a certificate that this authority has signed."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def all(self) -> list[Path]:
        """Every file there is."""
        return [self.certificate, self.key, *([self.client_ca] if self.client_ca is not None else [])]


Configuration = grpc.ServerCertificateConfiguration


def watched_tls(files: TlsFiles) -> "WatchedFiles[Configuration]":
    """
    Read the files, and read them again when they change: new connections get the new certificate.

    Raises:
        ConfigurationError: a file cannot be read, or certificate and key are no pair.
    """
    return WatchedFiles(files.all, lambda: _read(files))


def server_credentials(watched: "WatchedFiles[Configuration]", *, need_client: bool) -> grpc.ServerCredentials:
    """Make the credentials of one listener; gRPC asks for the certificate at each new connection."""
    shown = watched.current

    def fetch() -> Configuration | None:
        nonlocal shown
        if shown is watched.current:
            return None
        shown = watched.current
        return shown

    make: Any = grpc.dynamic_ssl_server_credentials  # its types leave out that None is "as before"
    credentials: grpc.ServerCredentials = make(shown, fetch, require_client_authentication=need_client)
    return credentials


def _read(files: TlsFiles) -> Configuration:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
        authority = None if files.client_ca is None else files.client_ca.read_bytes()
        if authority is not None:
            context.load_verify_locations(cadata=authority.decode("ascii"))
        pair = (files.key.read_bytes(), files.certificate.read_bytes())
    except (OSError, ValueError) as error:
        names = ", ".join(map(str, files.all))
        message = f"{names}: {getattr(error, 'reason', None) or getattr(error, 'strerror', None) or error}"
        raise ConfigurationError(message) from error
    return grpc.ssl_server_certificate_configuration([pair], authority)


def _no_password() -> str:
    message = "the key is encrypted; the gateway takes one that is not"
    raise ValueError(message)
