"""Which addresses a page may be fetched from: public ones, and those that the setting allows.

A name is resolved once, here. Connections go to an address that was checked and is never looked up
again, so that a name server cannot answer otherwise the second time (DNS rebinding).
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from chatapp.addresses import DEFAULT_PORTS, Address, Reachable
from chatapp.chains.http.connection import look_up
from chatapp.errors import PageUnavailable

NAME_SECONDS = 10.0
MOST_ADDRESSES = 4  # of a name that are tried

LookUp = Callable[[str, int, float], Sequence[Any]]

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in its last 32 bits
_UNICAST = ipaddress.IPv6Network("2000::/3")  # what is assigned of IPv6
# In there: tunnels that lead to an IPv4 address, and addresses for protocols and examples.
_SPECIAL_IPV6 = tuple(
    map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
)
# Not marked as special everywhere: relays of 6to4, multicast, and what is reserved.
_SPECIAL_IPV4 = tuple(
    map(
        ipaddress.IPv4Network,
        ("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15")
        + ("224.0.0.0/4", "240.0.0.0/4"),
    )
)


def is_public(address: Address) -> bool:
    """Return whether an address belongs to the public internet, also through NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        special = any(address in network for network in _SPECIAL_IPV4)
        return address.is_global and not special
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    special = any(address in network for network in _SPECIAL_IPV6)
    return address in _UNICAST and address.is_global and not special


class Guard:
    """Resolves the hosts of pages to addresses that may be connected to."""

    def __init__(self, allowed: Reachable, resolve: LookUp = look_up) -> None:
        self._allowed = allowed
        self._resolve = resolve

    def refuses(self, address: str) -> bool:
        """Return whether the host of a page is an IP address that may not be connected to."""
        literal = _literal(urlsplit(address).hostname or "")
        return literal is not None and not self._permits("", literal)

    def addresses(self, address: str) -> list[str]:
        """Return the IP addresses for a page's host, at most MOST_ADDRESSES.

        Raises PageUnavailable where there is none, or none that is permitted.
        """
        parts = urlsplit(address)
        host = parts.hostname or ""
        if (literal := _literal(host)) is not None:
            found = [literal]
        else:
            found = self._look_up(host, parts.port or DEFAULT_PORTS[parts.scheme])
        permitted = [str(each) for each in found if self._permits(host, each)]
        if not permitted:
            raise PageUnavailable("not_public", host=host)
        return list(dict.fromkeys(permitted))[:MOST_ADDRESSES]

    def _look_up(self, host: str, port: int) -> list[Address]:
        try:
            rows = self._resolve(host, port, NAME_SECONDS)
        except socket.gaierror as fault:
            missing = fault.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None))
            raise PageUnavailable("no_host" if missing else "names", host=host) from fault
        except (OSError, UnicodeError) as fault:  # TimeoutError too
            raise PageUnavailable("names", host=host) from fault
        found = [parsed for row in rows if (parsed := _literal(str(row[4][0]))) is not None]
        if not found:
            raise PageUnavailable("no_host", host=host)
        return found

    def _permits(self, host: str, address: Address) -> bool:
        return is_public(address) or self._allowed.includes(host, address)


def _literal(host: str) -> Address | None:
    """Return an IP address; an IPv4 one that IPv6 wraps is that IPv4 one. None for a name."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
