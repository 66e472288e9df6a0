"""
Record this version's journals beside those of the versions before: ``python -m tests.journals.record VERSION``.

Done once, at a release; what was recorded is never changed.
"""

import json
import sys
from pathlib import Path

from tests.journals.days import every_method, every_rule, every_session
from tidegate.journal.reading import events_of, verify
from tidegate.journal.sqlite_reader import SqliteReader
from tidegate.journal.states import digest, fold, state_of
from tidegate.v1 import journal_pb2

HERE = Path(__file__).parent
DAYS = {"every_method": every_method, "every_rule": every_rule, "every_session": every_session}
EVERY_KIND = {field.name for field in journal_pb2.Event.DESCRIPTOR.oneofs_by_name["body"].fields}


def record(folder: Path) -> set[str]:
    """Write a journal a day into a new folder, with the state that it adds up to; return the kinds of its events."""
    folder.mkdir()
    kinds: set[str] = set()
    for name, live in DAYS.items():
        live(folder / f"{name}.db")
        reader = SqliteReader(folder / f"{name}.db")
        head = verify(reader)
        state = state_of(fold(events_of(reader)))
        kinds |= {event.WhichOneof("body") or "" for event in events_of(reader)}
        recorded = {"sequence": head.sequence, "hash": head.hash.hex(), "digest": digest(state), "state": state}
        text = json.dumps(recorded, indent=1, ensure_ascii=False)
        (folder / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")
        for left in folder.glob("*.db-*"):
            left.unlink()
    return kinds


if __name__ == "__main__":
    found = record(HERE / sys.argv[1])
    sys.stdout.write(f"{len(found)} kinds of events; missing: {', '.join(sorted(EVERY_KIND - found)) or 'none'}\n")
