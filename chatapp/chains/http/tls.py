"""TLS trust for outgoing calls, and which addresses are this machine's."""

import functools
import ipaddress
import ssl
from urllib.parse import urlsplit

import certifi


@functools.lru_cache(maxsize=8)
def tls_context(ca_file: str) -> ssl.SSLContext:
    """Return a TLS context that trusts the system's and certifi's CAs, or the file's alone."""
    if ca_file:
        return ssl.create_default_context(cafile=ca_file)
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


@functools.lru_cache(maxsize=256)
def is_loopback(base_url: str) -> bool:
    """Return whether an address is on this machine, which no proxy can reach."""
    try:
        host = urlsplit(base_url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
