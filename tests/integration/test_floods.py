"""Floods: whatever one peer does, the others are answered, and nothing of it is left afterwards."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from gateway.connections import CALLS_MAX, CONNECTIONS_MAX, MESSAGE_BYTES_MAX
from tests.integration.by_hand import (
    GOAWAY,
    PING,
    PREFACE,
    ByHand,
    connected,
    frame,
    headers_for,
    prefixed,
    settings,
)
from tests.integration.target import Bystander, Target, running_target, settled

SUBMIT = "/tidegate.v1.OrderService/SubmitOrder"
METRICS = "/tidegate.v1.RiskService/GetRiskMetrics"
# A call of the bystander's takes about a millisecond when nobody else is there.
P99_S = 1.0
# SQLite keeps those of one look into the journal open for the next one, while the writer has the file locked.
OWN_FILES = 3
# What the same flood may cost when it comes again.
GROWTH_MB = 16.0
DICE = random.Random(1)  # noqa: S311 -- the same rubbish in every run


def connections_dropped(target: Target) -> None:
    """Open and drop 10,000 connections: silent, after the opening, after rubbish, after another protocol's request."""
    first_bytes = [b"", PREFACE + settings(0), DICE.randbytes(100), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"]
    for number in range(10_000):
        with connected(target.address) as peer, suppress(ConnectionError):
            peer.sendall(first_bytes[number % len(first_bytes)])


def connections_half_open(target: Target) -> None:
    """Hold hundreds of connections that stop in the middle of the opening, or right behind it."""
    with ExitStack() as peers:
        for number in range(CONNECTIONS_MAX - 50):
            peer = peers.enter_context(connected(target.address))
            peer.sendall([b"", PREFACE[:9], PREFACE, PREFACE + settings(0)][number % 4])
        assert settled(lambda: target.files > CONNECTIONS_MAX - 50)
        time.sleep(0.5)


def connections_beyond_the_bound(target: Target) -> None:
    """Open more connections than there is room for: those above it are closed at once."""
    with ExitStack() as peers:
        for _ in range(CONNECTIONS_MAX + 300):
            peers.enter_context(connected(target.address)).sendall(PREFACE + settings(0))
        time.sleep(0.5)
        assert target.files < CONNECTIONS_MAX + 50


def rapid_resets(target: Target) -> None:
    """Make a hundred thousand calls and cancel each at once."""
    with ByHand(target.address) as peer, suppress(ConnectionError):
        for _ in range(100_000):
            peer.reset(peer.begin(headers_for(SUBMIT)))


def calls_without_a_body(target: Target) -> None:
    """Begin thousands of calls on one connection, and never send a message."""
    with ByHand(target.address) as peer:
        streams = [peer.begin(headers_for(SUBMIT)) for _ in range(5_000)]
        peer.read_until(lambda one: one.stream == streams[-1])
        assert len({one.stream for one in peer.received if one.stream}) >= len(streams) - CALLS_MAX


def bodies_without_an_end(target: Target) -> None:
    """Send messages as large as they may be, each but for its last byte."""
    with ByHand(target.address) as peer, suppress(TimeoutError):
        for _ in range(25):
            body = prefixed(bytes(MESSAGE_BYTES_MAX))
            peer.pour(peer.begin(headers_for(SUBMIT)), body[:-1], flags=0)


def headers_of_a_megabyte(target: Target) -> None:
    """Call five times with a megabyte of headers: each is refused, and the connection goes on."""
    with ByHand(target.address) as peer:
        for _ in range(5):
            stream = peer.begin([*headers_for(METRICS), ("x-much", "a" * 1_000_000)])
            code, text = peer.status_of(stream)
            assert ("8", True) == (code, "metadata size exceeds" in text)
        assert peer.status_of(peer.call(METRICS))[0] == "0"


def headers_without_an_end(target: Target) -> None:
    """Begin one call, with headers that go on for fifty megabytes."""
    with ByHand(target.address) as peer, suppress(ConnectionError, TimeoutError):
        peer.begin([*headers_for(METRICS), ("x-much", "a" * 50_000_000)], flags=0)


def pings(target: Target) -> None:
    """Ping a hundred thousand times: their sender is sent away."""
    with ByHand(target.address) as peer:
        with suppress(ConnectionError):
            for _ in range(1_000):
                peer.send(frame(PING, 0, 0, b"12345678") * 100)
        assert peer.read_until(lambda one: one.kind == GOAWAY).body.endswith(b"too_many_pings")


def settings_again_and_again(target: Target) -> None:
    """Change the settings two million times, and read no answer."""
    with ByHand(target.address) as peer, suppress(TimeoutError, ConnectionError):
        for number in range(20_000):
            peer.send(settings(number) * 100)


def frames_at_random(target: Target) -> None:
    """Open 2,000 connections that speak HTTP/2 in form only."""
    for _ in range(2_000):
        with ByHand(target.address) as peer, suppress(ConnectionError):
            for _ in range(DICE.randrange(1, 8)):
                head = DICE.randrange(12), DICE.randrange(256), DICE.choice([0, 1, 1, 3, 2, 2**31 - 1])
                peer.send(frame(*head, DICE.randbytes(DICE.choice([0, 4, 5, 8, 40, 400]))))


def bytes_at_random(target: Target) -> None:
    """Open 2,000 connections that say anything at all, some behind a proper call."""
    for number in range(2_000):
        with ByHand(target.address) as peer, suppress(ConnectionError):
            if number % 2:
                peer.call(METRICS)
            peer.send(DICE.randbytes(DICE.randrange(1, 2_000)))


FLOODS = [
    connections_dropped,
    connections_half_open,
    connections_beyond_the_bound,
    rapid_resets,
    calls_without_a_body,
    bodies_without_an_end,
    headers_of_a_megabyte,
    headers_without_an_end,
    pings,
    settings_again_and_again,
    frames_at_random,
    bytes_at_random,
]


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    """Run one gateway for all floods: it has to live through them all."""
    with running_target() as running:
        yield running


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__)
def test_a_flood_harms_nobody_else_and_leaves_nothing_behind(
    target: Target, flood: Callable[[Target], None], record_testsuite_property: Callable[[str, object], None]
) -> None:
    """Others' orders are decided meanwhile; connections are given back; the same again costs no more memory."""
    files = target.files
    flood(target)
    before_mb = target.memory_mb
    with Bystander(target.address) as bystander:
        flood(target)
    figures = f"p99 {bystander.p99_s * 1_000:.1f} ms, {target.memory_mb - before_mb:.1f} MB more"
    record_testsuite_property(flood.__name__, figures)
    assert [] == bystander.errors
    assert bystander.p99_s < P99_S
    assert settled(lambda: target.files <= files + OWN_FILES)
    assert target.memory_mb - before_mb < GROWTH_MB
    assert "" == target.complaints
