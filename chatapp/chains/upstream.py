"""Suppliers' refusals as our errors. What a refusal means is in refusals.py.

An error's sentence is `error.<code>` in static/i18n; web/errors.py and core/sse.py send it. A
supplier's own text is kept in `error.upstream`, without secrets, for administrators alone; it is
never part of a sentence.
"""

import logging
from typing import Any

import orjson

from chatapp.chains.error_body import read_error
from chatapp.chains.redaction import Secrets
from chatapp.chains.refusals import Kind, kind_of
from chatapp.chains.upstream_errors import (
    UpstreamAuth,
    UpstreamError,
    UpstreamProtocol,
    UpstreamQuota,
    UpstreamRateLimit,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from chatapp.errors import ChatAppError, ContextTooLong, SupplierAnswer

log = logging.getLogger(__name__)
LOGGED_CHARACTERS = 500
TOLD_CHARACTERS = 2000  # of a supplier's text, for administrators
READ_CHARACTERS = 8000  # of it, before secrets are removed
SHORT_FOR_A_DAY_SECONDS = 120

_DETAILS = {
    Kind.RIGHTS: (UpstreamAuth, "rights"),
    Kind.AUTH: (UpstreamAuth, None),
    Kind.QUOTA: (UpstreamQuota, None),
    Kind.REGION: (UpstreamRefused, "region"),
    Kind.PICTURES: (UpstreamRefused, "pictures"),
    Kind.UNLOADED: (UpstreamRefused, "unloaded"),
    Kind.MODEL: (UpstreamRefused, "model"),
    Kind.CONTENT: (UpstreamRefused, "content"),
    Kind.REFUSED: (UpstreamRefused, None),
    Kind.SETTING: (UpstreamRefused, None),
    Kind.OVERLOADED: (UpstreamError, "overloaded"),
    Kind.LOADING: (UpstreamError, "loading"),
    Kind.MEMORY: (UpstreamError, "memory"),
    Kind.GATEWAY: (UpstreamError, "gateway"),
    Kind.PAGE: (UpstreamProtocol, "page"),
    Kind.ADDRESS: (UpstreamProtocol, None),
    Kind.PROXY: (UpstreamUnreachable, "proxy"),
}


def refusal(
    status: int, body: Any, supplier: str, model: str, retry_after: int | None = None
) -> ChatAppError:
    """Return our error for a supplier's; `status` is 0 for an error event inside a stream."""
    said = read_error(body)
    status = status or said.status
    kind = kind_of(status, said)
    if kind in (Kind.RATE, Kind.DAY):
        return _limited(kind, supplier, retry_after)
    if kind is Kind.CONTEXT:
        return ContextTooLong()
    if kind is Kind.FAULT and not status:
        return UpstreamError("event", supplier=supplier)
    of, detail = _DETAILS.get(kind, (UpstreamError, None))
    params: dict[str, str | int] = {"supplier": supplier}
    if detail in ("model", "unloaded", "memory", "loading", "pictures"):
        params["model"] = model
    if of is UpstreamError and status:
        params["status"] = status
    error = of(detail, retry_after=retry_after if of.retryable else None, **params)
    if isinstance(error, UpstreamRefused) and detail is None:
        error.names = said.names
    return error


def _limited(kind: Kind, supplier: str, seconds: int | None) -> ChatAppError:
    """Return the error of a rate limit. Google tells seconds for a limit per day, too."""
    if seconds and (kind is Kind.RATE or seconds > SHORT_FOR_A_DAY_SECONDS):
        return UpstreamRateLimit("after", retry_after=seconds, supplier=supplier, seconds=seconds)
    return UpstreamRateLimit("day" if kind is Kind.DAY else None, supplier=supplier)


def unreachable(supplier: str, certificate: bool = False) -> ChatAppError:
    """Return the error for no connection to the supplier."""
    return UpstreamUnreachable("certificate" if certificate else None, supplier=supplier)


def too_slow(supplier: str, seconds: int) -> ChatAppError:
    """Return the error for a supplier that did not answer in time."""
    return UpstreamTimeout(supplier=supplier, seconds=seconds)


def cut(supplier: str) -> ChatAppError:
    """Return the error for an incomplete answer."""
    return UpstreamError("cut", supplier=supplier)


def garbled(supplier: str, body: Any = None) -> ChatAppError:
    """Return the error for a response that is not a chat answer; `body` is what it was."""
    return UpstreamProtocol("page" if read_error(body).page else None, supplier=supplier)


def with_answer(
    error: ChatAppError, supplier: str, status: int, body: Any, secrets: Secrets
) -> ChatAppError:
    """Keep with an error what the supplier answered, and log it at debug. Return the error."""
    text = _shown(body, secrets)
    if text.strip():
        error.upstream = SupplierAnswer(status, text[:TOLD_CHARACTERS])
    log.debug(
        "supplier %s answered status %d: %s", supplier, status, ascii(text[:LOGGED_CHARACTERS])
    )
    return error


def _shown(body: Any, secrets: Secrets) -> str:
    """Return a body as text that every database stores, without secrets."""
    if isinstance(body, dict | list):
        try:
            body = orjson.dumps(body)
        except (TypeError, ValueError):  # lone surrogates
            body = str(body)
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    text = text[:READ_CHARACTERS].encode(errors="replace").decode().replace("\0", "\ufffd")
    return secrets.removed_from(text)


def packed(supplier: str, coding: str) -> ChatAppError:
    """Return the error for a response in a coding that cannot be undone."""
    return UpstreamProtocol("coding", supplier=supplier, coding=coding)
