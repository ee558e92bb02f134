"""The only package that sees Flask's request. One blueprint per resource; here is what all of them share:

who asks (cookie, token, or everybody where accounts are off), from which page, in which language, and the one JSON exit of
every error. All routes are closed unless they are named in `OPEN`.
"""

import logging
import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, jsonify, redirect, request
from flask.json.provider import DefaultJSONProvider
from pydantic import BaseModel, ValidationError, model_validator
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from chatapp.accounts import Accounts, Person
from chatapp.database import Database
from chatapp.errors import (
    ChatAppError,
    Forbidden,
    Internal,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    OriginRefused,
    TooLarge,
    Unauthorized,
)
from chatapp.knowledge import Knowledge
from chatapp.runs import Runs
from chatapp.sessions import Sessions
from chatapp.settings import MB, Settings
from chatapp.suppliers import Suppliers
from chatapp.turns import Turns
from chatapp.words import choose_language, say

log = logging.getLogger("chatapp.web")

LOGIN_COOKIE = "chatapp_session"
OPEN = frozenset({"static", "pages.sign_in", "pages.static_file", "auth.login", "ops.healthz", "ops.readyz"})
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
    app.register_error_handler(ChatAppError, _refuse)
    app.register_error_handler(HTTPException, _refuse_http)
    app.register_error_handler(RecursionError, lambda _: _refuse(InvalidRequest("body", "unreadable")))
    app.register_error_handler(Exception, _refuse_unexpected)


def _begin() -> Any:
    g.request_id = uuid.uuid4().hex[:12]
    g.language = choose_language([request.cookies.get("chatapp_language", ""), *request.accept_languages.values()])
    g.user = None
    if "\0" in request.path:
        raise NotFound
    if services().settings.auth == "off" and not _is_known_host(urlsplit(f"//{request.host}").hostname or ""):
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
        raise Unauthorized
    return None


def _who() -> Person | None:
    accounts = services().accounts
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret:
        return accounts.by_bearer(secret.strip())
    if g.foreign:  # a page of another origin is known by its token alone
        return None
    if services().settings.auth == "off" or request.cookies.get(LOGIN_COOKIE):
        _require_own_page()
    if services().settings.auth == "off":
        return accounts.administrator()
    cookie = request.cookies.get(LOGIN_COOKIE)
    return accounts.by_login(cookie) if cookie else None


def _require_own_page() -> None:
    """Refuse a state change that another site makes in the person's browser."""
    if request.method in SAFE:
        return
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise OriginRefused
    if request.mimetype not in ("application/json", "multipart/form-data", "") and request.content_length:
        raise InvalidRequest("body", "body_json")
    if request.mimetype == "multipart/form-data" and not ({"Origin", "Sec-Fetch-Site"} & set(request.headers.keys())):
        raise OriginRefused


def _is_known_host(host: str) -> bool:
    """Without accounts the name in the address is all that tells us from a site that has its name point here (DNS rebinding).

    Known are addresses, names that no public site can have, and those that the settings name.
    """
    settings = services().settings
    named = {settings.bind.rpartition(":")[0], *(urlsplit(origin).hostname for origin in settings.origins)}
    if host in named or "." not in host or host.endswith((".localhost", ".local")):
        return True
    return bool(re.fullmatch(r"\d+\.\d+\.\d+\.\d+", host))


def _own_origin(origin: str) -> bool:
    return urlsplit(origin).netloc == request.host


def _finish(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.get("request_id", "-")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if request.blueprint != "pages" and request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    origin = request.headers.get("Origin")
    if origin and g.get("foreign") and origin in services().settings.origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Vary"] = "Origin"
        response.headers["Access-Control-Expose-Headers"] = "X-Request-Id, Retry-After"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Last-Event-ID"
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE"
            response.headers["Access-Control-Max-Age"] = "600"
    return response


def _refuse(error: ChatAppError) -> tuple[Response, int]:
    body: dict[str, Any] = error_json(error)
    body["request_id"] = g.get("request_id", "-")
    response = jsonify(error=body)
    if error.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response, error.status


def error_json(error: ChatAppError) -> dict[str, Any]:
    """Put an error into the reader's words."""
    params = {"request_id": g.get("request_id", "-"), **error.params}
    body: dict[str, Any] = {"code": error.code, "retryable": error.retryable}
    if isinstance(error, InvalidRequest):
        language = g.get("language", "en")
        body["fields"] = {name: say(language, f"server.reason.{why}", more) for name, (why, more) in error.reasons.items()}
        field, reason = next(iter(body["fields"].items()))
        params |= {"field": field, "reason": reason}
    return {"message": say(g.get("language", "en"), error.key, params), **body}


def stored_error_json(stored: dict[str, Any] | None) -> dict[str, Any] | None:
    """Put an error that was stored with a message or file into the reader's words."""
    if not stored:
        return None
    message = say(g.language, stored["key"], stored.get("params"))
    return {"code": stored["code"], "message": message, "retryable": stored.get("retryable", False)}


def _refuse_http(fault: HTTPException) -> Any:
    if fault.response is not None or (fault.code or 500) < 400:
        return fault.get_response()
    if isinstance(fault, RequestEntityTooLarge):
        return _refuse(TooLarge(limit=f"{(request.max_content_length or 0) // MB} MB"))
    if fault.code == HTTPStatus.NOT_FOUND:
        return _refuse(NotFound())
    if fault.code == HTTPStatus.METHOD_NOT_ALLOWED:
        return _refuse(MethodNotAllowed(method=request.method))
    if (fault.code or 500) < 500:
        return _refuse(InvalidRequest("body", "unreadable"))
    return _refuse_unexpected(fault)


def _refuse_unexpected(fault: Exception) -> tuple[Response, int]:
    log.error("request %s %s %s failed", g.get("request_id", "-"), request.method, request.path, exc_info=fault)
    return _refuse(Internal(request_id=g.get("request_id", "-")))


def invalid(fault: ValidationError) -> Response:
    """Turn pydantic's findings into our error: each field and what it takes, never what was sent."""
    if request.method in ("POST", "PUT", "PATCH") and request.get_json(silent=True) is None:
        raise InvalidRequest("body", "not_json" if request.is_json else "body_json")
    error: InvalidRequest | None = None
    for finding in fault.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in finding["loc"]) or "body"
        reason, params = _reason(finding["type"], finding.get("ctx", {}))
        if ":" in reason:  # a rule over several fields names the one to look at
            name, _, reason = reason.partition(":")
        found = InvalidRequest(name, reason, **params)
        if error is None:
            error = found
        error.reasons = found.reasons | error.reasons
    raise error or InvalidRequest("body", "wrong")


_REASONS = {
    "missing": "missing",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "string_type": "text",
    "bool_type": "switch",
    "bool_parsing": "switch",
    "int_parsing": "whole",
    "int_type": "whole",
    "int_from_float": "whole",
    "float_parsing": "number",
    "float_type": "number",
    "model_type": "object",
    "model_attributes_type": "object",
    "dict_type": "object",
    "list_type": "list",
    "greater_than_equal": "at_least",
    "less_than_equal": "at_most",
    "literal_error": "one_of",
}


def _reason(kind: str, context: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if kind == "value_error":
        return str(context["error"]), {}
    return _REASONS.get(kind, "wrong"), {name: value for name, value in context.items() if isinstance(value, int | float | str)}
