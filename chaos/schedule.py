"""What is done to a run, and when: drawn from a seed, so that the same seed does the same again."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

KILL, PAUSE, RESTART, TAKE_OVER = "kill", "pause", "restart", "take over"
CLIENT = "client"
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
    (RESTART, "run"): 1,
    (TAKE_OVER, "run"): 2,
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


def steps(seed: int, *, whole_runs: bool = True) -> Iterator[Step]:
    """Draw one step after the other, without end; whole_runs: whether whole runs end and are taken over as well."""
    rng = Random(seed)  # noqa: S311 -- it is to be repeated
    chances = {place: chance for place, chance in _ACTIONS.items() if whole_runs or place[1] != "run"}
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
