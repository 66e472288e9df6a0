"""
The cross-check by another hand's instrument: h2load, of nghttp2.

One h2load run sends one body again and again. The gateway decides it once and answers the rest as retries of the same
client_order_id: its door, parser and lookup are driven, the checks and the journal are not. For the echo there is no
difference, so its rate shows whether our own load holds it back.
"""

import re
import shutil
import subprocess
from pathlib import Path

from bench import flow
from bench.errors import BenchError
from bench.load import SUBMIT_ORDER

MISSING = "h2load is not installed, its cross-check is left out; on Debian: apt-get install nghttp2-client"
_TIMEOUT_S = 120
_RATE = re.compile(r"finished in [^,]+, ([0-9.]+) req/s")


def is_installed() -> bool:
    """Tell whether h2load is there."""
    return shutil.which("h2load") is not None


def rate(address: str, folder: Path, *, count: int, connections: int, streams: int) -> float:
    """Send one order ``count`` times; return the calls per second."""
    body = flow.single("h2load", 0)
    path = folder / "h2load.body"
    path.write_bytes(b"\0" + len(body).to_bytes(4) + body)
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    load = ["-n", str(count), "-c", str(connections), "-m", str(streams), "-d", str(path)]
    finished = subprocess.run(  # noqa: S603 -- the program that the user installed
        [shutil.which("h2load") or "", *load, *headers, f"http://{address}{SUBMIT_ORDER}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    found = _RATE.search(finished.stdout)
    if found is None or f"{count} succeeded, 0 failed" not in finished.stdout:
        message = f"h2load failed: {finished.stdout.strip() or finished.stderr.strip()}"
        raise BenchError(message)
    return float(found[1])
