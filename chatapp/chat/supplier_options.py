"""A supplier's options: how they are stored, shown and changed.

Options that may contain keys are encrypted under `SEALED`, the others stored as they are. Header
values and a proxy's credentials are shown as `MASK`; sent back like that, they keep their values.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from chatapp.errors import InvalidRequest
from chatapp.identity.secrets import Secret

Options: TypeAlias = dict[str, Any]

MASK = "***"
SEALED = "sealed"
SECRET_OPTIONS = ("headers", "proxy", "body", "provider_options")


def unseal(stored: Mapping[str, Any], secret: Secret) -> Options:
    """Return stored options as they are used. Encrypted by another installation, they are lost."""
    options = {name: value for name, value in stored.items() if name != SEALED}
    text = secret.decrypt(str(stored[SEALED]).encode()) if SEALED in stored else ""
    return options | (json.loads(text) if text else {})


def mask(options: Mapping[str, Any]) -> Options:
    """Return options as administrators see them."""
    shown = dict(options)
    if headers := options.get("headers"):
        shown["headers"] = dict.fromkeys(headers, MASK)
    if proxy := options.get("proxy"):
        shown["proxy"] = _without_credentials(proxy)
    return shown


def change(stored: Mapping[str, Any], changes: Mapping[str, Any], secret: Secret) -> Options:
    """Apply changes to stored options and return them as they are stored. Raises as `merge`."""
    return _seal(merge(unseal(stored, secret), changes), secret)


def merge(current: Mapping[str, Any], changes: Mapping[str, Any]) -> Options:
    """Apply changes: null removes an option, a masked value keeps the current one.

    Raises InvalidRequest for a masked header that has no current value.
    """
    merged = {**current, **changes}
    if changes.get("headers"):
        merged["headers"] = _unmask(changes["headers"], current.get("headers") or {})
    if changes.get("proxy") and changes["proxy"] == mask(current).get("proxy"):
        merged["proxy"] = current["proxy"]
    return {name: value for name, value in merged.items() if value is not None}


def _seal(options: Mapping[str, Any], secret: Secret) -> Options:
    """Return options as they are stored, with the secret ones encrypted."""
    stored = {name: value for name, value in options.items() if name not in SECRET_OPTIONS}
    hidden = {name: options[name] for name in SECRET_OPTIONS if options.get(name)}
    if hidden:
        stored[SEALED] = secret.encrypt(json.dumps(hidden)).decode()
    return stored


def _unmask(given: Mapping[str, str], current: Mapping[str, str]) -> dict[str, str]:
    by_name = {name.lower(): value for name, value in current.items()}
    if any(value == MASK and name.lower() not in by_name for name, value in given.items()):
        raise InvalidRequest("options.headers", "masked")
    return {
        name: by_name[name.lower()] if value == MASK else value for name, value in given.items()
    }


def _without_credentials(proxy: str) -> str:
    parts = urlsplit(proxy)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{MASK}@{host}" if "@" in parts.netloc else host).geturl()
