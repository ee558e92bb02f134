"""The only package that sees Flask's request. One blueprint per resource; here is what all of them share:

who asks (cookie, token, or everybody where accounts are off), from which page, and in which language. All routes are closed
unless they are named in `OPEN`. Errors leave by refusals.py.
"""

import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, redirect, request
from flask.json.provider import DefaultJSONProvider
from pydantic import BaseModel, model_validator

from chatapp.chat.runs.runs import Runs
from chatapp.chat.sessions import Sessions
from chatapp.chat.suppliers import Suppliers
from chatapp.chat.turns import Turns
from chatapp.errors import Forbidden, InvalidRequest, NotFound, OriginRefused, Unauthorized
from chatapp.i18n import choose_language
from chatapp.identity.accounts import Accounts
from chatapp.identity.person import Person
from chatapp.knowledge.bases import Knowledge
from chatapp.settings import Settings
from chatapp.storage.database import Database
from chatapp.web import refusals

LOGIN_COOKIE = "chatapp_session"
OPEN = frozenset(
    {"static", "pages.sign_in", "pages.static_file", "auth.login", "ops.healthz", "ops.readyz"}
)
SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Services:
    """What the views use; made once by `create_app`."""

    settings: Settings
    database: Database
    accounts: Accounts
    sessions: Sessions
    suppliers: Suppliers
    knowledge: Knowledge
    runs: Runs
    turns: Turns


def services() -> Services:
    """Return the services of the app that serves this request."""
    found: Services = current_app.extensions["chatapp"]
    return found


def person() -> Person:
    """Return who asks; every route that is not open has somebody."""
    who: Person = g.user
    return who


def require_admin() -> None:
    """Raise Forbidden for anybody but an administrator."""
    if not person().is_admin:
        raise Forbidden


class Input(BaseModel):
    """What a request brings. NUL is no text: PostgreSQL refuses it, so it is replaced before anything sees it."""

    @model_validator(mode="before")
    @classmethod
    def _without_nul(cls, value: Any) -> Any:
        return _replace_nul(value)


def _replace_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_replace_nul(item) for item in value]
    if isinstance(value, dict):
        return {key: _replace_nul(item) for key, item in value.items()}
    return value


class JSONProvider(DefaultJSONProvider):
    """Times as RFC 3339 in UTC, text as it is."""

    ensure_ascii = False
    sort_keys = False

    @staticmethod
    def default(o: Any) -> Any:
        """Write a time; everything else as Flask does."""
        if isinstance(o, datetime):
            return o.isoformat(timespec="milliseconds") + "Z"
        return DefaultJSONProvider.default(o)


def init_app(app: Flask) -> None:
    """Put the shared parts around all views."""
    app.json = JSONProvider(app)
    app.before_request(_begin)
    app.after_request(_finish)
    refusals.init_app(app)


def _begin() -> Any:
    g.request_id = uuid.uuid4().hex[:12]
    g.language = choose_language(
        [request.cookies.get("chatapp_language", ""), *request.accept_languages.values()]
    )
    g.user = None
    if "\0" in request.path:
        raise NotFound
    if services().settings.auth == "off" and not _is_known_host(
        urlsplit(f"//{request.host}").hostname or ""
    ):
        raise OriginRefused
    origin = request.headers.get("Origin")
    g.foreign = bool(origin) and not _own_origin(origin or "")
    if g.foreign and origin not in services().settings.origins:
        raise OriginRefused
    if request.method == "OPTIONS":
        return Response(status=HTTPStatus.NO_CONTENT)
    g.user = _who()
    if request.endpoint is None or request.endpoint in OPEN:
        return None
    if g.user is None:
        if request.blueprint == "pages" and request.method == "GET":
            return redirect("/sign-in")
        raise Unauthorized("token" if bearer() else None)
    return None


def _who() -> Person | None:
    accounts = services().accounts
    if secret := bearer():
        return accounts.tokens.by_bearer(secret)
    if g.foreign:  # a page of another origin is known by its token alone
        return None
    if services().settings.auth == "off" or request.cookies.get(LOGIN_COOKIE):
        _require_own_page()
    if services().settings.auth == "off":
        return accounts.administrator()
    cookie = request.cookies.get(LOGIN_COOKIE)
    return accounts.tokens.by_login(cookie) if cookie else None


def bearer() -> str:
    """Return the token that a request shows; nothing for a browser's."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _require_own_page() -> None:
    """Refuse a state change that another site makes in the person's browser."""
    if request.method in SAFE:
        return
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise OriginRefused
    if (
        request.mimetype not in ("application/json", "multipart/form-data", "")
        and request.content_length
    ):
        raise InvalidRequest("body", "body_json")
    if request.mimetype == "multipart/form-data" and not (
        {"Origin", "Sec-Fetch-Site"} & set(request.headers.keys())
    ):
        raise OriginRefused


def _is_known_host(host: str) -> bool:
    """Without accounts the name in the address is all that tells us from a site that has its name point here (DNS rebinding).

    Known are addresses, names that no public site can have, and those that the settings name.
    """
    settings = services().settings
    named = {
        settings.bind.rpartition(":")[0],
        *(urlsplit(origin).hostname for origin in settings.origins),
    }
    if host in named or "." not in host or host.endswith((".localhost", ".local")):
        return True
    return bool(re.fullmatch(r"\d+\.\d+\.\d+\.\d+", host))


def _own_origin(origin: str) -> bool:
    return urlsplit(origin).netloc == request.host


def _finish(response: Response) -> Response:
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
    origin = request.headers.get("Origin")
    if origin and g.get("foreign") and origin in services().settings.origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Vary"] = "Origin"
        response.headers["Access-Control-Expose-Headers"] = "X-Request-Id, Retry-After"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Headers"] = (
                "Authorization, Content-Type, Last-Event-ID"
            )
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE"
            response.headers["Access-Control-Max-Age"] = "600"
    return response
