"""The TypeScript adapter, built from its lock file and run against a real gateway; skipped where that cannot be."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.client import new_order
from gateway.protection import Protection
from gateway.testing import GatewayInThread, gateway_in_thread
from gateway.testing.portfolio import DEFAULT_PORTFOLIO
from tests.integration.doors import guarded, within_s
from tests.integration.principals import AccessWriter, Certificates
from tests.integration.test_gateway import bar
from tidegate.reasons import Reason
from tidegate.v1 import common_pb2, orders_pb2

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]
NODE_MIN = 20
# npm itself repeats what failed; here a registry that cannot be reached is found out soon.
INSTALL = [
    "npm",
    "ci",
    "--prefer-offline",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=500",
    "--fetch-timeout=20000",
]
UNREACHABLE = re.compile(
    r"\b(EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|ENOTCACHED|ETIMEDOUT|ERR_SOCKET_TIMEOUT)\b"
)

CANCELED = common_pb2.ORDER_STATUS_CANCELED
FILLED = common_pb2.ORDER_STATUS_FILLED
WORKING = common_pb2.ORDER_STATUS_NEW


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(list(words), cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install, generate the types, type-check and build, in a copy; return its folder."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    version = run("node", "--version", folder=ROOT).stdout.strip()
    if int(version.removeprefix("v").split(".")[0]) < NODE_MIN:
        pytest.skip(f"node is {version}; the example needs {NODE_MIN} or newer")
    copy = tmp_path_factory.mktemp("typescript")
    shutil.copytree(ROOT / "protos", copy / "protos")
    ignore = shutil.ignore_patterns("node_modules", "dist", "generated")
    folder = copy / "examples" / "typescript"
    shutil.copytree(ROOT / "examples" / "typescript", folder, ignore=ignore)
    installed = run(*INSTALL, folder=folder)
    if installed.returncode and (found := UNREACHABLE.search(installed.stderr)):
        pytest.skip(f"npm cannot reach its registry: {found[0]}")
    assert 0 == installed.returncode, installed.stderr
    built = run("npm", "run", "build", folder=folder)
    assert 0 == built.returncode, built.stdout + built.stderr
    return folder


@pytest.fixture
def gateway() -> Iterator[GatewayInThread]:
    """Run a gateway in which AAA costs 100."""
    with gateway_in_thread() as gateway:
        gateway.publish_bar({"AAA": "100.00"})
        yield gateway


@pytest.fixture
def started(adapter: Path, gateway: GatewayInThread) -> Iterator[None]:
    """Run the adapter as ``tidegate run`` would; it ends by itself when its input is closed."""
    command = ["node", "dist/main.js", "--address", gateway.address, "--exit-with-parent"]
    with subprocess.Popen(command, cwd=adapter, stdin=subprocess.PIPE) as process:  # noqa: S603
        yield
        assert process.stdin is not None
        process.stdin.close()
        assert 0 == process.wait(10)


def submit(gateway: GatewayInThread, name: str, **changes: Any) -> orders_pb2.Decision:
    """Have the desk buy 10 AAA."""
    order: dict[str, Any] = {"symbol": "AAA", "side": common_pb2.SIDE_BUY, "quantity": "10", "route": "broker"}
    return gateway.client.submit_order(new_order(strategy_id="desk", client_order_id=name, **order | changes))


@pytest.mark.usefixtures("started")
def test_its_orders_are_claimed_acknowledged_filled_and_canceled(gateway: GatewayInThread) -> None:
    """At market at once, at a limit once a bar reaches it; a cancel is the broker's to confirm."""
    submit(gateway, "market")
    assert "100" == gateway.wait_for_order("desk", "market", FILLED, timeout_s=30).average_price
    submit(gateway, "limit", limit_price="99")
    submit(gateway, "gone", limit_price="90")
    for name in ("limit", "gone"):
        assert "broker" == gateway.wait_for_order("desk", name, WORKING).claimed_by
    gateway.publish_bar({"AAA": "98.50"})
    assert "99" == gateway.wait_for_order("desk", "limit", FILLED).average_price
    gateway.client.orders.CancelOrder(orders_pb2.CancelOrderRequest(strategy_id="desk", client_order_id="gone"))
    gateway.wait_for_order("desk", "gone", CANCELED)


@pytest.mark.usefixtures("started")
def test_it_survives_a_restart_of_the_gateway(gateway: GatewayInThread) -> None:
    """It watches again, and what works at the broker is filled as if nothing had been."""
    submit(gateway, "before", limit_price="99")
    gateway.wait_for_order("desk", "before", WORKING, timeout_s=30)
    gateway.stop()
    gateway.start()
    gateway.publish_bar({"AAA": "98.50"})
    gateway.wait_for_order("desk", "before", FILLED, timeout_s=30)
    assert 1 == len(gateway.events("order_claimed"))


def test_a_refused_call_ends_it_with_the_reason_code(adapter: Path, gateway: GatewayInThread) -> None:
    """The stable code comes out of google.rpc.Status, and the field at fault with it."""
    refused = run("node", "dist/main.js", "--address", gateway.address, "--adapter", "nobody", folder=adapter)
    line = f"refused: {Reason.ADAPTER_UNKNOWN}: no adapter is called 'nobody' (adapter)\n"
    assert (1, line) == (refused.returncode, refused.stderr)


async def test_it_works_for_a_gateway_that_asks_who_calls(adapter: Path, tmp_path: Path) -> None:
    """Over TLS, with its token out of the environment, as Python's clients do; without it the reason says so."""
    access, certificates = AccessWriter(tmp_path / "access.yaml"), Certificates(tmp_path / "certificates")
    access.add("broker", "trader", adapters=["broker"])
    desk = access.add("desk", "trader", "market_data", strategies=["desk"])
    protection = Protection(access=access.write(), tls=certificates.tls())
    async with guarded(tmp_path, DEFAULT_PORTFOLIO, protection) as gateway:
        command = ["node", "dist/main.js", "--address", gateway.address.replace("127.0.0.1", "localhost")]
        known = os.environ | {"TIDEGATE_CA": str(certificates.ca), "TIDEGATE_TOKEN": access.tokens["broker"]}
        process = await asyncio.create_subprocess_exec(*command, cwd=adapter, env=known)
        async with gateway.client(desk, ca=certificates.ca) as client:
            await client.market_data.PublishBars(bar(1, AAA="100.00"))
            side = common_pb2.SIDE_BUY
            order: dict[str, Any] = {"symbol": "AAA", "side": side, "quantity": "10", "route": "broker"}
            await client.submit_order(new_order(strategy_id="desk", client_order_id="a", **order))
            asked = orders_pb2.GetOrderRequest(strategy_id="desk", client_order_id="a")

            async def is_filled() -> bool:
                return bool(FILLED == (await client.orders.GetOrder(asked)).order.status)

            await within_s(30, is_filled)
        process.terminate()
        await process.wait()
        pipe = asyncio.subprocess.PIPE
        unknown = os.environ | {"TIDEGATE_CA": str(certificates.ca)}
        stranger = await asyncio.create_subprocess_exec(*command, cwd=adapter, env=unknown, stderr=pipe)
        _, said = await stranger.communicate()
    assert said.decode().startswith(f"refused: {Reason.UNAUTHENTICATED}: ")


def test_its_lock_file_names_no_registry() -> None:
    """Whichever registry npm is configured for serves it, and the hashes hold."""
    lock = (ROOT / "examples" / "typescript" / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert '"integrity"' in lock
