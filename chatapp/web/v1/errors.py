"""Our errors in OpenAI's shape, with the statuses by which its clients choose an exception.

Every error of an address below /v1 is made in web/errors.py, which asks this module for the shape.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

PREFIX = "/v1"
# Addresses that clients ask whose base URL lacks the prefix.
WITHOUT_PREFIX = ("/models", "/chat/completions", "/responses", "/embeddings")
# Statuses after which OpenAI's clients repeat a request by themselves.
REPEATED = (408, 409, 429)


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What an error of ours is in OpenAI's protocol; an empty code stands for our own."""

    status: int
    type: str = "invalid_request_error"
    code: str = ""


_MEANINGS = {
    "invalid_request": _Meaning(400),
    "unauthorized": _Meaning(401, code="invalid_api_key"),
    "forbidden": _Meaning(403, "permission_error"),
    "origin_refused": _Meaning(403, "permission_error"),
    "not_found": _Meaning(404),
    "model_gone": _Meaning(404, code="model_not_found"),
    "no_model": _Meaning(404, code="model_not_found"),
    "too_large": _Meaning(413, code="request_too_large"),
    "context_too_long": _Meaning(400, code="context_length_exceeded"),
    "quota_used": _Meaning(429, "insufficient_quota", "insufficient_quota"),
    "upstream_rate_limit": _Meaning(429, "rate_limit_error", "rate_limit_exceeded"),
    "upstream_quota": _Meaning(429, "insufficient_quota", "insufficient_quota"),
    "upstream_refused": _Meaning(400),
}
_RATE_LIMIT = _Meaning(429, "rate_limit_error", "rate_limit_exceeded")
_NO_MODEL = _Meaning(404, code="model_not_found")
# Catalogue keys that mean something else than the other errors of their code.
_SPECIAL = {
    "error.upstream_refused.content": _Meaning(400, code="content_filter"),
    "error.upstream_refused.model": _NO_MODEL,
    "error.not_found.embedder": _NO_MODEL,
    "error.not_found.embedding_model": _NO_MODEL,
}
_PLACE = re.compile(r"\.(\d+)")
# Fields of ours that a client of /v1 knows by another name.
_FIELDS = {"images": "messages", "body": None, "question": "messages"}


@dataclass(frozen=True, slots=True)
class Shaped:
    """An error as it is sent: HTTP status, JSON body, further headers."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


def speaks_openai(path: str) -> bool:
    """Return whether errors of an address have OpenAI's shape."""
    return path == PREFIX or path.startswith(f"{PREFIX}/") or path in WITHOUT_PREFIX


def shaped(status: int, key: str, details: Mapping[str, Any]) -> Shaped:
    """Return an error in OpenAI's shape, from our status, catalogue key and details."""
    meaning = _meaning(status, key, str(details["code"]))
    headers = {}
    again = meaning.status in REPEATED or meaning.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if again and not details.get("retryable"):
        headers["x-should-retry"] = "false"
    return Shaped(meaning.status, {"error": _error(meaning, details)}, headers)


def _meaning(status: int, key: str, code: str) -> _Meaning:
    if status == HTTPStatus.TOO_MANY_REQUESTS and code not in _MEANINGS:
        return _RATE_LIMIT
    if key in _SPECIAL:
        return _SPECIAL[key]
    server = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    other = _Meaning(status, "server_error" if server else "invalid_request_error")
    meaning = _MEANINGS.get(code, other)
    # Some errors have other statuses than their kind, such as a head that is too long.
    own = code == "too_large" or (code == "invalid_request" and status not in (400, 422))
    return _Meaning(status, meaning.type, meaning.code) if own else meaning


def _error(meaning: _Meaning, details: Mapping[str, Any]) -> dict[str, Any]:
    place: str | None = next(iter(details.get("fields") or ()), None)
    if place is not None:
        place = _FIELDS.get(place, place)
    elif meaning.code == "model_not_found":
        place = "model"
    elif meaning.code == "context_length_exceeded":
        place = "messages"
    return {
        "message": details["message"],
        "type": meaning.type,
        "param": _PLACE.sub(r"[\1]", place) if place else None,
        "code": meaning.code or details["code"],
    }
