"""The OpenAPI description: completes what flask-openapi3 derives from views and models."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from chatapp.web.openapi_bodies import (
    ACCEPT_LANGUAGE,
    EXAMPLES,
    LAST_EVENT_ID,
    REQUESTS,
    RESPONSES,
    SCHEMAS,
    SHAPES,
    STREAMS,
)
from chatapp.web.openapi_statuses import error_responses, errors_of
from chatapp.web.stream_events import EVENTS
from chatapp.web.v1.shapes import ChatCompletionChunk, OpenAIErrorBody, OpenAIResponseEvent

TOKEN: list[dict[str, list[str]]] = [{"token": []}]
OPEN_OPERATIONS = {"login"}  # need no token


def operation_id(*, bp_name: str, name: str, path: str, method: str) -> str:
    """Return a view function's name in camel case, for client generators."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def describe(spec: dict[str, Any]) -> dict[str, Any]:
    """Add what flask-openapi3 cannot derive: errors, streams, files, plain text, examples."""
    for path, verbs in spec["paths"].items():
        for method, operation in verbs.items():
            _complete(method, path, operation)
    export = spec["paths"]["/api/sessions/{session_id}/export"]["get"]
    export["responses"]["200"]["content"]["text/markdown"] = {"schema": {"type": "string"}}
    spec["components"]["schemas"] |= SHAPES
    _add_stream_events(spec["components"]["schemas"])
    spec["components"]["responses"] = error_responses()
    return {**spec, "security": TOKEN}


def _complete(method: str, path: str, operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    operation["security"] = [] if name in OPEN_OPERATIONS else TOKEN
    operation["summary"] = operation["summary"].rstrip(".")
    if "description" in operation:  # flask-openapi3 joins the lines of a docstring with <br/>
        operation["description"] = operation["description"].replace("<br/>", "\n").strip()
    if name in REQUESTS:
        operation["requestBody"] = REQUESTS[name]
    if name in EXAMPLES:
        operation["requestBody"]["content"]["application/json"]["example"] = EXAMPLES[name]
    done = {
        status: response
        for status, response in operation["responses"].items()
        if status.startswith("2")
    } | RESPONSES.get(name, {})
    if name in STREAMS:
        done["200"]["content"]["text/event-stream"] = STREAMS[name]
    if not done:
        done = {"204": {"description": "No content"}}
    if name in ("askStream", "resumeStream"):
        _add_parameter(operation, LAST_EVENT_ID)
    if len(operation.get("requestBody", {}).get("content", {})) > 1:
        _add_parameter(operation, ACCEPT_LANGUAGE)
    responses = errors_of(name, method, path, operation) | done
    operation["responses"] = dict(sorted(responses.items()))


def _add_parameter(operation: dict[str, Any], parameter: dict[str, Any]) -> None:
    given = operation.get("parameters", [])
    operation["parameters"] = [*(each for each in given if each != parameter), parameter]


def _add_stream_events(schemas: dict[str, Any]) -> None:
    """Add the events of streams, and `StreamEvent`, which is one of /chat's."""
    models: list[type[BaseModel]] = [
        *EVENTS.values(),
        ChatCompletionChunk,
        OpenAIResponseEvent,
        OpenAIErrorBody,
    ]
    _, made = models_json_schema(
        [(model, "validation") for model in models], ref_template=SCHEMAS + "{model}"
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
