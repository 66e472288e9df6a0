"""What is done to a run, and when: drawn from a seed, so that the same seed does the same again."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

KILL, PAUSE, HANG, RESTART, TAKE_OVER = "kill", "pause", "hang", "restart", "take over"
CLIENT, RUN, SERVER, SESSION = "client", "run", "server", "session"
# Each with its chance, in the whole.
_ACTIONS = {
    (KILL, "risk manager"): 30,
    (PAUSE, "risk manager"): 12,
    (KILL, "gateway"): 14,
    (PAUSE, "gateway"): 6,
    (KILL, "allocator"): 8,
    (KILL, "strategy"): 10,
    (KILL, "adapter"): 10,
    (KILL, CLIENT): 7,
    (RESTART, RUN): 1,
    (TAKE_OVER, RUN): 2,
}
# Where the journal is in a database: its server, the writer's session with it, and a writer that its watchdog ends.
_OF_A_DATABASE = {
    (KILL, SESSION): 6,
    (HANG, "risk manager"): 3,
}
_OF_A_SERVER = {
    (KILL, SERVER): 6,
    (RESTART, SERVER): 4,
    (PAUSE, SERVER): 4,
}
_PAUSE_MIN_S, _PAUSE_MAX_S = 0.3, 2.5
_STOPPED_MIN_S, _STOPPED_MAX_S = 0.5, 4.0


class Step(NamedTuple):
    """After a pause, do something to somebody; lot: a number to choose among several, and to last by."""

    pause_s: float
    action: str
    target: str
    lasts_s: float
    lot: int
    waits: bool


def steps(seed: int, *, whole_runs: bool = True, database: bool = False, server: bool = False) -> Iterator[Step]:
    """
    Draw one step after the other, without end.

    whole_runs: whole runs end and are taken over as well. database: so do the writer's sessions with one; server: and
    that database's own server.
    """
    rng = Random(seed)  # noqa: S311 -- it is to be repeated
    chances = {place: chance for place, chance in _ACTIONS.items() if whole_runs or place[1] != RUN}
    chances |= (_OF_A_DATABASE if database else {}) | (_OF_A_SERVER if server else {})
    while True:
        ((action, target),) = rng.choices(list(chances), list(chances.values()))
        yield Step(
            rng.uniform(_PAUSE_MIN_S, _PAUSE_MAX_S),
            action,
            target,
            rng.uniform(_STOPPED_MIN_S, _STOPPED_MAX_S),
            rng.randrange(1_000),
            rng.random() < 0.7,  # the others hit a gate that is still reading its journal
        )
