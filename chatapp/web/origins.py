"""Checks the origin of requests: CSRF, DNS rebinding, CORS."""

import re
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Response, g, request
from werkzeug.http import parse_list_header

from chatapp.addresses import MOST_PROXIES, Origin, parse_origin
from chatapp.errors import InvalidRequest, OriginRefused
from chatapp.web.services import services

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
JSON_OR_UPLOAD = ("application/json", "multipart/form-data", "")
ALLOWED_HEADERS = (
    *("Authorization", "Content-Type", "Last-Event-ID"),
    *("MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"),
)
OPENAI_HEADER = re.compile(r"x-stainless-[a-z-]{1,40}|openai-[a-z]{1,20}")  # its clients' own
SHOWN = 200  # characters of a host or origin in an error


def is_cross_origin() -> bool:
    """Return whether a page of another origin sent the request.

    Browsers set `Sec-Fetch-Site` themselves and compare origins before any proxy. They send it to
    HTTPS and to this machine only; the host decides otherwise.
    """
    text = request.headers.get("Origin", "")
    if not text:
        return False
    origin = parse_origin(text)
    if origin is None:  # "null", or not a website
        return True
    if request.headers.get("Sec-Fetch-Site") == "same-origin":
        return False
    public = services().settings.public_url
    ports = ["", *(f":{port}" for port in _forwarded("X-Forwarded-Port"))]
    own = [parse_origin(f"{origin.scheme}://{host}{port}") for host in _hosts() for port in ports]
    return origin not in [*own, public and public.origin]


def check_origin() -> Response | None:
    """Refuse unknown hosts and origins; return the response to a CORS preflight."""
    settings = services().settings
    origin = request.headers.get("Origin", "")
    if g.cross_origin and origin not in settings.origins:
        raise _refusal(origin)
    if settings.auth == "off":
        _refuse_unknown_hosts(parse_origin(origin))
    if request.method == "OPTIONS":
        return Response(status=HTTPStatus.NO_CONTENT)
    return None


def refuse_cross_site() -> None:
    """Refuse a state change that another site triggers in the user's browser (CSRF).

    Browsers send `Origin` with every such request, which `check_origin` has refused. Programs send
    neither of the two headers.
    """
    if request.method in SAFE_METHODS:
        return
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        raise OriginRefused
    if request.mimetype not in JSON_OR_UPLOAD and request.content_length:
        raise InvalidRequest("body", "body_json")


def _hosts() -> list[str]:
    """Return the host as the service was addressed, and as trusted proxies were."""
    return [request.host, *_forwarded("X-Forwarded-Host")]


def _forwarded(name: str) -> list[str]:
    """Return the values of a header that only trusted proxies may send."""
    return parse_list_header(request.headers.get(name, ""))[-MOST_PROXIES:]


def _refusal(origin: str) -> OriginRefused:
    """Return the error for a request of another origin, which may be our own behind a proxy."""
    if parse_origin(origin) is None or "Sec-Fetch-Site" in request.headers:
        return OriginRefused()
    return OriginRefused("proxy", origin=origin[:SHOWN], host=request.host[:SHOWN])


def _refuse_unknown_hosts(origin: Origin | None) -> None:
    """Refuse DNS rebinding, also behind a proxy that hides the host but not the origin."""
    for asked in [*(parse_origin(f"http://{host}") for host in _hosts()), origin]:
        if asked and not _is_known_host(asked.host):
            raise OriginRefused("host", host=asked.host[:SHOWN])


def _is_known_host(host: str) -> bool:
    """Return whether a host name is safe from DNS rebinding.

    Without accounts, this check is the only protection. Safe are IPv4 addresses, names that no
    public site can have, and configured names.
    """
    settings = services().settings
    configured = {
        settings.bind.rpartition(":")[0],
        settings.public_url and settings.public_url.origin.host,
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
        response.headers["Access-Control-Allow-Headers"] = ", ".join(_allowed_headers())
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE"
        response.headers["Access-Control-Max-Age"] = "600"


def _allowed_headers() -> list[str]:
    asked = parse_list_header(request.headers.get("Access-Control-Request-Headers", ""))
    return [*ALLOWED_HEADERS, *(name for name in asked if OPENAI_HEADER.fullmatch(name.lower()))]
