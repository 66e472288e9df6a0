"""Python's garbage collector, in a process that decides orders."""

import gc


def collect_rarely() -> None:
    """Leave what the journal has built alone, and look at the rest rarely: the engine's objects have no cycles."""
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)
