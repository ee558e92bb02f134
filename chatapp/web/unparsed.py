"""Answers to requests that gunicorn cannot parse, as JSON or as a page, like all other errors."""

from flask import Flask
from gunicorn.http.errors import (
    ConfigurationProblem,
    ExpectationFailed,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from chatapp.errors import AddressTooLong, ChatAppError, HeadTooLarge, Internal, Malformed

ERROR = "chatapp.error"  # in the environment of a request: what it is answered with
NAMES = ("accept", "accept-language", "cookie")  # what decides about shape and language
OURS = (ConfigurationProblem, InvalidResponseHeader, InvalidResponseHeaderName)
STATUSES = {UnsupportedTransferCoding: 501, ExpectationFailed: 417}


def answer(app: Flask, fault: Exception) -> bytes:
    """Return a whole HTTP response."""
    request = getattr(fault, "request", None)
    path = getattr(request, "path", None) or ""
    method = getattr(request, "method", None) or "GET"
    builder = EnvironBuilder(
        path=f"/{path.lstrip('/')}",
        method=method if method in ("GET", "HEAD") else "POST",
        headers=_headers(bytes(getattr(request, "head", b""))),
    )
    environ = builder.get_environ()
    environ[ERROR] = error_of(fault)
    response = Response.from_app(app, environ, buffered=True)
    response.headers["Connection"] = "close"
    head = f"HTTP/1.1 {response.status}\r\n{response.headers}"
    return head.encode("latin-1") + response.get_data()


def error_of(fault: Exception) -> ChatAppError:
    """Return our error for one of gunicorn's."""
    if isinstance(fault, ChatAppError):
        return fault
    if not isinstance(fault, ParseException) or isinstance(fault, OURS):
        return Internal()
    if isinstance(fault, LimitRequestHeaders):
        return HeadTooLarge()
    if isinstance(fault, LimitRequestLine):
        return AddressTooLong()
    return Malformed(STATUSES.get(type(fault), Malformed.status))


def _headers(head: bytes) -> Headers:
    """Return what decides about the shape of the answer, as far as the head was read."""
    found = Headers()
    for line in head.split(b"\r\n"):
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() in NAMES and value.isprintable():
            found.add(name, value.strip())
    return found
