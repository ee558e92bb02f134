"""Connections to suppliers: name resolution, TCP, TLS and proxies, with urllib3.

One time limit covers all steps of connecting. A proxy and a CA file are used where a setting
names them; the environment's are not read.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeAlias
from urllib.parse import SplitResult, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig

from chatapp.addresses import DEFAULT_PORTS
from chatapp.chains.http.tls import tls_context
from chatapp.identity.cache import TTLCache

Address: TypeAlias = tuple[Any, Any, int, str, Any]
NAME_SECONDS = 5.0  # a resolved name is cached so long: a burst of questions resolves it once
MAX_NAMES = 256
_names: TTLCache[tuple[str, int], list[Address]] = TTLCache(NAME_SECONDS, MAX_NAMES)


class Unreachable(Exception):
    """No connection, or it broke before the response began. `final`: another attempt is useless."""

    def __init__(self, final: bool, certificate: bool = False) -> None:
        super().__init__()
        self.final = final
        self.certificate = certificate


@dataclass(frozen=True, slots=True)
class Route:
    """Where requests go: the address, and the proxy and CA file that settings name.

    With `pinned`, an IP address, no name is resolved, here or by the proxy: connections go to that
    address, and only TLS and the Host header use the name.
    """

    base_url: str
    proxy: str = field(default="", repr=False)  # may contain credentials
    ca_file: str = ""
    pinned: str = ""


class _TimedConnect:
    """Connects within one time-out, which covers name resolution and all addresses of the host."""

    def _new_conn(self) -> socket.socket:
        return _open_socket(self._dns_host, self.port, self.timeout)  # type: ignore[attr-defined]


class _Http(_TimedConnect, HTTPConnection):
    pass


class _Https(_TimedConnect, HTTPSConnection):
    pass


def split(base_url: str) -> SplitResult:
    """Parse a base URL; raise Unreachable if it is invalid."""
    try:
        target = urlsplit(base_url.strip())
        if target.scheme not in ("http", "https") or not target.hostname or target.port == 0:
            raise ValueError
    except ValueError as error:
        raise Unreachable(final=True) from error
    return target


def path_of(target: SplitResult, path: str) -> str:
    """Return a request's path below the base URL, with the base URL's query."""
    query = f"?{target.query}" if target.query else ""
    return f"{target.path.rstrip('/')}/{path}{query}"


def host_of(target: SplitResult) -> str:
    """Return the Host header: the name in ASCII, with the port where the URL has one."""
    host = target.hostname or ""
    name = f"[{host}]" if ":" in host else host if host.isascii() else host.encode("idna").decode()
    return f"{name}:{target.port}" if target.port else name


def new_connection(route: Route, target: SplitResult) -> HTTPConnection:
    """Return a connection, not yet open, to the target or to the route's proxy.

    Raises Unreachable for invalid names and CA files.
    """
    try:
        return _new_connection(route, target)
    except OSError as error:  # the CA file, SSLError too
        raise Unreachable(final=True, certificate=True) from error
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(final=True) from error


def _new_connection(route: Route, target: SplitResult) -> HTTPConnection:
    secure = target.scheme == "https"
    proxy = urllib3.util.parse_url(route.proxy) if route.proxy else None
    named = route.pinned or target.hostname
    host, port = (proxy.host, proxy.port) if proxy else (named, target.port)
    if proxy and port is None:
        port = 443 if proxy.scheme == "https" else 80
    if secure or (proxy and proxy.scheme == "https"):
        config = ProxyConfig(tls_context(route.ca_file), False, None, None) if proxy else None
        made: HTTPConnection = _Https(
            str(host),
            port,
            proxy=proxy,
            proxy_config=config,
            ssl_context=tls_context(route.ca_file),
            server_hostname=target.hostname if route.pinned and secure else None,
        )
    else:
        made = _Http(str(host), port, proxy=proxy)
    return made


def is_tunneled(route: Route, target: SplitResult) -> bool:
    """Return whether a proxy only forwards bytes.

    It does so for a pinned address over plain HTTP too: from a request it would replace the Host
    header by the address (RFC 9112, 3.2.2). A proxy with TLS cannot, and gets the request.
    """
    tls_proxy = route.proxy.lower().startswith("https:")
    return target.scheme == "https" or bool(route.pinned and not tls_proxy)


def proxy_headers(auth: str | None) -> dict[str, str]:
    """Return the header with a proxy's credentials."""
    headers = urllib3.make_headers(proxy_basic_auth=auth) if auth else {}
    return {str(name): str(value) for name, value in headers.items()}


def connect(connection: HTTPConnection, route: Route, target: SplitResult, seconds: float) -> None:
    """Open a connection within a time limit; raise Unreachable."""
    connection.timeout = seconds
    if connection.proxy and is_tunneled(route, target):
        headers = proxy_headers(connection.proxy.auth)
        scheme = "https" if connection.proxy.scheme == "https" else "http"
        port = target.port or DEFAULT_PORTS[target.scheme]
        connection.set_tunnel(route.pinned or str(target.hostname), port, headers, scheme)
    try:
        connection.connect()
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(final=True, certificate=True) from error
    except (socket.gaierror, UnicodeError, TimeoutError) as error:
        raise Unreachable(final=True) from error
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        raise Unreachable(final=False) from error


def _open_socket(host: str, port: int, seconds: float) -> socket.socket:
    end = monotonic() + seconds
    addresses = _resolve(host, port, seconds)
    failure: OSError = TimeoutError("connect")
    for n, (family, kind, protocol, _, address) in enumerate(addresses, 1):
        left = end - monotonic()
        if left <= 0:
            break
        sock = socket.socket(family, kind, protocol)
        try:
            # A first address that drops packets must leave time for the others.
            sock.settimeout(left if n == len(addresses) else left / 2)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            # for the TLS handshake, which counts as connecting
            sock.settimeout(max(0.001, end - monotonic()))
            return sock
    raise failure


def _resolve(host: str, port: int, seconds: float) -> list[Address]:
    """Return a host's addresses, cached for a few seconds; an IP address is its own."""
    host = host.strip("[]")
    family = _family(host)
    if family is not None:
        return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]
    return _names.get((host, port), lambda: look_up(host, port, seconds)) or []


def look_up(host: str, port: int, seconds: float) -> list[Address]:
    """Resolve a name within a time limit; getaddrinfo has none, so it runs in a thread."""
    found: list[list[Address] | Exception] = []

    def resolve() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    thread = threading.Thread(target=resolve, name="getaddrinfo", daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        raise TimeoutError("getaddrinfo")
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def _family(host: str) -> socket.AddressFamily | None:
    """Return the family of an IP address; None for a name or an address with a zone."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if "%" in host:
        return None
    return socket.AF_INET6 if address.version == 6 else socket.AF_INET
