"""The one JSON exit of every error: ours, HTTP's, pydantic's and the unexpected, in the reader's language."""

import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, jsonify, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.exceptions import MethodNotAllowed as WrongMethod

from chatapp.errors import (
    ChatAppError,
    Internal,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    TooLarge,
)
from chatapp.i18n import say
from chatapp.settings import MB

log = logging.getLogger("chatapp.web")

API = ("/api", "/chat")
UNSAID = ("HEAD", "OPTIONS")  # every address takes them


def init_app(app: Flask) -> None:
    """Answer all errors of an app here."""
    app.register_error_handler(ChatAppError, _refuse)
    app.register_error_handler(HTTPException, refuse_http)
    app.register_error_handler(
        RecursionError, lambda _: _refuse(InvalidRequest("body", "unreadable"))
    )
    app.register_error_handler(Exception, _refuse_unexpected)


def _refuse(error: ChatAppError) -> tuple[Response, int]:
    body: dict[str, Any] = error_json(error)
    response = jsonify(error=body | {"request_id": g.get("request_id", "-")} | stored_turn())
    if error.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response, error.status


def stored_turn() -> dict[str, str]:
    """Return where this request's question was stored, nothing where it was not: an error tells its asker."""
    found: dict[str, str] = g.get("stored_turn", {})
    return found


def error_json(error: ChatAppError) -> dict[str, Any]:
    """Put an error into the reader's words."""
    params = {"request_id": g.get("request_id", "-"), **error.params}
    body: dict[str, Any] = {"code": error.code, "retryable": error.retryable}
    if isinstance(error, InvalidRequest):
        language = g.get("language", "en")
        body["fields"] = {
            name: say(language, f"server.reason.{why}", more)
            for name, (why, more) in error.reasons.items()
        }
        field, reason = next(iter(body["fields"].items()))
        params |= {"field": field, "reason": reason}
    return {"message": say(g.get("language", "en"), error.key, params), **body}


def stored_error_json(stored: dict[str, Any] | None) -> dict[str, Any] | None:
    """Put an error that was stored with a message or file into the reader's words."""
    if not stored:
        return None
    message = say(g.language, stored["key"], stored.get("params"))
    return {"code": stored["code"], "message": message, "retryable": stored.get("retryable", False)}


def refuse_http(fault: HTTPException) -> Any:
    """Answer an error of HTTP's own as JSON."""
    if fault.response is not None or (fault.code or 500) < 400:
        return fault.get_response()
    if isinstance(fault, RequestEntityTooLarge):
        return _refuse(TooLarge(limit=f"{(request.max_content_length or 0) // MB} MB"))
    if fault.code == HTTPStatus.NOT_FOUND:
        return _refuse(NotFound("address" if request.path.startswith(API) else None))
    if isinstance(fault, WrongMethod):
        return _refuse_method(sorted(fault.valid_methods or ()))
    if (fault.code or 500) < 500:
        return _refuse(InvalidRequest("body", "unreadable"))
    return _refuse_unexpected(fault)


def _refuse_method(allowed: list[str]) -> tuple[Response, int]:
    said = ", ".join(method for method in allowed if method not in UNSAID)
    response, status = _refuse(MethodNotAllowed(method=request.method, allowed=said))
    response.headers["Allow"] = ", ".join(allowed)
    return response, status


def _refuse_unexpected(fault: Exception) -> tuple[Response, int]:
    log.error(
        "request %s %s %s failed",
        g.get("request_id", "-"),
        request.method,
        request.path,
        exc_info=fault,
    )
    return _refuse(Internal(request_id=g.get("request_id", "-")))


def invalid(fault: ValidationError) -> Response:
    """Turn pydantic's findings into our error: each field and what it takes, never what was sent."""
    if request.method in ("POST", "PUT", "PATCH") and request.get_json(silent=True) is None:
        raise InvalidRequest("body", _fault_of_body())
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


def _fault_of_body() -> str:
    """Say why a body brings nothing to validate."""
    body = request.get_data()
    if not body:
        return "body_empty"
    if not request.is_json:
        return "body_json"
    try:
        body.decode()
    except UnicodeDecodeError:
        return "not_utf8"
    return "object" if body.strip() == b"null" else "not_json"


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
    "finite_number": "number",
    "model_type": "object",
    "json_invalid": "object",
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
    if kind == "string_too_short" and context["min_length"] == 1:
        return "blank", {}
    return _REASONS.get(kind, "wrong"), {
        name: value for name, value in context.items() if isinstance(value, int | float | str)
    }
