"""A slow guesser gets slower: failures are answered ever later, by the address that they come from."""

import asyncio
import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

DELAY_FIRST_S = 0.05
# Shorter than a client's patience, so that who only mistyped learns why.
DELAY_MAX_S = 3.2
FORGOTTEN_AFTER_S = 600.0
ADDRESSES_MAX = 10_000
WAITING_MAX = 1_000
_IPV6_PREFIX = 64


class _Failures(NamedTuple):
    number: int
    last_s: float


class Brake:
    """
    Doubles the delay with each failure of an address, up to a bound; ten quiet minutes are forgiven.

    Only failures wait, so nobody who is known is ever delayed, wherever the calls come from. When the table is full the
    address that has been quiet longest is forgotten; when too many wait already, a failure is answered at once.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        """Begin with no failures; the clock says how long an address was quiet."""
        self._now_s = now_s
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._waiting = 0

    async def hold(self, address: str) -> None:
        """Count a failure, and wait for as long as it costs."""
        delay_s = self.fail(address)
        if self._waiting >= WAITING_MAX:
            return
        self._waiting += 1
        try:
            await asyncio.sleep(delay_s)
        finally:
            self._waiting -= 1

    def fail(self, address: str) -> float:
        """Count a failure; return its delay in seconds."""
        now_s = self._now_s()
        before = self._failures.pop(address, None)
        count = 0 if before is None or now_s - before.last_s > FORGOTTEN_AFTER_S else before.number
        self._failures[address] = _Failures(count + 1, now_s)
        if len(self._failures) > ADDRESSES_MAX:
            self._failures.popitem(last=False)
        # Bounded before it is raised to a power: a guesser may try a million times.
        return min(DELAY_FIRST_S * float(1 << min(count, 16)), DELAY_MAX_S)


def address_of(peer: str) -> str:
    """Return the address of a gRPC peer, without its port; of IPv6 the network, for one sender has all of it."""
    kind, _, rest = unquote(peer).partition(":")
    if kind not in ("ipv4", "ipv6"):
        return kind
    host = rest.rpartition(":")[0].strip("[]")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ipaddress.ip_network((int(address), _IPV6_PREFIX), strict=False))
