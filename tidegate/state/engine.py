"""The whole state of an engine, as a snapshot keeps it."""

import zlib

from tidegate.errors import StateError
from tidegate.risk.engine import Engine
from tidegate.state import codec
from tidegate.state.classes import ATTRIBUTES

# Zlib's fast level: a snapshot is read at every start and written beside a gate at work.
_LEVEL = 1


def write_engine(engine: Engine) -> bytes:
    """Write everything that an engine has made of its events."""
    return zlib.compress(codec.write(engine), _LEVEL)


def read_engine(body: bytes, engine: Engine) -> None:
    """
    Let an engine that has seen nothing go on from a written state.

    Raises:
        StateError: it is none, or one of another version; the engine is as it was.
    """
    try:
        found = codec.read(zlib.decompress(body))
    except zlib.error as error:
        message = f"this is no state: {error}"
        raise StateError(message) from error
    if not isinstance(found, Engine):
        message = f"this is the state of a {type(found).__name__}, and of no engine"
        raise StateError(message)
    for name in ATTRIBUTES["Engine"]:
        setattr(engine, name, getattr(found, name))
    engine.derive()
