"""Checks the origin of requests: CSRF, DNS rebinding, CORS."""

import re
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Response, g, request

from chatapp.errors import InvalidRequest, OriginRefused
from chatapp.web.services import services

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
JSON_OR_UPLOAD = ("application/json", "multipart/form-data", "")


def check_origin() -> Response | None:
    """Refuse unknown hosts and origins; return the response to a CORS preflight.

    Sets `g.cross_origin` for requests from another, allowed origin.
    """
    without_accounts = services().settings.auth == "off"
    if without_accounts and not _is_known_host(urlsplit(f"//{request.host}").hostname or ""):
        raise OriginRefused
    origin = request.headers.get("Origin", "")
    g.cross_origin = bool(origin) and urlsplit(origin).netloc != request.host
    if g.cross_origin and origin not in services().settings.origins:
        raise OriginRefused
    if request.method == "OPTIONS":
        return Response(status=HTTPStatus.NO_CONTENT)
    return None


def refuse_cross_site() -> None:
    """Refuse a state change that another site triggers in the user's browser (CSRF)."""
    if request.method in SAFE_METHODS:
        return
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise OriginRefused
    if request.mimetype not in JSON_OR_UPLOAD and request.content_length:
        raise InvalidRequest("body", "body_json")
    # A form of another site can send multipart without a preflight, so one of these headers is
    # required.
    if request.mimetype == "multipart/form-data" and not (
        {"Origin", "Sec-Fetch-Site"} & set(request.headers.keys())
    ):
        raise OriginRefused


def _is_known_host(host: str) -> bool:
    """Return whether a host name is safe from DNS rebinding.

    Without accounts, this check is the only protection. Safe are IPv4 addresses, names that no
    public site can have, and configured names.
    """
    settings = services().settings
    configured = {
        settings.bind.rpartition(":")[0],
        *(urlsplit(origin).hostname for origin in settings.origins),
    }
    if host in configured or "." not in host or host.endswith((".localhost", ".local")):
        return True
    return bool(re.fullmatch(r"\d+\.\d+\.\d+\.\d+", host))


def add_cors_headers(response: Response) -> None:
    """Allow a configured origin to read this response."""
    origin = request.headers.get("Origin")
    if not (origin and g.get("cross_origin") and origin in services().settings.origins):
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Vary"] = "Origin"
    response.headers["Access-Control-Expose-Headers"] = "X-Request-Id, Retry-After"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Headers"] = (
            "Authorization, Content-Type, Last-Event-ID"
        )
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE"
        response.headers["Access-Control-Max-Age"] = "600"
