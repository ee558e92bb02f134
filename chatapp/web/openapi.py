"""The OpenAPI description: completes what flask-openapi3 derives from views and models."""

from typing import Any

from pydantic.json_schema import models_json_schema

from chatapp.web.stream_events import EVENTS

SCHEMAS = "#/components/schemas/"
ERROR = {
    "description": "An error, with a code for programs and a message for people.",
    "content": {"application/json": {"schema": {"$ref": f"{SCHEMAS}ErrorBody"}}},
}
STREAM = {
    "description": (
        "Server-sent events. Each event has one of these JSON objects in `data`. `context` comes "
        "first; exactly one `done` or `error` ends the stream. The events `context`, `chunk` and "
        "`error` are unnamed; all others have their `type` as the SSE event name."
    ),
    "content": {"text/event-stream": {"schema": {"$ref": f"{SCHEMAS}StreamEvent"}}},
}
LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "schema": {"type": "string"},
    "description": (
        "Id of the last event received; the stream resumes after it. On a POST, resumes that "
        "answer instead of asking a question."
    ),
}
UPLOAD = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["files"],
                "properties": {
                    "files": {"type": "array", "items": {"type": "string", "format": "binary"}}
                },
            }
        },
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["url"],
                "properties": {
                    "url": {"type": "string", "description": "the address of a web page to add"}
                },
            }
        },
    },
}
IMPORT = {
    "required": True,
    "content": {"multipart/form-data": UPLOAD["content"]["multipart/form-data"]},  # type: ignore[index]
}
ZIP = {
    "description": "A ZIP file.",
    "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
}
FILE_CONTENT = {
    "description": "The original file.",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
PAGE_IMAGE = {
    "description": "The image of the page.",
    "content": {
        kind: {"schema": {"type": "string", "format": "binary"}}
        for kind in ("image/png", "image/jpeg")
    },
}
OPEN_OPERATIONS = {"login"}  # need no token


def operation_id(*, bp_name: str, name: str, path: str, method: str) -> str:
    """Return a view function's name in camel case, for client generators."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def describe(spec: dict[str, Any]) -> dict[str, Any]:
    """Add what flask-openapi3 cannot derive: errors, streams, files, plain text."""
    operations = {
        operation["operationId"]: operation
        for verbs in spec["paths"].values()
        for operation in verbs.values()
    }
    for name, operation in operations.items():
        _complete(name, operation)
    operations["uploadKnowledgeFiles"]["requestBody"] = UPLOAD
    operations["importSessions"]["requestBody"] = IMPORT
    operations["exportAllSessions"]["responses"]["200"] = ZIP
    operations["downloadKnowledgeFile"]["responses"]["200"] = FILE_CONTENT
    operations["getKnowledgeFilePage"]["responses"]["200"] = PAGE_IMAGE
    export = operations["exportSession"]["responses"]["200"]["content"]
    export["text/markdown"] = {"schema": {"type": "string"}}
    for name in ("askStream", "resumeStream"):
        operations[name]["responses"]["200"] = STREAM
        _add_parameter(operations[name], LAST_EVENT_ID)
    _add_stream_events(spec["components"]["schemas"])
    return {**spec, "security": [{"token": []}]}


def _complete(name: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    responses["default"] = ERROR
    if not any(code.startswith("2") for code in responses):
        responses["204"] = {"description": "No content"}
    operation["summary"] = operation["summary"].rstrip(".")
    if "description" in operation:  # flask-openapi3 joins the lines of a docstring with <br/>
        operation["description"] = operation["description"].replace("<br/>", "\n").strip()
    if name in OPEN_OPERATIONS:
        operation["security"] = []


def _add_parameter(operation: dict[str, Any], parameter: dict[str, Any]) -> None:
    given = operation.get("parameters", [])
    operation["parameters"] = [*(each for each in given if each != parameter), parameter]


def _add_stream_events(schemas: dict[str, Any]) -> None:
    """Add the events of a stream, and `StreamEvent`, which is one of them."""
    _, made = models_json_schema(
        [(event, "validation") for event in EVENTS.values()], ref_template=SCHEMAS + "{model}"
    )
    for name, schema in made["$defs"].items():
        schemas.setdefault(name, schema)
    refs = {kind: f"{SCHEMAS}{event.__name__}" for kind, event in EVENTS.items()}
    schemas["StreamEvent"] = {
        "title": "StreamEvent",
        "description": "The JSON object in the `data` of a server-sent event.",
        "oneOf": [{"$ref": ref} for ref in refs.values()],
        "discriminator": {"propertyName": "type", "mapping": refs},
    }
