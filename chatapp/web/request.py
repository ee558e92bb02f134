"""Hooks around every view: authentication by cookie or token, language, response headers.

All routes require a user unless they are in `OPEN`. origins.py checks the origin of a request;
errors.py turns exceptions into responses.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, redirect, request
from flask.json.provider import DefaultJSONProvider

from chatapp.addresses import parse_origin
from chatapp.errors import Forbidden, NotFound, Unauthorized
from chatapp.i18n import choose_language
from chatapp.identity.person import Person
from chatapp.web import errors, origins
from chatapp.web.services import services
from chatapp.web.unparsed import ERROR

OPEN = frozenset(
    {
        "pages.diagram",
        "pages.sign_in",
        "pages.static_file",
        "manifest.manifest",
        "accounts.login",
        "ops.healthz",
        "ops.readyz",
        "shared.shared_chat",
    }
)


def current_user() -> Person:
    """Return the user of this request; only routes in `OPEN` may have none."""
    user: Person = g.user
    return user


def require_admin() -> None:
    """Raise Forbidden unless the user is an administrator."""
    if not current_user().is_admin:
        raise Forbidden


def bearer() -> str:
    """Return the bearer token of this request, or an empty string."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


@dataclass(frozen=True, slots=True)
class LoginCookie:
    """The cookie of a browser's login, without its value."""

    name: str
    path: str
    secure: bool


def login_cookie() -> LoginCookie:
    """Return this service's cookie.

    Browsers send cookies to all ports of a host and to all paths below theirs, so port and path are
    part of the name: two services on one machine must not sign each other out. For the prefixes,
    see https://www.rfc-editor.org/rfc/rfc6265bis section 4.1.3.
    """
    public = services().settings.public_url
    origin = public.origin if public else parse_origin(f"{request.scheme}://{request.host}")
    secure = request.is_secure or (public is not None and public.origin.scheme == "https")
    path = request.script_root
    prefix = ("__Secure-" if path else "__Host-") if secure else ""
    port = f"_{origin.port}" if origin and not origin.has_default_port else ""
    return LoginCookie(
        f"{prefix}chatapp_session{port}{path.replace('/', '.')}", path or "/", secure
    )


class JSONProvider(DefaultJSONProvider):
    """JSON with times as RFC 3339 in UTC, and text unescaped."""

    ensure_ascii = False
    sort_keys = False

    @staticmethod
    def default(o: Any) -> Any:
        """Encode times; leave other types to Flask."""
        if isinstance(o, datetime):
            return o.isoformat(timespec="milliseconds") + "Z"
        return DefaultJSONProvider.default(o)


def init_app(app: Flask) -> None:
    """Register the hooks and error handlers that all views share."""
    app.json = JSONProvider(app)
    app.before_request(_before_request)
    app.after_request(_after_request)
    errors.init_app(app)


def _before_request() -> Any:
    g.request_id = uuid.uuid4().hex[:12]
    g.language = choose_language(
        [request.cookies.get("chatapp_language", ""), *request.accept_languages.values()]
    )
    g.user = None
    if error := request.environ.get(ERROR):
        raise error
    if "\0" in request.path:
        raise NotFound
    g.cross_origin = origins.is_cross_origin()
    is_open = request.endpoint in OPEN
    if not (is_open and request.method in ("GET", "HEAD")) and (
        preflight := origins.check_origin()
    ):
        return preflight
    g.user = _authenticate()
    if request.endpoint is None or is_open:
        return None
    if g.user is None:
        if request.blueprint == "pages" and request.method == "GET":
            return redirect(f"{request.script_root}/sign-in")
        raise Unauthorized("token" if bearer() else None)
    return None


def _authenticate() -> Person | None:
    accounts = services().accounts
    if secret := bearer():
        return accounts.tokens.by_bearer(secret)
    if g.cross_origin:  # cross-origin requests need a token
        return None
    cookie = request.cookies.get(login_cookie().name)
    if services().settings.auth == "off":
        origins.refuse_cross_site()
        return accounts.administrator()
    if cookie:
        origins.refuse_cross_site()
        return accounts.tokens.by_login(cookie)
    return None


def _after_request(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.get("request_id", "-")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if response.status_code == HTTPStatus.NO_CONTENT:
        response.headers.remove("Content-Type")
    if request.blueprint != "pages":
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault(
            "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"
        )
    origins.add_cors_headers(response)
    return response
