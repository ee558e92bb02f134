"""Hooks around every view: authentication by cookie or token, language, response headers.

All routes require a user unless they are in `OPEN`; scopes.py limits some tokens. origins.py checks
the origin of a request; errors.py turns exceptions into responses.
"""

import logging
import re
import time
import uuid
from datetime import datetime
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, redirect, request
from flask.json.provider import DefaultJSONProvider

from chatapp.errors import Forbidden, NotFound, Unauthorized
from chatapp.i18n import choose_language
from chatapp.identity.person import Person
from chatapp.logs import of_request
from chatapp.metrics import figures
from chatapp.web import errors, origins
from chatapp.web.cookies import login_cookie
from chatapp.web.proxies import proxy_user
from chatapp.web.scopes import require_scope
from chatapp.web.services import services
from chatapp.web.unparsed import ERROR
from chatapp.web.v1.errors import speaks_openai

OPEN = frozenset(
    {
        "pages.diagram",
        "pages.sign_in",
        "pages.static_file",
        "manifest.manifest",
        "metrics.get_metrics",
        "accounts.login",
        "ops.healthz",
        "ops.readyz",
        "provider.callback",
        "provider.start",
        "shared.shared_chat",
    }
)
# Addresses in citations, which people open in a browser.
OPENED = frozenset({"knowledge.download_knowledge_file"})
# With a token of their own; they answer also while the database is away.
WITHOUT_PERSON = frozenset({"metrics.get_metrics"})
# Of a proxy or a client: printable, without blanks, quotes or brackets, so that lines stay clear.
REQUEST_ID = re.compile(r"[A-Za-z0-9._:/@+=~-]{1,100}")

access_log = logging.getLogger("chatapp.access")


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
    g.request_id = _request_id()
    g.began = time.monotonic()
    of_request(request_id=g.request_id, address=request.remote_addr or "")
    g.language = choose_language(
        [request.cookies.get("chatapp_language", ""), *request.accept_languages.values()]
    )
    g.user, g.signed_in_by = None, None
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
    if request.endpoint in WITHOUT_PERSON:
        return None
    g.user = _authenticate()
    if g.user is not None:
        of_request(request_id=g.request_id, user_id=g.user.id, address=request.remote_addr or "")
    if request.endpoint is None or is_open:
        return None
    if g.user is None:
        if _shows_a_page():
            return redirect(f"{request.script_root}/sign-in")
        raise Unauthorized("token" if bearer() else None)
    require_scope(g.user, request.endpoint)
    return None


def _shows_a_page() -> bool:
    if request.blueprint == "pages" and request.method == "GET":
        return True
    return request.endpoint in OPENED and request.headers.get("Sec-Fetch-Mode") == "navigate"


def _authenticate() -> Person | None:
    accounts = services().accounts
    if secret := bearer():
        person = accounts.tokens.by_bearer(secret)
        if person is not None or not _any_token_passes():
            g.signed_in_by = "token"
            return person
    if g.cross_origin:  # cross-origin requests need a token
        return None
    if services().settings.auth == "off":
        origins.refuse_cross_site()
        return accounts.administrator()
    if named := proxy_user():
        origins.refuse_cross_site()
        g.signed_in_by = "proxy"
        return named
    if cookie := login_cookie().read():
        origins.refuse_cross_site()
        g.signed_in_by = "login"
        return accounts.tokens.by_login(cookie)
    return None


def _any_token_passes() -> bool:
    """Return whether a token that is unknown does no harm: OpenAI's clients insist on sending one,
    also where there are no accounts."""
    off = services().settings.auth == "off"
    return off and not g.cross_origin and speaks_openai(request.path)


def _request_id() -> str:
    """Return the request's own id, so that it is found in a proxy's log too, else a new one."""
    sent = request.headers.get("X-Request-Id", "")
    return sent if REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex[:12]


def _after_request(response: Response) -> Response:
    figures.REQUESTS.record(1, f"{response.status_code // 100}xx")
    if services().settings.access_log:
        _log_access_at_the_end(response)
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


def _log_access_at_the_end(response: Response) -> None:
    """Log a request once its response was sent: its route, since addresses may hold secrets."""
    method, status, began = request.method, response.status_code, g.get("began", time.monotonic())
    route = request.url_rule.rule if request.url_rule else "-"

    def log() -> None:
        took = round((time.monotonic() - began) * 1000)
        access_log.info("%s %s status=%d ms=%d", method, route, status, took)

    response.call_on_close(log)
