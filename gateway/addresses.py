"""Where a gateway may listen."""

import ipaddress

from tidegate.errors import ConfigurationError

DEFAULT_ADDRESS = "127.0.0.1:50051"
_PORT_MAX = 65_535


def require_loopback(address: str) -> str:
    """
    Return the address when only this machine can reach it.

    Raises:
        ConfigurationError: it is not ``host:port``, or others could reach it.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) <= _PORT_MAX:
        message = f"{address} is not host:port, with a port from 1 to {_PORT_MAX}"
        raise ConfigurationError(message)
    bare = host.strip("[]")
    try:
        is_loopback = bare == "localhost" or ipaddress.ip_address(bare).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        message = (
            f"the gateway does not listen on {host}: it has no TLS and asks nobody who they are, "
            "so anyone who reached it could trade; use 127.0.0.1, ::1 or localhost"
        )
        raise ConfigurationError(message)
    return address
