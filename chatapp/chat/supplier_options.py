"""A supplier's options: how they are stored, shown and changed.

Options that may contain keys are encrypted under `SEALED`, the others stored as they are. Shown as
`MASK` are header values, credentials in URLs, and texts in `body` and `provider_options` that are
called like a secret, at any depth; sent back like that, they keep their values.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from chatapp.errors import InvalidRequest
from chatapp.identity.secrets import Secret
from chatapp.storage.models import Supplier

Options: TypeAlias = dict[str, Any]

MASK = "***"
SEALED = "sealed"
_SECRET_NAME = re.compile(
    r"(key|token|secret|password|credentials?|authorization)([_-]?id)?$", re.IGNORECASE
)
SECRET_OPTIONS = ("headers", "proxy", "body", "provider_options")


def unseal(stored: Mapping[str, Any], secret: Secret) -> Options:
    """Return stored options as they are used. Encrypted by another installation, they are lost."""
    options = {name: value for name, value in stored.items() if name != SEALED}
    text = secret.decrypt(str(stored[SEALED]).encode()) if SEALED in stored else ""
    return options | (json.loads(text) if text else {})


def mask(options: Mapping[str, Any]) -> Options:
    """Return options as administrators see them."""
    return {name: _shown(name, value) for name, value in options.items()}


def change(stored: Mapping[str, Any], changes: Mapping[str, Any], secret: Secret) -> Options:
    """Apply changes to stored options and return them as they are stored. Raises as `merge`."""
    return _seal(merge(unseal(stored, secret), changes), secret)


def move(stored: Mapping[str, Any], secret: Secret) -> Options:
    """Return stored options for a new address, which gets none of the old one's secrets.

    The proxy keeps its credentials: they are sent to the proxy only.
    """
    options = unseal(stored, secret)
    return _seal({**_without_secrets(options), **_only(options, "proxy")}, secret)


def merge(current: Mapping[str, Any], changes: Mapping[str, Any]) -> Options:
    """Apply changes: null removes an option, a masked value keeps the current one.

    Raises InvalidRequest for a masked value that has no current value.
    """
    unmasked = {
        name: _unmasked(name, value, current.get(name), f"options.{name}")
        for name, value in changes.items()
    }
    return {name: value for name, value in {**current, **unmasked}.items() if value is not None}


def forget_keys(t: Transaction) -> int:
    """Remove all suppliers' keys and encrypted options; return how many suppliers had some."""
    had = [row for row in t.scalars(select(Supplier)) if row.key or SEALED in row.options]
    for row in had:
        row.key = None
        row.options = {name: value for name, value in row.options.items() if name != SEALED}
    return len(had)


def _only(options: Mapping[str, Any], name: str) -> Options:
    return {name: options[name]} if name in options else {}


def _seal(options: Mapping[str, Any], secret: Secret) -> Options:
    """Return options as they are stored, with the secret ones encrypted."""
    stored = {name: value for name, value in options.items() if name not in SECRET_OPTIONS}
    hidden = {name: options[name] for name in SECRET_OPTIONS if options.get(name)}
    if hidden:
        stored[SEALED] = secret.encrypt(json.dumps(hidden)).decode()
    return stored


def _shown(name: str, value: Any) -> Any:
    """Return a value without its secrets; `name` is what the value is called."""
    if isinstance(value, Mapping):
        if name.lower().endswith("headers"):
            return dict.fromkeys(value, MASK)
        return {key: _shown(key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shown(name, inner) for inner in value]
    if not isinstance(value, str):
        return value
    return MASK if value and _SECRET_NAME.search(name) else _without_credentials(value)


def _unmasked(name: str, given: Any, current: Any, field: str) -> Any:
    """Return a value with its masked parts as they currently are; raise InvalidRequest."""
    if isinstance(given, Mapping):
        kept = current if isinstance(current, Mapping) else {}
        if name.lower().endswith("headers"):  # names are equal in any case
            by_name = {key.lower(): value for key, value in kept.items()}
            kept = {key: by_name.get(key.lower()) for key in given}
        return {key: _unmasked(key, value, kept.get(key), field) for key, value in given.items()}
    if isinstance(given, list):
        kept_items = current if isinstance(current, list) else []
        return [
            _unmasked(name, value, kept_items[n] if n < len(kept_items) else None, field)
            for n, value in enumerate(given)
        ]
    if not isinstance(given, str):
        return given
    if given == MASK and isinstance(current, str):
        return current
    if current is not None and given == _shown(name, current):
        return current
    if given == MASK or f"//{MASK}@" in given:
        raise InvalidRequest(field, "masked")
    return given


def _without_secrets(options: Mapping[str, Any]) -> Options:
    """Return nested options without all values that are shown masked."""
    kept: Options = {}
    for name, value in options.items():
        if isinstance(value, Mapping) and not name.lower().endswith("headers"):
            if (inner := _without_secrets(value)) or not value:
                kept[name] = inner
        elif _shown(name, value) == value:
            kept[name] = value
    return kept


def _without_credentials(text: str) -> str:
    """Mask the credentials of a URL; return any other text as it is."""
    scheme, there, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    if not there or "@" not in authority:
        return text
    return f"{scheme}://{MASK}@{authority.rpartition('@')[2]}{slash}{path}"
