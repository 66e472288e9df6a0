"""HTTP/2 by hand: what no client library would send, and what the gateway says to it."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple, Self

from hpack import Decoder, Encoder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4
FRAME_BYTES_MAX = 16_384
_SEND_TIMEOUT_S = 1.0
_HEAD = struct.Struct(">BHBBL")

Headers = list[tuple[str, str]]


class Frame(NamedTuple):
    """One frame, as it was on the wire."""

    kind: int
    flags: int
    stream: int
    body: bytes


def connected(address: str) -> socket.socket:
    """Connect, and say nothing."""
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    """Write a frame."""
    return _HEAD.pack(len(body) >> 16, len(body) & 0xFFFF, kind, flags, stream) + body


def settings(window: int) -> bytes:
    """Write a SETTINGS frame: how much the server may send on each stream before it is given more."""
    return frame(SETTINGS, 0, 0, struct.pack(">HL", INITIAL_WINDOW_SIZE, window))


def prefixed(message: bytes, *, flag: int = 0, length: int | None = None) -> bytes:
    """Put gRPC's five bytes before a message, true or not."""
    return bytes([flag]) + struct.pack(">L", len(message) if length is None else length) + message


def headers_for(path: str, **changes: str) -> Headers:
    """Write a gRPC call's headers; ``method`` and ``content_type`` replace what belongs there."""
    headers = [
        (":method", changes.get("method", "POST")),
        (":scheme", "http"),
        (":path", path),
        (":authority", "gateway"),
        ("te", "trailers"),
        ("content-type", changes.get("content_type", "application/grpc")),
    ]
    return [(name, value) for name, value in headers if value]


class ByHand:
    """
    One connection that sends whatever it is told to.

    It answers SETTINGS and PING, so that nothing but the test's own misdeed makes it a bad peer; ``window`` bounds what
    it reads of each stream.
    """

    def __init__(self, address: str, *, window: int = 65_535) -> None:
        """Connect, and go through HTTP/2's opening."""
        self.received: list[Frame] = []
        self._socket = connected(address)
        self._rest = b""
        self._encoder = Encoder()
        self._next = 1
        self.send(PREFACE + settings(window))
        self.read_until(lambda one: one.kind == SETTINGS and not one.flags & ACK)

    def send(self, octets: bytes) -> None:
        """Send bytes, whatever they are; TimeoutError when the server takes none any more."""
        self._socket.settimeout(_SEND_TIMEOUT_S)
        self._socket.sendall(octets)

    def begin(self, headers: Headers, *, flags: int = END_HEADERS) -> int:
        """Open a stream with headers of any size; return its number."""
        stream, self._next = self._next, self._next + 2
        block = self._encoder.encode(headers, huffman=False)
        parts = [block[place : place + FRAME_BYTES_MAX] for place in range(0, len(block), FRAME_BYTES_MAX)]
        self.send(frame(HEADERS, flags if len(parts) == 1 else flags & ~END_HEADERS, stream, parts[0]))
        for number, part in enumerate(parts[1:], start=2):
            self.send(frame(CONTINUATION, END_HEADERS if number == len(parts) else 0, stream, part))
        return stream

    def call(self, path: str, body: bytes = b"") -> int:
        """Make a proper call with a small message; return its stream."""
        stream = self.begin(headers_for(path))
        self.send(frame(DATA, END_STREAM, stream, prefixed(body)))
        return stream

    def pour(self, stream: int, body: bytes, *, flags: int = END_STREAM) -> None:
        """Send a body in frames of a proper size."""
        for place in range(0, len(body), FRAME_BYTES_MAX):
            is_last = place + FRAME_BYTES_MAX >= len(body)
            self.send(frame(DATA, flags if is_last else 0, stream, body[place : place + FRAME_BYTES_MAX]))

    def widen(self, stream: int, size: int = 2**20) -> None:
        """Let the server send more, on the connection and on a stream."""
        for which in (0, stream):
            self.send(frame(WINDOW_UPDATE, 0, which, struct.pack(">L", size)))

    def reset(self, stream: int) -> None:
        """Cancel a stream."""
        self.send(frame(RST_STREAM, 0, stream, struct.pack(">L", 8)))

    def status_of(self, stream: int, limit_s: float = 5.0) -> tuple[str, str]:
        """Wait for a stream's end; return its grpc-status and grpc-message."""
        self.read_until(
            lambda one: one.kind == HEADERS and one.stream == stream and bool(one.flags & END_STREAM), limit_s
        )
        decoder, found = Decoder(), dict[str, str]()
        for one in self.received:
            fields = decoder.decode(one.body) if one.kind == HEADERS else []
            found |= {str(name): str(value) for name, value in fields if one.stream == stream}
        return found["grpc-status"], found["grpc-message"]

    def read_until(self, is_wanted: Callable[[Frame], bool], limit_s: float = 5.0) -> Frame:
        """Read on until a frame is there, also among those read before; EOFError when the server hangs up first."""
        until = time.monotonic() + limit_s
        seen = 0
        while True:
            for one in self.received[seen:]:
                if is_wanted(one):
                    return one
            seen = len(self.received)
            self._socket.settimeout(max(until - time.monotonic(), 0.001))
            self._take()

    def read_for(self, seconds: float) -> bool:
        """Read for a while; tell whether the server has hung up."""
        with suppress(TimeoutError):
            try:
                self.read_until(lambda _: False, seconds)
            except (EOFError, ConnectionError):
                return True
        return False

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def __enter__(self) -> Self:
        """Use the connection in a ``with``."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up at the end of the ``with``."""
        self.close()

    def _take(self) -> None:
        octets = self._socket.recv(256 * 1024)
        if not octets:
            raise EOFError
        self._rest += octets
        for one in self._frames():
            self.received.append(one)
            if one.kind == SETTINGS and not one.flags & ACK:
                self.send(frame(SETTINGS, ACK, 0))
            elif one.kind == PING and not one.flags & ACK:
                self.send(frame(PING, ACK, 0, one.body))

    def _frames(self) -> Iterator[Frame]:
        while len(self._rest) >= _HEAD.size:
            high, low, kind, flags, stream = _HEAD.unpack_from(self._rest)
            end = _HEAD.size + (high << 16 | low)
            if len(self._rest) < end:
                return
            body, self._rest = self._rest[_HEAD.size : end], self._rest[end:]
            yield Frame(kind, flags, stream, body)
