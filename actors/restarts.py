"""What an actor does when Ray starts its process again: it starts itself, for nobody else may be left to do it."""

import asyncio
import os
import warnings
from collections.abc import Awaitable, Callable

import ray
from structlog.typing import FilteringBoundLogger

EXIT_FATAL = 70
_PAUSE_S = 1.0


def start_again_after_a_restart(start: Callable[[], Awaitable[object]], log: FilteringBoundLogger) -> None:
    """
    Begin ``start`` in the background when this process replaces one that died. Called by an actor's constructor.

    The constructor itself does nothing that can fail: Ray never restarts an actor whose constructor raises. A start
    that fails ends the process, and Ray tries again.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the flag reads a deprecated name inside Ray
        restarted = ray.get_runtime_context().was_current_actor_reconstructed
    if not restarted:
        return

    async def run() -> None:
        try:
            await start()
        except Exception:
            log.exception("restart_failed")
            await asyncio.sleep(_PAUSE_S)
            os._exit(EXIT_FATAL)
        log.warning("restarted")

    _running.add(task := asyncio.get_running_loop().create_task(run()))
    task.add_done_callback(_running.discard)


# The event loop keeps only weak references to its tasks.
_running: set[asyncio.Task[None]] = set()
