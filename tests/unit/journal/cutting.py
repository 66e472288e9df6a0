"""A way to PostgreSQL that can be cut at the worst moment: the server has done it, and its answer is lost."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg.conninfo import make_conninfo

from tidegate.journal.location import Database

_PIECE = 65_536


class Way:
    """Passes bytes to the server and back, one thread a direction, until its answers are cut off."""

    def __init__(self, server: psycopg.Connection) -> None:
        """Listen on a port of this machine's."""
        self._host, self._port = server.info.host, server.info.port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._mark = b""
        self._is_cut = False
        self.port: int = self._listening.getsockname()[1]
        self.lost = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, mark: bytes) -> None:
        """Let what holds these bytes reach the server still; what it answers is lost, and the connection with it."""
        self._mark = mark

    def close(self) -> None:
        """Let nobody in any more."""
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = self._connect()
                threading.Thread(target=self._pass, args=(client, server), daemon=True).start()
                threading.Thread(target=self._pass_back, args=(server, client), daemon=True).start()

    def _connect(self) -> socket.socket:
        if not self._host.startswith("/"):
            return socket.create_connection((self._host, self._port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{self._host}/.s.PGSQL.{self._port}")
        return server

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError), client, server:
            while piece := client.recv(_PIECE):
                self._is_cut |= bool(self._mark) and self._mark in piece
                server.sendall(piece)

    def _pass_back(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while piece := server.recv(_PIECE):
                if self._is_cut:
                    self.lost.set()
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(piece)


@contextmanager
def way_to(database: Database) -> Iterator[tuple[Way, Database]]:
    """Open a way to a database; give it, and the database as it is reached by it."""
    with psycopg.connect(database.url) as server:
        way = Way(server)
    by_way = make_conninfo(database.url, host="127.0.0.1", port=way.port, sslmode="disable")
    try:
        yield way, Database(by_way, str(database))
    finally:
        way.close()
