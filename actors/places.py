"""Where everything runs, asked of Ray and of each actor itself."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray._private.state import actors as actor_table
from ray.exceptions import GetTimeoutError, RayError

from actors.cluster import running
from actors.names import NAMESPACE

_ANSWER_TIMEOUT_S = 3.0


class Place(NamedTuple):
    """
    Where an actor runs.

    host: its node's address, with the beginning of its id. memory: resident bytes; None when it does not answer.
    """

    name: str
    state: str
    host: str
    node_id: str
    process_id: int
    restarts: int
    memory: int | None


def places() -> list[Place]:
    """Look where every actor of the portfolio is now."""
    table = {entry["Name"]: entry for entry in actor_table().values() if entry["State"] != "DEAD"}
    names = [name for name in running() if name in table]
    asked = {name: call for name in names if (call := _ask(name)) is not None}
    return [
        Place(
            name,
            table[name]["State"],
            table[name]["Address"]["IPAddress"],
            table[name]["Address"]["NodeID"],
            table[name]["Pid"],
            table[name]["NumRestarts"],
            _answer(asked[name]),
        )
        for name in asked
    ]


def _ask(name: str) -> Any:
    """Ask an actor; None when it has ended meanwhile."""
    try:
        actor = ray.get_actor(name, NAMESPACE)
    except ValueError:
        return None
    return actor.__ray_call__.remote(_memory)


def _answer(call: Any) -> int | None:
    try:
        memory: int = ray.get(call, timeout=_ANSWER_TIMEOUT_S)
    except (RayError, GetTimeoutError):
        return None
    return memory


def _memory(_actor: object) -> int:
    """Return the resident bytes of the process that this runs in."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
