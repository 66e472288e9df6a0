"""A client of a run with real processes: it finds the gateway again, wherever that is by now."""

import asyncio
import json
from pathlib import Path

import pytest

from chaos import session as sessions
from chaos.session import ADDRESSES, Session
from gateway.testing import free_address, running_gateway
from tidegate.v1 import risk_pb2


async def test_who_asks_only_once_finds_a_run_that_has_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by a run: an officer whose reset was lost asked the run before for ever, and halted nobody any more."""

    def ask(session: Session) -> risk_pb2.GetHaltStateResponse | None:
        return session.ask(lambda client: client.risk.GetHaltState, risk_pb2.GetHaltStateRequest(), repeats=False)

    monkeypatch.setattr(sessions, "_TIMEOUT_S", 1.0)
    async with running_gateway() as gateway:
        write_addresses(tmp_path, free_address())
        session = Session(tmp_path, "officer", 1, 0)
        assert await asyncio.to_thread(ask, session) is None
        write_addresses(tmp_path, gateway.address)
        # Asked once more where it was, it learns that nobody answers there.
        assert await asyncio.to_thread(ask, session) is None
        assert await asyncio.to_thread(ask, session) is not None


def write_addresses(folder: Path, address: str) -> None:
    """Say where the gateway is."""
    (folder / ADDRESSES).write_text(json.dumps([address]), encoding="utf-8")
