"""``python -m tidegate.state``: a snapshot, by a process of its own that the gate beside it hardly notices."""

import os
import sys

from tidegate.errors import TidegateError
from tidegate.journal.location import located, open_reader
from tidegate.journal.recorded import RecordedJournal
from tidegate.state.recovery import take_snapshot

_NICENESS = 19


def main() -> None:
    """
    Take a snapshot of the journal that standard input names; say where, or why not and end with exit code 1.

    Its URL may hold a password, and everybody on the machine may read a command line.
    """
    os.nice(_NICENESS)
    try:
        taken = take_snapshot(RecordedJournal(open_reader(located(sys.stdin.read().strip()))))
    except TidegateError as error:
        sys.exit(str(error))
    sys.stdout.write("none" if taken is None else str(taken.sequence))


if __name__ == "__main__":
    main()
