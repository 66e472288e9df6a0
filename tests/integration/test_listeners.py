"""Where a gateway listens: on loopback, unless it is protected; administrators by themselves."""

from pathlib import Path
from typing import Any

import grpc
import pytest

from actors.local_port import LocalPort
from gateway.protection import Protection
from gateway.server import open_gateway
from tests.integration.conftest import free_address
from tests.integration.doors import guarded, is_healthy, reflected, refusal, within_s
from tests.integration.principals import AccessWriter, Certificates
from tidegate.errors import ConfigurationError
from tidegate.portfolio_file import PortfolioFile
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, market_data_pb2, risk_pb2

METRICS = risk_pb2.GetRiskMetricsRequest()
# How long a change may take to count.
SOON_S = 3.0


@pytest.mark.parametrize("with_access", [False, True])
@pytest.mark.parametrize("with_tls", [False, True])
async def test_only_tls_and_an_access_file_together_open_it_to_others(
    access: AccessWriter, certificates: Certificates, *, with_access: bool, with_tls: bool
) -> None:
    """Either alone leaves it on loopback; that holds for the administrators' address as well."""
    protection = Protection(access.path if with_access else None, certificates.tls() if with_tls else None)
    port = LocalPort(on_failures=print, on_fatal=print)
    anywhere = free_address().replace("127.0.0.1", "0.0.0.0")  # noqa: S104 -- what is tested
    admin = Protection(protection.access, protection.tls, admin_address=anywhere)
    for address, one in ((anywhere, protection), (free_address(), admin)):
        if with_access and with_tls:
            gateway = await open_gateway(port, address, one)
            await gateway.close()
        else:
            with pytest.raises(ConfigurationError, match="without TLS and an access file"):
                await open_gateway(port, address, one)


async def test_a_further_gateway_of_the_run_has_no_way_in_for_administrators(
    tmp_path: Path, portfolio: PortfolioFile
) -> None:
    """With a listener of their own, no other gateway answers them; without one, each does."""
    halt = admin_pb2.HaltRequest(operator="ann", reason="drill")
    apart = Protection(admin_address=free_address()).of_further_gateways()
    async with guarded(tmp_path, portfolio, apart) as gateway, gateway.client() as client:
        assert Reason.METHOD_ELSEWHERE == (await refusal(client.admin.Halt(halt))).reason
        await client.risk.GetRiskMetrics(METRICS)
    together = Protection().of_further_gateways()
    async with guarded(tmp_path, portfolio, together) as gateway, gateway.client() as client:
        assert "ann" == (await client.admin.Halt(halt)).halt.operator


@pytest.mark.parametrize("is_open", [False, True])
async def test_the_administrators_have_a_listener_of_their_own(
    tmp_path: Path, portfolio: PortfolioFile, access: AccessWriter, *, is_open: bool
) -> None:
    """AdminService answers there and nothing else does; elsewhere it says so."""
    protection = Protection(None if is_open else access.path, admin_address=free_address())
    token = "" if is_open else access.tokens["root"]
    async with (
        guarded(tmp_path, portfolio, protection) as gateway,
        gateway.client(token) as main,
        gateway.client(token, protection.admin_address) as admin,
    ):
        halt = admin_pb2.HaltRequest(operator="root", reason="drill")
        away: list[Any] = [
            main.admin.Halt(halt),
            admin.risk.GetRiskMetrics(METRICS),
            anext(aiter(admin.market_data.WatchBars(market_data_pb2.WatchBarsRequest()))),
        ]
        for call in away:
            refused = await refusal(call)
            assert (grpc.StatusCode.UNIMPLEMENTED, Reason.METHOD_ELSEWHERE) == (refused.code, refused.reason)
        assert "root" == (await admin.admin.Halt(halt)).halt.operator
        await main.risk.GetRiskMetrics(METRICS)
        services = {name for name in await reflected(admin, token) if name.startswith("tidegate.")}
        assert {"tidegate.v1.AdminService"} == services
        assert "tidegate.v1.AdminService" not in await reflected(main, token)
        await within_s(SOON_S, lambda: is_healthy(main))
        await within_s(SOON_S, lambda: is_healthy(admin))
    with pytest.raises(ConfigurationError, match="takes another address"):
        Protection(admin_address=gateway.address).check(gateway.address)
