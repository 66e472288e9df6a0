"""``python -m tidegate.state JOURNAL``: a snapshot, by a process of its own that the gate beside it hardly notices."""

import os
import sys
from pathlib import Path

from tidegate.errors import JournalError
from tidegate.journal.reading import JournalFile
from tidegate.state.recovery import take_snapshot

_NICENESS = 19


def main(journal: str) -> None:
    """Take a snapshot; say where, or why not and end with exit code 1."""
    os.nice(_NICENESS)
    try:
        taken = take_snapshot(JournalFile(Path(journal)))
    except JournalError as error:
        sys.exit(str(error))
    sys.stdout.write("none" if taken is None else str(taken.sequence))


if __name__ == "__main__":
    main(*sys.argv[1:])
