"""Error responses: our errors, HTTP's, pydantic's and unexpected ones, translated.

They are JSON, and a page for browsers that open the address of a page.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, jsonify, request
from gunicorn.http.errors import ParseException
from pydantic import ValidationError
from werkzeug.exceptions import (
    HTTPException,
    RequestedRangeNotSatisfiable,
    RequestEntityTooLarge,
)
from werkzeug.exceptions import MethodNotAllowed as WrongMethod

from chatapp.core.events import Error
from chatapp.errors import (
    ChatAppError,
    Internal,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    status_of,
)
from chatapp.i18n import say
from chatapp.settings import MB
from chatapp.web import pages
from chatapp.web.proxies import root_url
from chatapp.web.unparsed import error_of
from chatapp.web.v1.errors import PREFIX, WITHOUT_PREFIX, shaped, speaks_openai

log = logging.getLogger("chatapp.web")

API = ("/api", "/chat", f"{PREFIX}/")
PROGRAMMATIC = (*API, "/mcp", "/static/")  # errors are always JSON
IMPLIED_METHODS = ("HEAD", "OPTIONS")  # accepted everywhere


def init_app(app: Flask) -> None:
    """Register the error handlers."""
    app.register_error_handler(ChatAppError, _error_response)
    app.register_error_handler(HTTPException, http_error_response)
    app.register_error_handler(ParseException, lambda fault: _error_response(error_of(fault)))
    app.register_error_handler(
        RecursionError, lambda _: _error_response(InvalidRequest("body", "unreadable"))
    )
    app.register_error_handler(Exception, _unexpected_error_response)


def _error_response(error: ChatAppError) -> tuple[Response, int]:
    if _wants_page():
        return pages.problem(error_json(error), error.status)
    response, status = _json_response(error.status, error.key, error_json(error), error.retry_after)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response, status


def _wants_page() -> bool:
    """Return whether a browser opens an address that is, or could be, a page."""
    accepted = request.accept_mimetypes.best_match(("application/json", "text/html"))
    return (
        request.method in ("GET", "HEAD")
        and accepted == "text/html"
        and request.blueprint in (None, "pages")
        and not request.path.startswith(PROGRAMMATIC)
    )


def failed_answer_response(event: Error) -> tuple[Response, int]:
    """Return the HTTP error for a failed answer, from its stream's `error` event."""
    return _json_response(status_of(event.code), event.key, _details_of(event), event.retry_after)


def failed_stream_json(event: Error) -> dict[str, Any]:
    """Return the error that ends a stream of /v1."""
    return shaped(status_of(event.code), event.key, _details_of(event)).body


def _details_of(event: Error) -> dict[str, Any]:
    return _details(event.code, event.key, event.params, event.retryable, event.upstream)


def _json_response(
    status: int, key: str, details: dict[str, Any], retry_after: int | None
) -> tuple[Response, int]:
    """Return the response of an error; below /v1 in OpenAI's shape, with its status."""
    if speaks_openai(request.path):
        found = shaped(status, key, details)
        response, status = jsonify(found.body), found.status
        response.headers.update(found.headers)
    else:
        details = {"fields": {}} | details | {"request_id": g.get("request_id", "-")}
        response = jsonify(error=details | g.get("stored_turn", {}))
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response, status


def note_stored_turn(session_id: str, message_id: str) -> None:
    """Add the ids of the stored question and answer to any later error of this request."""
    g.stored_turn = {"session_id": session_id, "message_id": message_id}


def error_json(error: ChatAppError) -> dict[str, Any]:
    """Return an error as JSON, in the reader's language."""
    params: dict[str, Any] = {"request_id": g.get("request_id", "-"), **error.params}
    if not isinstance(error, InvalidRequest):
        upstream = asdict(error.upstream) if error.upstream else None
        return _details(error.code, error.key, params, error.retryable, upstream)
    fields = {
        name: say(g.get("language", "en"), f"server.reason.{why}", more)
        for name, (why, more) in error.reasons.items()
    }
    field, reason = next(iter(fields.items()))
    params |= {"field": field, "reason": reason}
    return _details(error.code, error.key, params, error.retryable) | {"fields": fields}


