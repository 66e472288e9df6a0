"""A journal as JSON Lines: one event a line, with all that is needed to recompute the hash chain elsewhere."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict

from tidegate.journal.contract import Batch, Reader
from tidegate.journal.reading import decoded, verified


def lines(reader: Reader, begin: int = 1, until: int | None = None) -> Iterator[str]:
    """
    Write the events of a range, oldest first; the chain is verified from the first event on.

    The last event of each batch carries the hash of the chain up to it. raises JournalError where the chain breaks.
    """
    for batch in verified(reader):
        if batch.last_sequence < begin:
            continue
        for event in batch.events:
            if until is not None and event.sequence > until:
                return
            if event.sequence >= begin:
                yield _line(reader, batch, event.sequence, event.body)


def _line(reader: Reader, batch: Batch, sequence: int, body: bytes) -> str:
    event = decoded(reader, sequence, body)
    kind = event.WhichOneof("body") or ""
    written: dict[str, Any] = {
        "sequence": sequence,
        "time": event.time.ToJsonString(),
        "kind": kind,
        "body": MessageToDict(getattr(event, kind), preserving_proto_field_name=True) if kind else {},
        "epoch": batch.epoch,
        "bytes": base64.b64encode(body).decode(),
    }
    if sequence == batch.last_sequence:
        written["hash"] = batch.hash.hex()
    return json.dumps(written, separators=(",", ":"), ensure_ascii=False)
