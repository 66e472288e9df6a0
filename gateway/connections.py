"""Connections: what they may cost the gateway, and how each end notices that the other one is gone."""

from typing import Any

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
# Of one listener, and well below the 1,024 files that a process may have open by default: the journal needs some as
# well. What comes above it is closed at once; whoever is connected does not notice.
CONNECTIONS_MAX = 500
# Open at the same time on one connection, streams included. HTTP/2 asks for no less than 100.
CALLS_MAX = 250
# Taken off the wire, and not yet begun by a handler. gRPC answers CANCELLED above it, without a reason.
CALLS_WAITING_MAX = 10_000
HEADERS_BYTES_MAX = 8 * 1024
# From the first byte to the end of the handshakes, TLS and HTTP/2.
HANDSHAKE_TIMEOUT_S = 10.0
# Without a call; a client connects again with its next one.
IDLE_TIMEOUT_S = 600.0
# A peer that does not answer a ping is gone.
SERVER_PING_PERIOD_S = 20.0
CLIENT_PING_PERIOD_S = 10.0
PING_TIMEOUT_S = 10.0
# A client that pings more often is sent away.
CLIENT_PING_PERIOD_MIN_S = 5.0

Options = list[tuple[str, Any]]


def server_options() -> Options:
    """Bound what strangers can make grow, before any handler is asked."""
    return [
        ("grpc.so_reuseport", 0),  # two gateways must never share the port in silence
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_metadata_size", HEADERS_BYTES_MAX),
        ("grpc.absolute_max_metadata_size", HEADERS_BYTES_MAX),
        ("grpc.max_allowed_incoming_connections", CONNECTIONS_MAX),
        ("grpc.max_concurrent_streams", CALLS_MAX),
        # By default gRPC cancels calls at random from the thousandth one on, whoever's they are.
        ("grpc.server.max_pending_requests", CALLS_WAITING_MAX),
        ("grpc.server.max_pending_requests_hard_limit", CALLS_WAITING_MAX),
        ("grpc.server_handshake_timeout_ms", _ms(HANDSHAKE_TIMEOUT_S)),
        ("grpc.max_connection_idle_ms", _ms(IDLE_TIMEOUT_S)),
        *_pings(SERVER_PING_PERIOD_S),
        ("grpc.http2.min_ping_interval_without_data_ms", _ms(CLIENT_PING_PERIOD_MIN_S)),
    ]


def client_options() -> Options:
    """Notice a gateway that is gone without a word, also while nothing is said."""
    return _pings(CLIENT_PING_PERIOD_S)


def _pings(period_s: float) -> Options:
    return [
        ("grpc.keepalive_time_ms", _ms(period_s)),
        ("grpc.keepalive_timeout_ms", _ms(PING_TIMEOUT_S)),
        ("grpc.http2.ping_timeout_ms", _ms(PING_TIMEOUT_S)),  # else a minute, whatever the line above says
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),  # no bound: a quiet stream is pinged as well
    ]


def _ms(seconds: float) -> int:
    return int(seconds * 1_000)
