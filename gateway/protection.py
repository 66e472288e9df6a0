"""How a gateway is protected, and where it listens because of it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from gateway.access_file import PrincipalSection, read_access_file
from gateway.addresses import require_safe
from gateway.methods import services
from gateway.tls import TlsFiles, watched_tls
from tidegate.errors import ConfigurationError
from tidegate.v1 import admin_pb2

_ALL = frozenset(service.full_name for service in services())
_ADMIN = frozenset(service.full_name for service in admin_pb2.DESCRIPTOR.services_by_name.values())


@dataclass(frozen=True)
class InnerDoor:
    """
    The listener for what a run starts itself, its replay and its adapters: a socket that only this user can open.

    principals: whom it made up for them; they have no place in the access file, and end with the run.
    """

    address: str
    principals: tuple[PrincipalSection, ...] = ()


@dataclass(frozen=True)
class Protection:
    """
    What keeps strangers out; nothing of it by default, and then the gateway listens on loopback only.

    access: the access file. tls: the certificate. admin_address: where AdminService answers instead of at the gateway's
    own address. is_without_admin: it answers at another gateway only. inner: see InnerDoor.
    """

    access: Path | None = None
    tls: TlsFiles | None = None
    admin_address: str = ""
    is_without_admin: bool = False
    inner: InnerDoor | None = None

    def of_further_gateways(self) -> "Protection":
        """Protect another gateway of the same run alike: a listener for administrators stays the only one."""
        return replace(self, admin_address="", is_without_admin=bool(self.admin_address), inner=None)

    def check(self, address: str) -> None:
        """
        Refuse what is not safe, or cannot be read, before anything starts.

        Raises:
            ConfigurationError: an address that others could reach unprotected, or a file that cannot be used.
        """
        is_protected = self.access is not None and self.tls is not None
        require_safe(address, is_protected=is_protected)
        if self.admin_address:
            require_safe(self.admin_address, is_protected=is_protected)
            if self.admin_address == address:
                message = f"--admin-address takes another address than {address}, where the other services answer"
                raise ConfigurationError(message)
        if self.access is not None:
            read_access_file(self.access)
        if self.tls is not None:
            watched_tls(self.tls)


class Listener(NamedTuple):
    """An address, whether it speaks TLS, and the services that answer there."""

    address: str
    is_secure: bool
    services: frozenset[str]


def listeners(address: str, protection: Protection) -> list[Listener]:
    """Return every place where a gateway listens."""
    is_secure = protection.tls is not None
    is_apart = bool(protection.admin_address) or protection.is_without_admin
    found = [Listener(address, is_secure, _ALL - _ADMIN if is_apart else _ALL)]
    if protection.admin_address:
        found.append(Listener(protection.admin_address, is_secure, _ADMIN))
    if protection.inner is not None:
        found.append(Listener(protection.inner.address, is_secure=False, services=_ALL))
    return found
