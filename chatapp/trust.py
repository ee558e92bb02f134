"""Which certificates to believe when calling others."""

import functools
import ssl

import certifi


@functools.lru_cache(maxsize=8)
def trust(ca_file: str) -> ssl.SSLContext:
    """The certificates to believe: those of the system and of certifi, or only those of the file that a setting names."""
    if ca_file:
        return ssl.create_default_context(cafile=ca_file)
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