def stored_error_json(stored: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return an error that was stored with a message or file, in the reader's language."""
    if not stored:
        return None
    retryable, upstream = stored.get("retryable", False), stored.get("upstream")
    return _details(stored["code"], stored["key"], stored.get("params"), retryable, upstream)


def _details(
    code: str,
    key: str,
    params: Mapping[str, Any] | None,
    retryable: bool,
    upstream: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return an error for the current user; what a supplier answered, for administrators only."""
    message = say(g.get("language", "en"), key, params)
    details: dict[str, Any] = {"code": code, "message": message, "retryable": retryable}
    user = g.get("user")
    return details | ({"upstream": upstream} if upstream and user and user.is_admin else {})


def http_error_response(fault: HTTPException) -> Any:
    """Return the response for an HTTP error of Flask or Werkzeug."""
    if fault.response is not None or (fault.code or 500) < 400:
        return fault.get_response()
    if isinstance(fault, RequestEntityTooLarge):
        return _error_response(_too_large())
    if fault.code == HTTPStatus.NOT_FOUND:
        return _error_response(_no_such_address())
    if isinstance(fault, RequestedRangeNotSatisfiable):
        return _range_not_satisfiable(fault)
    if isinstance(fault, WrongMethod):
        return _method_not_allowed(sorted(fault.valid_methods or ()))
    if (fault.code or 500) < 500:
        return _error_response(InvalidRequest("body", "unreadable"))
    return _unexpected_error_response(fault)


def _no_such_address() -> NotFound:
    if request.path in WITHOUT_PREFIX:
        return NotFound("base_url", url=f"{root_url()}{PREFIX}")
    return NotFound("address" if request.path.startswith(API) else None)


def _method_not_allowed(allowed: list[str]) -> tuple[Response, int]:
    listed = ", ".join(method for method in allowed if method not in IMPLIED_METHODS)
    response, status = _error_response(MethodNotAllowed(method=request.method, allowed=listed))
    response.headers["Allow"] = ", ".join(allowed)
    return response, status


def _too_large() -> TooLarge:
    return TooLarge(limit=f"{(request.max_content_length or 0) // MB} MB")


def _range_not_satisfiable(fault: RequestedRangeNotSatisfiable) -> tuple[Response, int]:
    error = InvalidRequest("Range", "range", length=fault.length or 0)
    error.status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    response, status = _error_response(error)
    response.headers["Content-Range"] = f"{fault.units} */{fault.length}"
    return response, status


def _unexpected_error_response(fault: Exception) -> tuple[Response, int]:
    log.error(
        "request %s %s %s failed",
        g.get("request_id", "-"),
        request.method,
        request.path,
        exc_info=fault,
    )
    return _error_response(Internal(request_id=g.get("request_id", "-")))


def raise_invalid_request(fault: ValidationError) -> Response:
    """Raise InvalidRequest for validation errors: each field and what it accepts.

    The input is not echoed.
    """
    if request.method in ("POST", "PUT", "PATCH") and request.get_json(silent=True) is None:
        if len(request.get_data()) == request.max_content_length:  # Werkzeug cuts it there
            raise _too_large()
        raise InvalidRequest("body", _reason_for_body())
    error: InvalidRequest | None = None
    for finding in fault.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in finding["loc"]) or "body"
        reason, params = _reason(finding["type"], finding.get("ctx", {}))
        if ":" in reason:  # a rule over several fields names one of them
            name, _, reason = reason.partition(":")
        found = InvalidRequest(name, reason, **params)
        if error is None:
            error = found
        error.reasons = found.reasons | error.reasons
    raise error or InvalidRequest("body", "wrong")


def _reason_for_body() -> str:
    """Return why a body cannot be validated."""
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
    "too_long": "too_many",
    "too_short": "blank",
    "greater_than_equal": "at_least",
    "less_than_equal": "at_most",
    "literal_error": "one_of",
    "union_tag_invalid": "part_type",
    "datetime_type": "time",
    "datetime_parsing": "time",
    "datetime_from_date_parsing": "time",
}


def _reason(kind: str, context: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if kind == "value_error":
        return str(context["error"]), {}
    if kind == "string_too_short" and context["min_length"] == 1:
        return "blank", {}
    return _REASONS.get(kind, "wrong"), {
        name: value for name, value in context.items() if isinstance(value, int | float | str)
    }
