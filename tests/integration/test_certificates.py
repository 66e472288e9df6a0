"""TLS with real certificates: the gateway's, its clients', and new ones without a restart."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.client import AsyncClient
from gateway.protection import Protection
from gateway.status import refusal_of
from gateway.terminal import tls_files
from gateway.tls import watched_tls
from gateway.tokens import new_token
from tests.integration.conftest import free_address
from tests.integration.doors import guarded, is_logged, text_of, within_s
from tests.integration.principals import AccessWriter, Certificates
from tidegate.errors import ConfigurationError
from tidegate.portfolio_file import PortfolioFile
from tidegate.reasons import Reason
from tidegate.v1 import risk_pb2

UNAUTHENTICATED = (grpc.StatusCode.UNAUTHENTICATED, Reason.UNAUTHENTICATED)
DENIED = (grpc.StatusCode.PERMISSION_DENIED, Reason.PERMISSION_DENIED)
METRICS = risk_pb2.GetRiskMetricsRequest()
# How long a change of a file may take to count.
SOON_S = 3.0


async def test_a_client_speaks_tls_and_its_token_goes_nowhere_without(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter, certificates: Certificates
) -> None:
    """With the authority's file the gateway is proved; a plain client, or one with another authority, gets nowhere."""
    protection = Protection(access=access.path, tls=certificates.tls())
    other = Certificates(tmp_path / "other")
    async with guarded(tmp_path, portfolio, protection) as gateway:
        async with gateway.client(access.tokens["viewer"], ca=certificates.ca) as client:
            await client.risk.GetRiskMetrics(METRICS)
        none: dict[str, Any] = {}
        for files in (none, {"ca": other.ca}):
            async with gateway.client(access.tokens["viewer"], **files) as client:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await client.risk.GetRiskMetrics(METRICS, timeout=1, wait_for_ready=False)
                assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    with pytest.raises(ConfigurationError, match="over TLS only"):
        AsyncClient("192.0.2.1:50051", token=access.tokens["viewer"])


async def test_a_client_certificate_says_who_calls(
    tmp_path: Path,
    portfolio: PortfolioFile,
    access: AccessWriter,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its common name or an alternative name; with a token too the token counts; without either nobody is known."""
    monkeypatch.setattr("gateway.brake.DELAY_MAX_S", 0.05)
    access.principals += [
        {"name": "desk", "roles": ["viewer"], "certificate": "desk.example.org"},
        {"name": "bot", "roles": ["market_data"], "certificate": "the bot"},
    ]
    access.write()
    protection = Protection(access=access.path, tls=certificates.tls(mutual=True))
    by_name = certificates.issue("desk", "desk.example.org", "other.example.org")
    by_common_name = certificates.issue("bot", "bot.example.org", common_name="the bot")
    unknown = certificates.issue("unknown", "unknown.example.org")
    both = certificates.issue("both", "desk.example.org", common_name="the bot")
    foreign = Certificates(tmp_path / "other").issue("desk", "desk.example.org")
    async with guarded(tmp_path, portfolio, protection) as gateway:

        async def metrics(pair: tuple[Path, Path] | None, token: str = "") -> str:
            files: dict[str, Any] = {"certificate": pair[0], "key": pair[1]} if pair else {}
            async with gateway.client(token, ca=certificates.ca, **files) as client:
                try:
                    await client.risk.GetRiskMetrics(METRICS, timeout=5, wait_for_ready=False)
                except grpc.aio.AioRpcError as error:
                    refused = refusal_of(error)
                    return f"{refused.code.name} {refused.text}"
                return ""

        assert "" == await metrics(by_name)
        assert "PERMISSION_DENIED bot may not call GetRiskMetrics" == await metrics(by_common_name)
        assert "" == await metrics(by_common_name, access.tokens["viewer"])
        assert "" == await metrics(unknown, access.tokens["viewer"])
        nobody = "UNAUTHENTICATED the certificate names nobody in the access file"
        assert nobody == await metrics(unknown)
        assert "UNAUTHENTICATED the token is not valid" == await metrics(by_name, new_token().text)
        assert "UNAUTHENTICATED the certificate names more than one in the access file" == await metrics(both)
        assert (await metrics(foreign)).startswith("UNAVAILABLE")
        assert (await metrics(None, access.tokens["viewer"])).startswith("UNAVAILABLE")
        access.principals = access.principals[:-2]
        access.write()
        await within_s(SOON_S, lambda: _is(metrics(by_name), nobody))


async def _is(call: Any, expected: str) -> bool:
    return bool(expected == await call)


async def test_a_new_certificate_is_shown_without_a_restart_and_a_broken_one_never(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter, certificates: Certificates, logs: Path
) -> None:
    """New connections get what the files say; a key that does not fit is logged critically, and the old pair stays."""
    protection = Protection(access=access.path, tls=certificates.tls())
    async with guarded(tmp_path, portfolio, protection) as gateway:
        host, port = gateway.address.split(":")

        async def shown() -> str:
            return await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))

        async def is_new(old: str) -> bool:
            return old != await shown()

        async with gateway.client(access.tokens["viewer"], ca=certificates.ca) as client:
            await client.risk.GetRiskMetrics(METRICS)
            first = await shown()
            certificates.tls()
            await within_s(SOON_S, lambda: is_new(first))
            await client.risk.GetRiskMetrics(METRICS)
        second = await shown()
        _, other_key = certificates.issue("other", "localhost")
        assert protection.tls is not None
        protection.tls.key.write_bytes(other_key.read_bytes())
        await within_s(SOON_S, lambda: is_logged(logs, "files_refused"))
        assert second == await shown()
        assert "KEY_VALUES_MISMATCH" in text_of(logs)
    with pytest.raises(ConfigurationError, match="KEY_VALUES_MISMATCH"):
        protection.check(free_address())


def test_what_a_link_leads_to_later_is_read_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As certbot and Kubernetes renew: no file changes, but the link to their folder does, and the old one is gone."""
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
