"""Figures for Prometheus: what the gateway does, and where they are served."""

from dataclasses import dataclass
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from gateway.addresses import require_safe, split
from tidegate.errors import TidegateError

_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0)

CALL_SECONDS = Histogram("tidegate_call_seconds", "One unary call, in the gateway.", ["method"], buckets=_SECONDS)
REFUSALS = Counter("tidegate_refusals", "Calls that ended with a refusal.", ["method", "reason"])
STREAMS = Gauge("tidegate_streams", "Streams and waiting calls that are open.")
STREAM_LAG_SECONDS = Histogram(
    "tidegate_stream_lag_seconds", "How long a stream's message waited for its reader.", ["method"], buckets=_SECONDS
)


@dataclass(frozen=True)
class MetricsEndpoint:
    """
    Where a process serves its figures.

    certificate, key: with both it is HTTPS, and any address will do; without them it is this machine's own.
    """

    address: str
    certificate: Path | None = None
    key: Path | None = None

    def check(self) -> None:
        """Refuse an address that others could reach unprotected: raises ConfigurationError."""
        require_safe(self.address, is_protected=self.certificate is not None)

    def open(self) -> None:
        """
        Serve, on a thread of its own, for as long as the process lasts.

        Raises:
            TidegateError: somebody else listens there.
        """
        host, port = split(self.address)
        certificate, key = (None if path is None else str(path) for path in (self.certificate, self.key))
        try:
            start_http_server(port, host, certfile=certificate, keyfile=key)
        except OSError as error:
            message = f"cannot serve metrics on {self.address}: {error.strerror}"
            raise TidegateError(message) from error
