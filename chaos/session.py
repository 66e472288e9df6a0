"""A client of the real gateway that writes down what it asked and what it was told, and asks again until it knows."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import grpc

from chaos.records import Log
from gateway.client import Client
from gateway.status import is_away, refusal_of

ADDRESSES = "addresses.json"
STOP = "stop"
_TIMEOUT_S = 4.0
_PAUSE_S = 0.1
_FAITHFUL_S = 30.0
# A client that hears nothing for so long gives up, and the run has failed.
PATIENCE_S = 180.0

Q = TypeVar("Q")
T = TypeVar("T")


class RefusedError(Exception):
    """The gateway understood, and said no."""


class Session:
    """One client's connection and log. The gateways' addresses stand in a file, for they change with every new run."""

    def __init__(self, folder: Path, name: str, seed: int, gateway: int, *, is_faithful: bool = False) -> None:
        """
        Go on with the log of this name.

        gateway: which of them to speak to. is_faithful: wait long for one that is silent, also when another one has
        taken over: it may be a zombie, and speak again.
        """
        self.name = name
        self.rng = random.Random(f"{seed} {name}")  # noqa: S311 -- what is asked is to be repeated
        self.log = Log(folder / f"{name}.log")
        self._folder = folder
        self._is_faithful = is_faithful
        self._gateway = gateway
        self._address = ""
        self._client: Client | None = None

    @property
    def is_stopping(self) -> bool:
        """Tell whether nothing new is to be asked any more."""
        return (self._folder / STOP).exists()

    def ask(self, method: Callable[[Client], Callable[[Q], T]], request: Q, *, repeats: bool = True) -> T | None:
        """
        Ask until there is an answer; None where it is unknown and the question must not be repeated.

        Raises:
            RefusedError: the gateway refused it.
            TimeoutError: nobody answered for a very long time.
        """
        asked = time.monotonic()
        while time.monotonic() < asked + PATIENCE_S:
            try:
                return method(self._connected())(request)
            except grpc.RpcError as error:
                if not is_away(error):
                    raise RefusedError(refusal_of(error).reason) from error
            time.sleep(_PAUSE_S)
            if not self._is_faithful or time.monotonic() > asked + _FAITHFUL_S:
                self._disconnect()
            if not repeats:
                return None
        message = f"{self.name}: nobody has answered for {PATIENCE_S:g} s"
        raise TimeoutError(message)

    def _connected(self) -> Client:
        if self._client is None:
            addresses = json.loads((self._folder / ADDRESSES).read_text(encoding="utf-8"))
            self._address = addresses[self._gateway % len(addresses)]
            self._client = Client(self._address, timeout_s=_TIMEOUT_S)
        return self._client

    def _disconnect(self) -> None:
        """Forget the connection when there are other addresses by now; gRPC itself mends one that broke."""
        if self._client is not None:
            addresses = json.loads((self._folder / ADDRESSES).read_text(encoding="utf-8"))
            if self._address not in addresses:
                self._client.close()
                self._client = None
