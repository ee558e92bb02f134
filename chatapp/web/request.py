"""Hooks around every view: authentication by cookie or token, language, response headers.

All routes require a user unless they are in `OPEN`. origins.py checks the origin of a request;
errors.py turns exceptions into responses.
"""

import uuid
from datetime import datetime
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, redirect, request
from flask.json.provider import DefaultJSONProvider

from chatapp.errors import Forbidden, NotFound, Unauthorized
from chatapp.i18n import choose_language
from chatapp.identity.person import Person
from chatapp.web import errors, origins
from chatapp.web.services import services

LOGIN_COOKIE = "chatapp_session"
OPEN = frozenset(
    {"static", "pages.sign_in", "pages.static_file", "accounts.login", "ops.healthz", "ops.readyz"}
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
    if "\0" in request.path:
        raise NotFound
    if preflight := origins.check_origin():
        return preflight
    g.user = _authenticate()
    if request.endpoint is None or request.endpoint in OPEN:
        return None
    if g.user is None:
        if request.blueprint == "pages" and request.method == "GET":
            return redirect("/sign-in")
        raise Unauthorized("token" if bearer() else None)
    return None


def _authenticate() -> Person | None:
    accounts = services().accounts
    if secret := bearer():
        return accounts.tokens.by_bearer(secret)
    if g.cross_origin:  # cross-origin requests need a token
        return None
    cookie = request.cookies.get(LOGIN_COOKIE)
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
    if request.blueprint != "pages" and request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault(
            "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"
        )
    origins.add_cors_headers(response)
    return response
