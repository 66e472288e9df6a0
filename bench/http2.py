"""
One HTTP/2 connection that costs its own process almost nothing.

All requests are built beforehand, each with a body of its own; at run time bytes are written and frames are counted.
What came back is kept, and looked at after the run.
"""

import socket
import struct
import time
from collections.abc import Sequence

from hpack import Decoder, Encoder
from hyperframe.frame import DataFrame, HeadersFrame, PingFrame, SettingsFrame, WindowUpdateFrame

from bench.errors import BenchError

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FRAME_HEAD = struct.Struct(">BHBBL")
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GO_AWAY, _WINDOW_UPDATE = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7, 0x8
_END_STREAM, _ACK = 0x1, 0x1
_WINDOW_BYTES = 65_535
_WINDOW_BYTES_MAX = 2**31 - 1
_FRAME_BYTES_MAX = 16_384
_RECEIVE_BYTES = 256 * 1024


class Connection:
    """
    Sends its requests in their order, with at most ``streams`` of them open.

    latencies_s: of each call that ended, in the order of their ends. open: the calls under way.
    """

    def __init__(self, address: str, path: str, bodies: Sequence[bytes], streams: int) -> None:
        """Build the requests, connect, and say what this end takes: everything."""
        self.latencies_s: list[float] = []
        self.open = 0
        self._streams = streams
        self._left = len(bodies)
        self._wire, self._ends = _build(address, path, bodies)
        # gRPC's five bytes and the message; all bodies of a run have one size.
        self._size = 5 + len(bodies[0])
        if {len(body) for body in bodies} != {len(bodies[0])} or self._size > _WINDOW_BYTES:
            message = f"the bodies of one run have one size, of at most {_WINDOW_BYTES - 5} bytes"
            raise BenchError(message)
        self._credit = _WINDOW_BYTES
        self._sent_at: list[float] = []
        self._rest = b""
        self._replies: list[tuple[int, bytes]] = []
        self._headers: list[tuple[int, bytes]] = []
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        settings = SettingsFrame(settings={SettingsFrame.INITIAL_WINDOW_SIZE: _WINDOW_BYTES_MAX})
        window = WindowUpdateFrame(0, window_increment=_WINDOW_BYTES_MAX - _WINDOW_BYTES)
        self._socket.sendall(_PREFACE + settings.serialize() + window.serialize())

    def fileno(self) -> int:
        """Return the socket's number, for a selector."""
        return self._socket.fileno()

    def send(self) -> None:
        """Send as many requests as there are free streams, and as the server's window lets through."""
        count = min(self._streams - self.open, self._left, self._credit // self._size)
        if count <= 0:
            return
        first = len(self._sent_at)
        self._sent_at += [time.perf_counter()] * count
        self._socket.sendall(self._wire[self._ends[first] : self._ends[first + count]])
        self._credit -= count * self._size
        self._left -= count
        self.open += count

    def stop(self) -> None:
        """Send nothing more."""
        self._left = 0

    def receive(self) -> int:
        """Take what has arrived; return how many calls ended with it."""
        chunk = self._socket.recv(_RECEIVE_BYTES)
        if not chunk:
            message = "the server closed the connection"
            raise BenchError(message)
        now, before = time.perf_counter(), self.open
        data, place = self._rest + chunk, 0
        while len(data) - place >= _FRAME_HEAD.size:
            high, low, kind, flags, stream = _FRAME_HEAD.unpack_from(data, place)
            end = place + _FRAME_HEAD.size + (high << 16 | low)
            if end > len(data):
                break
            body = data[place + _FRAME_HEAD.size : end]
            place = end
            if kind == _HEADERS:
                self._headers.append((stream, body))
                if flags & _END_STREAM:
                    self.open -= 1
                    self.latencies_s.append(now - self._sent_at[stream // 2])
            elif kind == _DATA:
                self._replies.append((stream, body))
            else:
                self._control(kind, flags, stream, body)
        self._rest = data[place:]
        return before - self.open

    def replies(self) -> list[bytes]:
        """
        Return every call's message, in the order of the requests; after the run.

        Raises:
            BenchError: a call was refused; the message says with what status.
        """
        whole: dict[int, bytes] = {}
        for stream, part in self._replies:
            whole[stream] = whole.get(stream, b"") + part
        asked = range(1, 2 * len(self._sent_at), 2)
        if refused := [stream for stream in asked if stream not in whole]:
            message = f"{len(refused)} of {len(asked)} calls were refused, the first with {self._status(refused[0])}"
            raise BenchError(message)
        return [whole[stream][5:] for stream in asked]

    def close(self) -> None:
        """Drop the connection."""
        self._socket.close()

    def _control(self, kind: int, flags: int, stream: int, body: bytes) -> None:
        if kind == _WINDOW_UPDATE and stream == 0:
            self._credit += int.from_bytes(body)
        elif kind == _SETTINGS and not flags & _ACK:
            self._socket.sendall(SettingsFrame(flags=["ACK"]).serialize())
        elif kind == _PING and not flags & _ACK:
            self._socket.sendall(PingFrame(opaque_data=body, flags=["ACK"]).serialize())
        elif kind in (_RESET, _GO_AWAY):
            name = "reset a call" if kind == _RESET else "is going away"
            message = f"the server {name}: error code {int.from_bytes(body[-4:])}"
            raise BenchError(message)

    def _status(self, stream: int) -> str:
        decoder, found = Decoder(), dict[str, str]()
        for place, block in self._headers:
            for name, value in decoder.decode(block):
                if place == stream:
                    found[str(name)] = str(value)
        return f"grpc-status {found.get('grpc-status')}: {found.get('grpc-message')}"


def _build(address: str, path: str, bodies: Sequence[bytes]) -> tuple[bytes, list[int]]:
    """Write all requests behind one another; return the bytes, and where each request begins and the last one ends."""
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", address),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]
    encoder = Encoder()
    # The first block teaches the server's table; every later one is the same few bytes.
    first, later = encoder.encode(headers), encoder.encode(headers)
    wire, ends = bytearray(), [0]
    for number, body in enumerate(bodies):
        stream = 2 * number + 1
        wire += HeadersFrame(stream, later if number else first, flags=["END_HEADERS"]).serialize()
        message = b"\0" + len(body).to_bytes(4) + body
        for place in range(0, len(message), _FRAME_BYTES_MAX):
            is_last = place + _FRAME_BYTES_MAX >= len(message)
            flags = ["END_STREAM"] if is_last else []
            wire += DataFrame(stream, message[place : place + _FRAME_BYTES_MAX], flags=flags).serialize()
        ends.append(len(wire))
    return bytes(wire), ends
