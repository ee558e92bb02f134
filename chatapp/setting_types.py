"""Parsers of settings: text to value. They raise ValueError, or KeyError, for what is invalid."""

import base64
import re
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from chatapp.addresses import LOOPBACK, is_within, parse_address
from chatapp.core.passwords import weakness
from chatapp.core.pasted import pasted_address

SWITCH_VALUES = dict.fromkeys(("1", "true", "on", "yes"), True) | dict.fromkeys(
    ("0", "false", "off", "no"), False
)
MIN_TOKEN_CHARACTERS = 16
HELPERS = ("chroma", "embedder", "worker")  # as in chatapp/processes/helpers.py
MIN_CONNECTIONS = 5
MOST_ISSUER_CHARACTERS = 500
# An address, a domain, or the value that a claim has or contains.
PERSON = re.compile(r"[^\s@=]*@?[^\s@=]+\.[^\s@=]+|[\w.:/-]+=.+")


WEAK = {
    "short": "setting.password",
    "long": "setting.password.long",
    "repeated": "setting.password.repeated",
    "common": "setting.password.common",
}


class WeakPassword(ValueError):
    """A password that is refused; the text is the catalogue key of the reason."""


def _one_of(value: str, names: tuple[str, ...]) -> str:
    if value not in names:
        raise ValueError
    return value


def text(value: str) -> str:
    return value.strip()


def non_negative(value: str) -> int:
    number = int(value)
    if number < 0:
        raise ValueError
    return number


def at_least_one(value: str) -> int:
    return max(1, non_negative(value))


def path(value: str) -> Path:
    return Path(value).expanduser().absolute()


def file(value: str) -> str:
    if not path(value).is_file():
        raise ValueError
    return str(path(value))


def switch(value: str) -> bool:
    return SWITCH_VALUES[value.strip().lower()]


def names(value: str) -> tuple[str, ...]:
    """Parse a list, separated by commas."""
    return tuple(name.strip() for name in value.split(",") if name.strip())


def percent(value: str, least: int = 0) -> int:
    if not least <= int(value) <= 100:
        raise ValueError
    return int(value)


share = partial(percent, least=5)
log_format = partial(_one_of, names=("text", "json"))
splitting = partial(_one_of, names=("size", "meaning"))
auth = partial(_one_of, names=("accounts", "off"))
url = partial(pasted_address, is_api=False)
server_url = partial(pasted_address, default_scheme="http", is_api=False)


def log_level(value: str) -> str:
    """Parse the name of a level."""
    if value.lower() not in ("auto", "debug", "info", "warning", "error"):
        raise ValueError
    return value.lower()


def bind(value: str) -> str:
    """Parse an address to listen on, with its port."""
    host, colon, port = value.rpartition(":")
    if not (colon and host and port.isdigit() and int(port) < 65536):
        raise ValueError
    return value


def chroma_url(value: str) -> str:
    """Parse the address of a Chroma server; remove the path of its API."""
    return re.sub(r"/api(/v\d+.*)?$", "", server_url(value))


def database_url(value: str) -> str:
    """Check a database's URL; also that its password is encoded, or it would be cut elsewhere."""
    kind, _, rest = value.partition("://")
    if kind == "sqlite":
        return value
    found = re.fullmatch(r"([^/?#]*)([^?#]*)(\?[^#]*)?", rest)
    if kind != "postgresql+psycopg" or found is None or re.search(r"%(?![0-9a-fA-F]{2})", rest):
        raise ValueError
    server, path, query = found[1], found[2], found[3] or ""
    if server.count("@") > 1 or "@" in path or ("@" in query and "@" not in server):
        raise ValueError
    return value


def connections(value: str) -> int:
    """Parse how many connections a web worker may have: three are reserved for running answers."""
    if int(value) < MIN_CONNECTIONS:
        raise ValueError
    return int(value)


def password(value: str) -> str:
    """Check a password."""
    if why := weakness(value):
        raise WeakPassword(WEAK[why])
    return value


def token(value: str) -> str:
    """Check a token, which is sent in a header."""
    if len(value) < MIN_TOKEN_CHARACTERS or not value.isascii() or any(map(str.isspace, value)):
        raise ValueError
    return value


def secret_key(value: str) -> str:
    """Parse a key of 32 bytes in Base64, of either alphabet, such as the content of secret.key."""
    key = value.strip().replace("+", "-").replace("/", "_")
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}=?", key):
        raise ValueError
    return base64.urlsafe_b64encode(base64.urlsafe_b64decode(key[:43] + "=")).decode()


def folder(value: str) -> Path:
    """Parse a folder, which must exist: one that is not mounted would be filled unnoticed."""
    path = Path(value.strip()).expanduser().absolute()
    if not path.is_dir():
        raise ValueError
    return path


def chroma_name(value: str) -> str:
    """Parse the name of a tenant or database of Chroma, which becomes part of an address."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", value.strip()):
        raise ValueError
    return value.strip()


def helpers(value: str) -> tuple[str, ...]:
    """Parse which helpers run here: on, off, or names separated by commas."""
    if (word := value.strip().lower()) in ("1", "true", "on", "yes"):
        return HELPERS
    if word in ("0", "false", "off", "no"):
        return ()
    names = {name.strip() for name in word.split(",") if name.strip()}
    if not names or names - set(HELPERS):
        raise ValueError
    return tuple(name for name in HELPERS if name in names)


def issuer(value: str) -> str:
    """Parse an OpenID Connect issuer. Only on this machine it may do without TLS."""
    parts = urlsplit(value.strip())
    address = parse_address(parts.hostname or "")
    local = parts.hostname == "localhost" or (address and is_within(address, LOOPBACK))
    if not (parts.scheme == "https" or (parts.scheme == "http" and local)) or not parts.hostname:
        raise ValueError
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError
    found = value.strip().removesuffix("/.well-known/openid-configuration").rstrip("/")
    if len(found) > MOST_ISSUER_CHARACTERS:
        raise ValueError
    return found


def origins(value: str) -> tuple[str, ...]:
    """Parse origins of websites, separated by commas."""
    found = names(value)
    if not all(re.fullmatch(r"https?://[^/\s*]+", origin) for origin in found):
        raise ValueError
    return found


def people(value: str) -> tuple[str, ...]:
    """Parse who is meant: domains, addresses and claims (groups=chat), separated by commas."""
    found = names(value)
    if not all(PERSON.fullmatch(part) for part in found):
        raise ValueError
    return found


def header_name(value: str) -> str:
    """Parse the name of a request header."""
    name = value.strip()
    if not re.fullmatch(r"[A-Za-z0-9-]+", name) or name.lower() in ("authorization", "cookie"):
        raise ValueError
    return name
