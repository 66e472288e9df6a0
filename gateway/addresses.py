"""Where a gateway may listen, and what is on this machine."""

import ipaddress

from tidegate.errors import ConfigurationError

DEFAULT_ADDRESS = "127.0.0.1:50051"
UNIX = "unix:"
_PORT_MAX = 65_535


def is_on_this_machine(address: str) -> bool:
    """Tell whether only this machine can reach an address."""
    if address.startswith(UNIX):
        return True
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_safe(address: str, *, is_protected: bool) -> str:
    """
    Return the address when a gateway may listen there: on loopback, or anywhere with TLS and an access file.

    Raises:
        ConfigurationError: it is not ``host:port``, or others could reach it unprotected.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) <= _PORT_MAX:
        message = f"{address} is not host:port, with a port from 1 to {_PORT_MAX}"
        raise ConfigurationError(message)
    if not (is_protected or is_on_this_machine(address)):
        message = (
            f"the gateway does not listen on {host} without TLS and an access file: anyone who reached it could trade; "
            "use 127.0.0.1, ::1 or localhost, or give --tls-certificate, --tls-key and --access"
        )
        raise ConfigurationError(message)
    return address


def split(address: str) -> tuple[str, int]:
    """Return the host and the port of an address that was taken."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def beside(address: str, number: int) -> str:
    """Return the address so many ports further on."""
    host, _, port = address.rpartition(":")
    return f"{host}:{int(port) + number}"
