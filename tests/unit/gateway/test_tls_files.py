"""The gateway's TLS files, where they are links: certbot's, and every secret's that Kubernetes mounts."""

from pathlib import Path

import pytest

from gateway.terminal import tls_files
from gateway.tls import watched_tls
from tests.integration.principals import Certificates


def test_what_a_link_leads_to_later_is_read_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins a renewal in which no file changes, but the link to their folder does; the old folder is gone."""
    monkeypatch.chdir(tmp_path)
    Certificates(tmp_path / "first").tls()
    Certificates(tmp_path / "second").tls()
    link = tmp_path / "current"
    link.symlink_to(tmp_path / "first")
    files = tls_files(Path("current/gateway.pem"), Path("current/gateway.key"), None)
    assert files is not None
    watched = watched_tls(files)
    before = watched.current
    (tmp_path / "first").rename(tmp_path / "gone")
    link.unlink()
    link.symlink_to(tmp_path / "second")
    watched.look()
    assert before is not watched.current
