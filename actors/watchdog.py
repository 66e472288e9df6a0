"""
The watchdog: a process beside an actor's own, which ends that one when it hangs, so that Ray begins a new one.

It is run as a script and imports nothing of ours, so that nothing of ours can stop it. It reads the actor's beats from
its standard input, and echoes them, so that a watchdog that hangs is found out as well.
"""

import os
import select
import signal
import sys
import time

# An actor without a beat for so many seconds is ended.
SILENT_MAX_S = 5
_LOOK_S = 1.0


def watch(pid: int) -> bool:
    """Watch the parent process until it ends; return whether it had to be ended."""
    silent_s = 0
    while silent_s < SILENT_MAX_S:
        began = time.monotonic()
        is_there, _, _ = select.select([0], [], [], _LOOK_S)
        if is_there:
            beats = os.read(0, 1024)
            if not beats:
                return False
            os.write(1, beats)
            silent_s = 0
        elif time.monotonic() - began < 2 * _LOOK_S:
            silent_s += 1  # a second in which the watchdog itself stood still proves nothing
    if os.getppid() != pid:
        return False
    os.kill(pid, signal.SIGKILL)
    return True


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that it watches
    sys.exit(watch(int(sys.argv[1])))
