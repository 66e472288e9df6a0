"""Bad input over the wire: every call is answered with a documented refusal, and the gateway goes on."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection

from gateway.methods import methods
from gateway.status import CODES, refusal_of
from gateway.testing import RunningGateway
from tests.integration.by_hand import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    RST_STREAM,
    ByHand,
    connected,
    frame,
    headers_for,
    prefixed,
)
from tidegate.reasons import Reason
from tidegate.v1 import orders_pb2, risk_pb2

METRICS = "/tidegate.v1.RiskService/GetRiskMetrics"
HEALTH = f"/{health_pb2.DESCRIPTOR.services_by_name['Health'].full_name}"
REFLECTION = f"/{reflection.SERVICE_NAME}/ServerReflectionInfo"
DICE = random.Random(5)  # noqa: S311 -- the same rubbish in every run
# It waits for a bar that never comes: what it waits with is no refusal.
WAITING = frozenset({"AwaitBar"})

pytestmark = pytest.mark.usefixtures("without_complaints")


def rubbish(size: int) -> bytes:
    """Make bytes that are no message: the first of them begins a field that has no end."""
    return b"\x0a\xff\xff\xff\x7f" + DICE.randbytes(size)


async def refused(call: Any) -> grpc.aio.AioRpcError:
    """Return what a call, or the first message of a stream, was refused with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (anext(aiter(call)) if isinstance(call, grpc.aio.UnaryStreamCall) else call)
    return caught.value


@pytest.mark.parametrize("method", list(methods()), ids=lambda method: method.name)
async def test_random_bytes_are_refused_by_every_method(running: RunningGateway, method: Any) -> None:
    """What is no message at all is MESSAGE_MALFORMED; what happens to be one is answered, or refused with a code."""
    channel = running.client.channel
    call: Any = (channel.unary_stream if method.is_stream else channel.unary_unary)(method.path)
    for size in (0, 3, 1_000):
        refusal = refusal_of(await refused(call(rubbish(size))))
        assert (grpc.StatusCode.INVALID_ARGUMENT, Reason.MESSAGE_MALFORMED) == (refusal.code, refusal.reason)
    if method.is_stream or method.name in WAITING:
        return
    for _ in range(30):
        try:
            await call(DICE.randbytes(DICE.randrange(1, 40)))
        except grpc.aio.AioRpcError as error:
            refusal = refusal_of(error)
            assert refusal.code == CODES[Reason[refusal.reason]]


async def test_random_bytes_to_the_standard_services_are_refused_with_a_code(running: RunningGateway) -> None:
    """Health and reflection have parsers of their own."""
    channel: Any = running.client.channel
    calls = [
        channel.unary_unary(f"{HEALTH}/Check")(rubbish(9)),
        channel.unary_stream(f"{HEALTH}/Watch")(rubbish(9)),
        channel.stream_stream(REFLECTION)(iter([rubbish(9)])),
    ]
    for call in calls[:2]:
        assert Reason.MESSAGE_MALFORMED == refusal_of(await refused(call)).reason
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(aiter(calls[2]))
    assert Reason.MESSAGE_MALFORMED == refusal_of(caught.value).reason


def a_call(body: bytes, path: str = METRICS, *extra: tuple[str, str], **changes: str) -> Callable[[ByHand], int]:
    """Make a call with a body of any kind."""

    def call(peer: ByHand) -> int:
        stream = peer.begin([*headers_for(path, **changes), *extra])
        peer.pour(stream, body)
        return stream

    return call


GOOD = prefixed(b"")
OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = (
    "0",
    "1",
    "2",
    "3",
    "8",
    "12",
    "13",
)


@pytest.mark.parametrize(
    ("call", "code", "text"),
    [
        pytest.param(a_call(GOOD), OK, "", id="a proper call"),
        pytest.param(a_call(GOOD, "/nowhere"), UNIMPLEMENTED, "Method not found!", id="a wrong path"),
        pytest.param(a_call(GOOD, "/" + "x" * 5_000), UNIMPLEMENTED, "Method not found!", id="a long path"),
        pytest.param(a_call(GOOD, METRICS + "/"), UNIMPLEMENTED, "Method not found!", id="nearly a path"),
        pytest.param(
            a_call(GOOD, "/tidegate.v1.RiskService/OpenSession"), UNIMPLEMENTED, "Method not found!", id="an inner one"
        ),
        pytest.param(a_call(GOOD, content_type="application/json"), OK, "", id="another content type"),
        pytest.param(a_call(GOOD, content_type=""), OK, "", id="no content type"),
        pytest.param(
            a_call(prefixed(b"", length=2**32 - 1)), RESOURCE_EXHAUSTED, "larger than max", id="4 GiB to come"
        ),
        pytest.param(a_call(prefixed(b"", length=9) + rubbish(4)), INVALID_ARGUMENT, "not a", id="rubbish"),
        pytest.param(
            a_call(prefixed(rubbish(9), length=6)), INVALID_ARGUMENT, "not a", id="a length that is too small"
        ),
        pytest.param(a_call(GOOD + GOOD), OK, "", id="two messages"),
        pytest.param(a_call(prefixed(b"", flag=1)), INTERNAL, "no encoding", id="compressed by nothing"),
        pytest.param(
            a_call(prefixed(b"abc", flag=1), METRICS, ("grpc-encoding", "gzip")), INTERNAL, "zlib", id="not gzip"
        ),
        pytest.param(
            a_call(GOOD, METRICS, ("grpc-encoding", "zork")), INTERNAL, "grpc-encoding", id="an unknown compression"
        ),
        pytest.param(
            a_call(GOOD, METRICS, ("grpc-timeout", "soon")), INTERNAL, "grpc-timeout", id="a timeout of words"
        ),
        pytest.param(a_call(GOOD, METRICS, ("x-bin", "!!!!")), INTERNAL, "x-bin", id="bytes that are not base64"),
        pytest.param(a_call(GOOD, METRICS, ("X-Upper", "1")), INTERNAL, "X-Upper", id="a header in capitals"),
        pytest.param(
            a_call(GOOD, METRICS, ("x-much", "a" * 9_000)), RESOURCE_EXHAUSTED, "metadata size", id="9 kB of headers"
        ),
    ],
)
async def test_a_call_that_is_not_as_it_should_be_has_a_status(
    running: RunningGateway, call: Callable[[ByHand], int], code: str, text: str
) -> None:
    """By gRPC or by us: nobody is left without an answer, and the same connection goes on."""

    def talk() -> tuple[str, str]:
        with ByHand(running.address) as peer:
            found = peer.status_of(call(peer))
            assert OK == peer.status_of(peer.call(METRICS))[0]
            return found

    found = await asyncio.to_thread(talk)
    assert (code, True) == (found[0], text in found[1]), found


