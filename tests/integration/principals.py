"""Who calls in tests: an access file and real certificates, written as an administrator would."""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme
import yaml

from gateway.tls import TlsFiles
from gateway.tokens import new_token


@dataclass
class AccessWriter:
    """Writes an access file, as an administrator would; keeps the tokens that it gave out."""

    path: Path
    principals: list[dict[str, Any]] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, *roles: str, days: float = 1, **rights: Any) -> str:
        """Add a principal with one token; return the token."""
        made, now = new_token(), datetime.now(UTC)
        section = {"id": made.id, "sha256": made.sha256, "created": now, "expires": now + timedelta(days=days)}
        self.principals.append({"name": name, "roles": list(roles), "tokens": [section], **rights})
        self.tokens[name] = made.text
        return made.text

    def change(self, name: str, **rights: Any) -> None:
        """Change what somebody may, and write the file."""
        next(principal for principal in self.principals if principal["name"] == name).update(rights)
        self.write()

    def write(self) -> Path:
        """Put the whole file in the place of the old one."""
        new = self.path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            yaml.safe_dump({"principals": self.principals}, file)
        new.replace(self.path)
        return self.path


class Certificates:
    """A certificate authority in a folder, and what it signed."""

    def __init__(self, folder: Path) -> None:
        """Make the authority."""
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._authority = trustme.CA()
        self.ca = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca))

    def issue(self, file: str, *names: str, common_name: str | None = None) -> tuple[Path, Path]:
        """Sign a certificate; return its file and its key's. The same file again is another certificate."""
        signed = self._authority.issue_cert(*names, common_name=common_name)
        certificate, key = self._folder / f"{file}.pem", self._folder / f"{file}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in signed.cert_chain_pems))
        key.write_bytes(signed.private_key_pem.bytes())
        return certificate, key

    def tls(self, *, mutual: bool = False) -> TlsFiles:
        """Sign a gateway's certificate."""
        certificate, key = self.issue("gateway", "localhost", "127.0.0.1")
        return TlsFiles(certificate, key, self.ca if mutual else None)
