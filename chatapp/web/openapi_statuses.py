"""The error statuses of each operation, for the OpenAPI description."""

from collections.abc import Iterable
from typing import Any

from chatapp.errors import ChatAppError, Malformed
from chatapp.web.v1.errors import speaks_openai

SCHEMA = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
ERROR = {
    "description": "An error, with a code for programs and a message for people.",
    "content": SCHEMA,
}
OPENAI_ERROR = {
    "description": "An error in OpenAI's shape.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/OpenAIErrorBody"}}},
}
OPENAI_STATUSES = {402: 429, 409: 404, 422: 400}  # instead of ours, below /v1
RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds until the request may succeed, if known.",
        "schema": {"type": "integer"},
    }
}
WAITS = {401, 429, 503}  # with Retry-After
BODY_METHODS = ("post", "put", "patch", "delete")

ALWAYS = {400, 403, 500, 503}  # without 401, which the open operations have only by themselves
WITH_INPUT = {422}
WITH_BODY = {408, 413, 422}
WRITES = {507}
# An answer that has not been stored: the supplier's errors are statuses of POST /chat only.
ASKING = {402, 404, 409, 413, 415, 422, 429, 502, 504}
BY_OPERATION = {
    "ask": ASKING,
    "askStream": {404, 409, 413, 415, 422, 429},
    "resumeStream": {429},
    "login": {401},
    "setPassword": {401},
    "uploadImage": {408, 413, 415, 422},
    "deleteImage": {409, 422},
    "importSessions": {408, 413, 422},
    "uploadKnowledgeFiles": {408, 413, 415, 422},
    "uploadToNewKnowledgeBase": {408, 413, 415, 422},
    "fetchKnowledgeFile": {422},
    "getKnowledgeFilePage": {422},
    "listSuggestions": {404},
    "getMetrics": {404},
    "listSupplierModels": {402, 422, 429, 502, 504},
    "createShare": {422},
    "callMcp": {404, 408, 413},
    "createChatCompletion": ASKING,
    "createResponse": ASKING,
    "createEmbeddings": {404, 429, 502, 504},
}


def errors_of(name: str, method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    """Return the error responses of an operation, by status."""
    statuses = ALWAYS | BY_OPERATION.get(name, set())
    if operation.get("security") != []:
        statuses = statuses | {401}
    if "requestBody" in operation:
        statuses = statuses | WITH_BODY
    if any(given["in"] == "query" for given in operation.get("parameters", [])):
        statuses = statuses | WITH_INPUT
    if "{" in path:
        statuses = statuses | {404}
    if method in BODY_METHODS:
        statuses = statuses | WRITES
    if speaks_openai(path):
        mapped = {OPENAI_STATUSES.get(status, status) for status in statuses}
        return dict.fromkeys(map(str, sorted(mapped)), OPENAI_ERROR) | {"default": OPENAI_ERROR}
    named = {str(status): {"$ref": f"#/components/responses/Error{status}"} for status in statuses}
    return {**dict(sorted(named.items())), "default": ERROR}


def error_responses() -> dict[str, Any]:
    """Return the responses that operations refer to, with the codes that each status may have."""
    codes: dict[int, set[str]] = {400: {Malformed.code}}
    for kind in _all_errors():
        codes.setdefault(kind.status, set()).add(kind.code)
    return {
        f"Error{status}": {
            "description": "An error: " + ", ".join(f"`{code}`" for code in sorted(found)),
            "content": SCHEMA,
            **({"headers": RETRY_AFTER} if status in WAITS else {}),
        }
        for status, found in sorted(codes.items())
        if status >= 400
    }


def _all_errors() -> Iterable[type[ChatAppError]]:
    found: list[type[ChatAppError]] = [ChatAppError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return found
