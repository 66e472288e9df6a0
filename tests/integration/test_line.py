"""The line between two processes of one machine: what it carries, and what it says when the other end is gone."""

import asyncio
import pickle
import secrets
import stat
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from actors.line import Line, line_of, serve_line
from actors.names import RISK_MANAGER
from actors.port import UnavailableError
from actors.risk_manager import RiskManagerSettings
from gateway.client import Client
from tests.integration.desk import open_desk, write_portfolio
from tests.integration.test_cluster import kill
from tidegate.errors import TidegateError
from tidegate.gate import Reply, Request
from tidegate.journal.location import located
from tidegate.permissions import Caller, Role
from tidegate.v1 import portfolio_pb2


def names_of(count: int, size: int = 10) -> list[Request]:
    """Write requests of a size, each with its number."""
    caller = Caller("trader-1", frozenset({Role.TRADER}), frozenset({"momentum"}))
    return [Request(f"Method{number}", b"x" * size, caller, f"id-{number}") for number in range(count)]


async def repeat(requests: Sequence[Request]) -> list[Reply]:
    """Answer each request with its own method, caller and body."""
    return [Reply(request.body, request.method, request.caller.name, request.request_id) for request in requests]


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something, for five seconds."""
    for _ in range(100):
        if await is_so():
            return
        await asyncio.sleep(0.05)
    pytest.fail("it did not come")


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name a socket; its path has to be short."""
    return Path(tempfile.mkdtemp(dir=tmp_path_factory.getbasetemp().parent)) / "line"


async def test_replies_come_back_to_their_calls(path: Path) -> None:
    """Pins that requests arrive whole, and that a call that is answered later gets its own answer."""
    release = asyncio.Event()

    async def first_waits(requests: Sequence[Request]) -> list[Reply]:
        if len(requests) == 1:
            await release.wait()
        return await repeat(requests)

    async with await serve_line(path, first_waits):
        line = Line(path)
        assert await line.is_up()
        first = asyncio.create_task(line.execute(names_of(1)))
        assert await line.execute(names_of(3)) == await repeat(names_of(3))
        assert not first.done()
        release.set()
        assert await first == await repeat(names_of(1))


async def test_a_batch_that_comes_in_many_pieces_is_one_batch(path: Path) -> None:
    """Pins 20 MB in both directions, far more than a socket takes at once, with a small batch behind it."""
    async with await serve_line(path, repeat):
        line = Line(path)
        assert await line.is_up()
        large, small = await asyncio.gather(line.execute(names_of(20, 1_000_000)), line.execute(names_of(2)))
        assert large == await repeat(names_of(20, 1_000_000))
        assert small == await repeat(names_of(2))


@pytest.mark.parametrize(
    ("failure", "said", "stays"),
    [(UnavailableError("whose journal it is"), "whose journal it is", True), (LookupError("a bug"), "is away", False)],
)
async def test_a_batch_that_fails_at_the_other_end_is_unavailable(
    path: Path, failure: Exception, said: str, *, stays: bool
) -> None:
    """
    Pins that nobody waits for ever, and that the next batch gets through.

    Who may not answer says why, and the connection stays; an error that nobody foresaw ends the connection.
    """
    fails = True

    async def execute(requests: Sequence[Request]) -> list[Reply]:
        if fails:
            raise failure
        return await repeat(requests)

    async with await serve_line(path, execute):
        line = Line(path)
        assert await line.is_up()
        with pytest.raises(UnavailableError, match=said):
            await line.execute(names_of(1))
        fails = False
        assert stays or await line.is_up()
        assert await line.execute(names_of(1)) == await repeat(names_of(1))


async def test_a_call_whose_connection_ends_is_unavailable_and_the_next_one_goes_to_whoever_serves_then(
    path: Path,
) -> None:
    """Pins the death of the other end in the middle of a call, a socket left behind, and the one that replaces it."""
    script = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print(s.accept())"
    other = await asyncio.create_subprocess_exec("python3", "-c", script, path)
    line = Line(path)
    await until(line.is_up)
    lost = asyncio.create_task(line.execute(names_of(1)))
    await asyncio.sleep(0)
    assert await other.wait() == 0
    with pytest.raises(UnavailableError, match="away"):
        await lost
    assert stat.S_ISSOCK((await asyncio.to_thread(path.stat)).st_mode)
    assert not await line.is_up()
    with pytest.raises(UnavailableError, match="away"):
        await line.execute(names_of(1))
    async with await serve_line(path, repeat):
        assert await line.is_up()
        assert await line.execute(names_of(1)) == await repeat(names_of(1))


def test_each_run_has_a_line_of_its_own_in_a_folder_of_this_user() -> None:
    """Pins that two runs never share a line, also on journals that look the same, and the folder's mode."""
    journal = located("postgresql://db/gate")
    one, two = (RiskManagerSettings(b"", journal, Path("logs")) for _ in range(2))
    lines = {line_of(one.run), line_of(two.run), line_of(pickle.loads(pickle.dumps(one)).run)}  # noqa: S301 -- our own
    assert len(lines) == 2
    (folder,) = {line.parent for line in lines}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert max(len(str(line)) for line in lines) < 100


@pytest.mark.parametrize("is_link", [False, True])
def test_a_folder_that_others_may_enter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_link: bool
) -> None:
    """Pins the fail-closed start: whoever else could enter could send orders past the gateway, as anybody."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = line_of("run").parent
    if is_link:
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.chmod(0o755)
    with pytest.raises(TidegateError, match="others may enter"):
        line_of("run")


@pytest.mark.usefixtures("ray_cluster")
def test_a_gateway_apart_uses_the_line_again_after_the_risk_manager_was_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pins that the shorter way is taken, by the kernel's list of connections, before and after a SIGKILL."""

    def is_connected() -> bool:
        """Look whether a socket other than the one that listens has the line's name."""
        return Path("/proc/net/unix").read_text(encoding="ascii").count(str(line_of(run))) > 1

    run = "0123456789abcdef01234567"
    monkeypatch.setattr(secrets, "token_hex", lambda _size=None: run)
    with (
        open_desk(write_portfolio(tmp_path), apart=True) as desk,
        Client(desk.address, timeout_s=60) as client,
    ):
        client.portfolio.GetPortfolio(portfolio_pb2.GetPortfolioRequest())
        assert is_connected()
        kill(RISK_MANAGER)
        client.portfolio.GetPortfolio(portfolio_pb2.GetPortfolioRequest())
        assert is_connected()
