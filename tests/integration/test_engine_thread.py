"""The engine's thread at its end: what waits is decided, and it stops, whatever it was doing."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from actors import engine_thread
from actors.engine_thread import EngineThread
from actors.feed import Feed
from actors.port import UnavailableError
from tidegate.gate import Batch, Reply, Request


class Slow:
    """Answers each request with its own body; the first batch only when it is let go."""

    def __init__(self) -> None:
        """Hold the first batch."""
        self.began = threading.Event()
        self.released = threading.Event()

    def process(self, requests: Sequence[Request]) -> Batch:
        """Answer a batch."""
        self.began.set()
        assert self.released.wait(10)
        return Batch(
            [Reply(request.body) for request in requests], moves_bars=False, publications=[], failures=[], traces=[]
        )


@pytest.mark.parametrize("methods", [[], ["SubmitOrder"], ["Halt"], ["SubmitOrder", "Halt", "SubmitOrder"]])
async def test_what_waits_when_it_is_stopped_is_answered_and_then_it_ends(methods: list[str]) -> None:
    """Pins the stop while a batch is decided: the mark that wakes the engine for its end may be taken with a batch."""
    slow = Slow()
    engine = EngineThread(slow.process, Feed(), print, print, lambda: False)
    engine.start()
    first = engine.call(Request("GetPortfolio", b"0"))
    assert await asyncio.to_thread(slow.began.wait, 10)
    waiting = [engine.call(Request(method, str(number).encode())) for number, method in enumerate(methods)]
    stopping = threading.Thread(target=engine.stop, daemon=True)
    stopping.start()
    slow.released.set()
    assert (await first).body == b"0"
    assert [(await reply).body for reply in waiting] == [str(number).encode() for number in range(len(methods))]
    await asyncio.to_thread(stopping.join, 5)
    assert not stopping.is_alive(), "the engine goes on"
    with pytest.raises(UnavailableError, match="stopped"):
        engine.call(Request("GetPortfolio", b""))


async def test_a_busy_engine_rests_but_not_for_what_is_urgent_nor_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins that orders gather meanwhile, and that a halt or the stop of the engine ends the rest."""
    monkeypatch.setattr(engine_thread, "REST_PER_CALL_S", 60.0)
    monkeypatch.setattr(engine_thread, "REST_MAX_S", 60.0)
    slow = Slow()
    slow.released.set()
    engine = EngineThread(slow.process, Feed(), print, print, lambda: False)
    calls = [engine.call(Request("SubmitOrder", b"")) for _ in range(engine_thread.BUSY_CALLS_MIN)]
    engine.start()
    async with asyncio.timeout(10):
        await asyncio.gather(*calls)
        late = engine.call(Request("SubmitOrder", b"late"))
        assert [] == list((await asyncio.wait([late], timeout=0.2))[0])
        assert b"halt" == (await engine.call(Request("Halt", b"halt"))).body
        assert b"late" == (await late).body
        more = [engine.call(Request("SubmitOrder", b"")) for _ in range(engine_thread.BUSY_CALLS_MIN)]
        await asyncio.gather(*more)
        await asyncio.to_thread(engine.stop)
