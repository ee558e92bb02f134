"""Remove secrets from a supplier's text: the known ones in any form, and all that looks like a key.

Suppliers repeat keys whole, in part, with blanks between, percent-encoded, as HTML or JSON escapes,
and in Base64 (`Authorization: Basic …`). Pure.
"""

import base64
import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

HIDDEN = "***"
LEAST_CHARACTERS = 4  # of a secret: shorter ones occur in any text
PART_CHARACTERS = 8  # this many characters of a key in a row are hidden, too
_GAP = r"[\s\u200b-\u200f\u2060\ufeff\"'\\+,|]{0,4}"  # between two characters of a split secret
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
# What looks like a key: behind its usual beginnings, a label, or as long random letters and digits.
_BEARER = re.compile(r"\b((?:bearer|basic)\s+)[^\s\"',;<>]{4,}", re.IGNORECASE)
_LABELLED = re.compile(
    r"(\b[\w-]{0,40}(?:key|token|secret|password|passwd|authorization|credential)s?[\"']?\s*[:=]\s*[\"']?)"
    r"(?!bearer\b|basic\b)[^\s\"',;<>]{8,}",
    re.IGNORECASE,
)
_BEGINNINGS = re.compile(
    r"\b(?:[sprt]k|gsk|xai|hf|r8|nvapi|pplx|fw|csk|ghp|gho|github_pat|glpat|xox[abp]|ya29|ak)"
    r"[-_.][A-Za-z0-9*][^\s\"',;<>()]{3,}|\bAIza[\w-]{8,}|\b(?:AKIA|ASIA)[A-Z0-9]{8,}"
    r"|\beyJ[\w-]{8,}(?:\.[\w-]*)*"
)
_RANDOM = re.compile(
    r"(?<![\w/.-])(?!(?:req|request|msg|chatcmpl|resp|gen)[-_])(?=[A-Za-z0-9_]*[0-9])"
    r"(?=[A-Za-z0-9_]*[A-Za-z])[A-Za-z0-9_]{32,}(?:\.[A-Za-z0-9_-]{8,})*"
)
_SECRET_NAME = re.compile(r"key|token|secret|password|credential|authorization", re.IGNORECASE)
_URL_CREDENTIALS = re.compile(r"(://)[^\s/@\"'<>]+@")


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must not be shown. Of `keys`, parts are hidden too; `others` only as they are."""

    keys: tuple[str, ...] = field(default=(), repr=False)
    others: tuple[str, ...] = field(default=(), repr=False)

    def removed_from(self, text: str) -> str:
        """Return a text without them, and without all that looks like a key."""
        keys = _long_enough(self.keys)
        secrets = sorted({*keys, *_long_enough(self.others)}, key=len, reverse=True)
        for decode in _DECODERS:
            shown = decode(text)
            if any(secret in shown and secret not in text for secret in secrets):
                text = shown
        for secret in secrets:
            for form in _forms(secret):
                text = text.replace(form, HIDDEN)
            if secret[0] in text:
                text = re.sub(_GAP.join(map(re.escape, secret)), HIDDEN, text)
        for key in keys:
            text = _without_parts(text, key)
        return _without_lookalikes(text)


def named_secrets(value: Any, name: str = "") -> Iterator[str]:
    """Yield the texts inside a JSON value that are called like a secret."""
    if isinstance(value, Mapping):
        for inner_name, inner in value.items():
            yield from named_secrets(inner, str(inner_name))
    elif isinstance(value, list):
        for inner in value:
            yield from named_secrets(inner, name)
    elif isinstance(value, str) and _SECRET_NAME.search(name):
        yield value


def _without_lookalikes(text: str) -> str:
    text = _BEARER.sub(rf"\1{HIDDEN}", text)
    text = _LABELLED.sub(rf"\1{HIDDEN}", text)
    text = _URL_CREDENTIALS.sub(rf"\1{HIDDEN}@", text)
    return _RANDOM.sub(HIDDEN, _BEGINNINGS.sub(HIDDEN, text))


def _long_enough(secrets: Iterable[str]) -> list[str]:
    return [secret for secret in secrets if len(secret) >= LEAST_CHARACTERS]


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


_DECODERS: tuple[Callable[[str], str], ...] = (_unescaped, html.unescape, unquote)


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as it is and encoded; Base64 at each of the three places it may begin at."""
    yield secret
    yield quote(secret, safe="")
    data = secret.encode()
    yield data.hex()
    for before, start in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(b"x" * before + data).decode().rstrip("=")
        whole = len(encoded) - (1 if (before + len(data)) % 3 else 0)
        if len(form := encoded[start:whole]) >= LEAST_CHARACTERS:
            yield form
            yield form.replace("+", "-").replace("/", "_")


def _without_parts(text: str, key: str) -> str:
    """Hide all runs of a key's characters that are long enough to tell it."""
    hidden = bytearray(len(text))
    for start in range(len(key) - PART_CHARACTERS + 1):
        part = key[start : start + PART_CHARACTERS]
        at = text.find(part)
        while at >= 0:
            hidden[at : at + PART_CHARACTERS] = b"\1" * PART_CHARACTERS
            at = text.find(part, at + 1)
    if not any(hidden):
        return text
    marked = "".join("\0" if hide else letter for letter, hide in zip(text, hidden, strict=True))
    return re.sub("\0+", HIDDEN, marked)