@pytest.mark.parametrize("missing", [":method", ":scheme", ":path", ":authority", "te"])
async def test_a_stream_without_what_a_call_has_is_reset(running: RunningGateway, missing: str) -> None:
    """The stream alone: the connection goes on."""

    def talk() -> None:
        with ByHand(running.address) as peer:
            stream = peer.begin([(name, value) for name, value in headers_for(METRICS) if name != missing])
            peer.read_until(lambda one: one.kind == RST_STREAM and one.stream == stream)
            assert OK == peer.status_of(peer.call(METRICS))[0]

    await asyncio.to_thread(talk)


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE", "CONNECT", "post"])
async def test_another_http_method_is_reset(running: RunningGateway, method: str) -> None:
    """A browser's request, for instance."""

    def talk() -> None:
        with ByHand(running.address) as peer:
            stream = peer.begin(headers_for(METRICS, method=method))
            peer.pour(stream, GOOD)
            peer.read_until(lambda one: one.kind == RST_STREAM and one.stream == stream)
            assert OK == peer.status_of(peer.call(METRICS))[0]

    await asyncio.to_thread(talk)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n", id="HTTP/1"),
        pytest.param(b"POST /tidegate.v1.OrderService/SubmitOrder HTTP/1.0\r\n\r\n", id="HTTP/1 with a path of ours"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), id="TLS"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="SSH"),
        pytest.param(bytes(1_000), id="zeros"),
    ],
)
async def test_another_protocol_is_hung_up_on(running: RunningGateway, octets: bytes) -> None:
    """At once, not after a time-out."""

    def talk() -> bytes:
        with connected(running.address) as peer:
            peer.settimeout(2)
            peer.sendall(octets)
            said = b""
            while more := peer.recv(4_096):
                said += more
            return said

    await asyncio.to_thread(talk)
    await running.client.risk.GetRiskMetrics(risk_pb2.GetRiskMetricsRequest())


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(frame(DATA, 0, 99, b"abc"), id="data on a stream that was never opened"),
        pytest.param(frame(HEADERS, END_HEADERS, 2, b"\x82"), id="a stream with an even number"),
        pytest.param(frame(HEADERS, END_HEADERS, 0, b"\x82"), id="headers of no stream"),
        pytest.param(
            frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\xff\xff\xff\xff"), id="headers that are none"
        ),
        pytest.param(frame(RST_STREAM, 0, 1, b"\0"), id="a reset of the wrong size"),
        pytest.param(frame(99, 255, 1, b"abc"), id="a frame of no known kind"),
        pytest.param(frame(DATA, 0, 1, b"abc")[:7], id="half a frame"),
        pytest.param(b"\xff\xff\xff\0\0\0\0\0\x01" + bytes(100_000), id="a frame that is too large"),
    ],
)
async def test_a_broken_frame_costs_its_connection_at_most(running: RunningGateway, octets: bytes) -> None:
    """Whatever becomes of that connection, a new one is served."""

    def talk() -> None:
        with ByHand(running.address) as peer:
            peer.send(octets)
            peer.read_for(0.1)
        with ByHand(running.address) as peer:
            assert OK == peer.status_of(peer.call(METRICS))[0]

    await asyncio.to_thread(talk)


async def test_a_message_that_is_cut_off_is_not_decided(running: RunningGateway) -> None:
    """A connection that is lost in the middle of an order leaves nothing in the journal."""
    order = orders_pb2.NewOrder(strategy_id="one", client_order_id="cut", symbol="UP", quantity="1")
    body = prefixed(orders_pb2.SubmitOrderRequest(order=order).SerializeToString())
    before = len(running.events())

    def talk() -> None:
        for end in range(1, len(body)):
            with ByHand(running.address) as peer:
                stream = peer.begin(headers_for("/tidegate.v1.OrderService/SubmitOrder"))
                peer.send(frame(DATA, END_STREAM if end % 2 else 0, stream, body[:end]))

    await asyncio.to_thread(talk)
    await running.client.risk.GetRiskMetrics(risk_pb2.GetRiskMetricsRequest())
    assert before == len(running.events())
