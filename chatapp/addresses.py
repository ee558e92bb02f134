"""Addresses of the network: the URL at which people open the service, and trusted proxies."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1"))
DEFAULT_PORTS = {"http": 80, "https": 443}
NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
MOST_PROXIES = 16  # one after the other; what is written before them is not read
PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port, as browsers compare them."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{'' if self.has_default_port else f':{self.port}'}"

    @property
    def has_default_port(self) -> bool:
        """Whether the port is that of the scheme."""
        return self.port == DEFAULT_PORTS[self.scheme]


@dataclass(frozen=True, slots=True)
class PublicURL:
    """The URL at which people open the service; `path` is empty or begins with a slash."""

    origin: Origin
    path: str

    def __str__(self) -> str:
        return f"{self.origin}{self.path}"

    @property
    def home(self) -> str:
        """The address of the page."""
        return f"{self}/"


@dataclass(frozen=True, slots=True)
class Reachable:
    """Hosts, as a name or `*.name`, and networks of which pages are fetched beside public ones."""

    hosts: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    def includes(self, host: str, address: Address) -> bool:
        """Return whether a host, or the address that it has, is named."""
        domains = (name[1:] for name in self.hosts if name.startswith("*."))
        return (
            host in self.hosts
            or any(host.endswith(domain) for domain in domains)
            or is_within(address, self.networks)
        )


def parse_reachable(text: str) -> Reachable:
    """Parse a setting: names, addresses and networks separated by commas; raise ValueError."""
    hosts: list[str] = []
    networks: list[Network] = []
    for part in filter(None, (part.strip().lower() for part in text.split(","))):
        try:
            networks.append(ip_network(part.strip("[]"), strict=False))
        except ValueError:
            hosts.append(part.encode("idna").decode().removesuffix("."))
    names = (host.removeprefix("*.") for host in hosts)
    if not all(NAME.fullmatch(name) and not name.rpartition(".")[2].isdigit() for name in names):
        raise ValueError
    return Reachable(tuple(hosts), tuple(networks))


def parse_origin(text: str) -> Origin | None:
    """Return the origin of an `Origin` header, None for "null" and for what is not an origin."""
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").rstrip(".")
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return Origin(parts.scheme, host, port) if host and not parts.path else None


def parse_public_url(text: str) -> PublicURL:
    """Parse a setting; raise ValueError for what is not the address of a page or folder."""
    scheme, _, rest = text.strip().partition("://")
    place, slash, path = rest.partition("/")
    origin = parse_origin(f"{scheme.lower()}://{place.encode('idna').decode()}".lower())
    path = f"{slash}{path}".rstrip("/")
    if origin is None or not _is_host(origin.host) or "@" in place or not PATH.fullmatch(path):
        raise ValueError
    return PublicURL(origin, path)


def parse_networks(text: str) -> tuple[Network, ...]:
    """Parse a setting: addresses and networks, separated by commas; raise ValueError."""
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(","))


def parse_address(text: str) -> Address | None:
    """Return the address that a proxy names, which may have a port; None if it names none."""
    found = re.fullmatch(r"\[(.+)\](:\d+)?|([\d.]+):\d+", text.strip())
    try:
        address = ip_address((found[1] or found[3]) if found else text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    """Return whether an address belongs to one of the networks."""
    return any(address in network for network in networks)


def _is_host(host: str) -> bool:
    return parse_address(host) is not None if ":" in host else bool(NAME.fullmatch(host))


def client_chain(forwarded: list[str], trusted: Iterable[Network]) -> list[str]:
    """Return the client and the trusted proxies after it, of `X-Forwarded-For`.

    What is not an address ends the list: the proxy that sent it counts as the client.
    """
    found: list[str] = []
    for text in reversed(forwarded[-MOST_PROXIES:]):
        address = parse_address(text)
        if address is None:
            break
        found.insert(0, str(address))
        if not is_within(address, trusted):
            break
    return found
