"""The inner door: how what a run starts itself reaches its own gateway when that is protected."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from gateway.access_file import PrincipalSection, TokenSection
from gateway.addresses import UNIX
from gateway.protection import InnerDoor, Protection
from gateway.tokens import new_token
from tidegate.permissions import Role
from tidegate.portfolio_file import PortfolioFile

_REPLAY = "replay"


@dataclass(frozen=True)
class Inside:
    """
    Where the run's own clients connect, and what they show there.

    protection: the one that was asked for, with the inner door in it. tokens: of the adapters, by their names.
    """

    address: str
    protection: Protection
    replay_token: str = field(default="", repr=False)
    adapter_tokens: dict[str, str] = field(default_factory=dict, repr=False)


@contextmanager
def inside(portfolio: PortfolioFile, address: str, protection: Protection) -> Iterator[Inside]:
    """
    Make up a door and tokens for the replay and the adapters; where nothing is protected they come in like anybody.

    The tokens are in memory only, and end with the run. The door is a socket in a folder that only this user can enter,
    so that neither a certificate for this machine nor one for each adapter is needed.
    """
    if protection == Protection():
        yield Inside(address, protection)
        return
    replay_token, principals, tokens = "", list[PrincipalSection](), dict[str, str]()
    if protection.access is not None:
        operator = portfolio.replay.operator if portfolio.replay is not None else None
        roles = [Role.MARKET_DATA, Role.VIEWER, *([Role.RISK] if operator is not None else [])]
        replay, replay_token = _principal(_REPLAY if operator is None else operator.name, roles)
        principals.append(replay)
        for adapter in portfolio.adapters:
            trader, tokens[adapter.name] = _principal(adapter.name, [Role.TRADER], [adapter.name])
            principals.append(trader)
    with tempfile.TemporaryDirectory(prefix="tidegate-") as folder:
        door = InnerDoor(f"{UNIX}{Path(folder) / 'gateway.sock'}", tuple(principals))
        yield Inside(door.address, replace(protection, inner=door), replay_token, tokens)


def _principal(name: str, roles: list[Role], adapters: Sequence[str] = ()) -> tuple[PrincipalSection, str]:
    token = new_token()
    # Good for as long as the gateway that knows it, which is as long as the run.
    section = TokenSection(
        id=token.id, sha256=token.sha256, created=datetime.now(UTC), expires=datetime.max.replace(tzinfo=UTC)
    )
    principal = PrincipalSection(name=name, roles=roles, adapters=list(adapters), tokens=[section])
    return principal, token.text
