"""The address of a web page: as people paste it, and in one form for storing and fetching.

Only http and https, no credentials, no host that is a number in disguise, and none of the ports
that browsers refuse because other protocols answer there.
"""

import ipaddress
import re
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import idna

from chatapp.addresses import DEFAULT_PORTS
from chatapp.errors import InvalidRequest

FIELD = "url"
MAX_CHARACTERS = 2000
# https://fetch.spec.whatwg.org/#port-blocking
_OTHER_PROTOCOLS = """
    0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113
    115 117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554
    556 563 587 601 636 989 990 993 995 1719 1720 1723 2049 3659 4045 4190 5060 5061 6000 6566 6665
    6666 6667 6668 6669 6679 6697 10080
"""
BLOCKED_PORTS = frozenset(map(int, _OTHER_PROTOCOLS.split()))
_AROUND = " \t\r\n\u3000<>\"'`\u2018\u2019\u201c\u201d\u300c\u300d\ufeff\u200b\u200e\u200f\u2060"
_CONTROL = re.compile(r"[\0-\x1f\x7f]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?!\d)")
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]*|\d+)")
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_PATH_CHARACTERS = "%/:=&?~+!$,;'@()*[]|"


def page_address(text: str) -> str:
    """Return a pasted address in its stored form; a missing scheme becomes https.

    Raises InvalidRequest, with a reason for each kind of address that is refused.
    """
    text = text.strip(_AROUND)
    if len(text) > MAX_CHARACTERS:
        raise InvalidRequest(FIELD, "too_long", max_length=MAX_CHARACTERS)
    if not text or _CONTROL.search(text):
        raise InvalidRequest(FIELD, "page_url")
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() not in DEFAULT_PORTS:
        raise InvalidRequest(FIELD, "url_scheme")
    try:
        return _normalised(urlsplit(text if scheme else f"https://{text.lstrip('/')}"))
    except ValueError as fault:
        raise InvalidRequest(FIELD, "page_url") from fault


def redirect_address(current: str, location: str) -> str:
    """Return the address that a redirect names; raise InvalidRequest as `page_address` does."""
    try:
        # Header fields are read as Latin-1; servers send UTF-8.
        return page_address(urljoin(current, location.encode("latin-1").decode()))
    except ValueError as fault:
        raise InvalidRequest(FIELD, "page_url") from fault


def split_address(address: str) -> tuple[str, str]:
    """Return the part of a stored address up to the host, and the rest without its slash."""
    scheme, _, rest = address.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}", path


def _normalised(parts: SplitResult) -> str:
    if "@" in parts.netloc:
        raise InvalidRequest(FIELD, "url_credentials")
    host, port = _host(parts.hostname or ""), parts.port
    if "\\" in parts.netloc or not host:
        raise ValueError("host")
    if port in BLOCKED_PORTS:
        raise InvalidRequest(FIELD, "url_port")
    shown = "" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}"
    path = quote(parts.path or "/", safe=_PATH_CHARACTERS)
    query = f"?{quote(parts.query, safe=_PATH_CHARACTERS)}" if parts.query else ""
    return f"{parts.scheme}://{host}{shown}{path}{query}"


def _host(host: str) -> str:
    """Return a host in ASCII: a name, or an IP address in its usual form only.

    `127.1`, `0x7f.1` and `2130706433` are 127.0.0.1 to the system's resolver, and refused.
    """
    if ":" in host:
        return f"[{ipaddress.IPv6Address(_without_zone(host))}]"
    name = host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    name = name.lower().removesuffix(".")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return str(ipaddress.IPv4Address(name))
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise ValueError("host")
    return name


def _without_zone(host: str) -> str:
    if "%" in host:  # an interface of this machine
        raise ValueError("zone")
    return host
