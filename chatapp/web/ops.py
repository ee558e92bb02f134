"""What operators and programs ask: alive, ready, the API's description."""

import contextlib
import threading
import time
from typing import Any

from flask import current_app, jsonify
from flask_openapi3 import APIBlueprint, OpenAPI
from sqlalchemy import text

from chatapp.home import HEALTH_PATHS, expected, helpers_run, url
from chatapp.knowledge.json_client import ErrorStatus, JsonClient, Unreachable
from chatapp.settings import Settings
from chatapp.web.request import services

bp = APIBlueprint("ops", __name__, doc_ui=False)

ASK_SECONDS = 1

REFUSED = {
    "description": "Refused, with a code for programs and a sentence for people.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}},
}
STREAM = {
    "description": "Server-sent events: context, then chunks, then done or error.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}

LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "schema": {"type": "string"},
    "description": "The id of the last event you have: what follows is sent. A POST then attaches to its answer, asking nothing.",
}
FILES = {
    "type": "object",
    "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
}
UPLOAD = {"required": True, "content": {"multipart/form-data": {"schema": FILES}}}


@bp.get("/healthz")
def healthz() -> Any:
    """Say that this worker serves; asks nothing else."""
    return jsonify(status="ok")


@bp.get("/readyz")
def readyz() -> Any:
    """Say what is missing, with 503 where answers cannot be stored; without the rest, documents are found by their words."""
    missing = [] if helpers_run(services().settings.home) else ["helpers"]
    missing += _silent(services().settings)
    try:
        services().database.read(lambda t: t.execute(text("SELECT 1 FROM users")) and None)
    except Exception:
        missing.insert(0, "database")
    stored = "database" not in missing
    return jsonify(
        status="ready" if stored else "not ready", missing=missing
    ), 200 if stored else 503


def _silent(settings: Settings) -> list[str]:
    """Return the services that do not say within a second that they are well."""
    well: set[str] = set()

    def ask(name: str) -> None:
        with contextlib.suppress(Unreachable, ErrorStatus):
            calls = JsonClient(lambda: url(settings, name), ca_file=settings.ca_file)
            calls.call("GET", HEALTH_PATHS[name], None, ASK_SECONDS)
            well.add(name)

    names = expected(settings)
    deadline = time.monotonic() + ASK_SECONDS
    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    return [name for name in names if name not in well]


@bp.get("/openapi.json")
def openapi() -> Any:
    """Describe the API, from the models at its edge."""
    app = current_app
    assert isinstance(app, OpenAPI)
    return jsonify(describe(app.api_doc))


def describe(spec: dict[str, Any]) -> dict[str, Any]:
    """Put our own error shape, and the streams, into the description that was made from the models."""
    for path, verbs in spec["paths"].items():
        for verb, operation in verbs.items():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = REFUSED
            if verb == "post" and path.endswith("/files"):
                operation["requestBody"] = UPLOAD
            if path.startswith("/chat/stream") and verb != "delete":
                operation["responses"]["200"] = STREAM
                given = operation.get("parameters", [])
                operation["parameters"] = [
                    *(one for one in given if one != LAST_EVENT_ID),
                    LAST_EVENT_ID,
                ]
            elif not any(code.startswith("2") for code in operation["responses"]):
                bare = verb == "delete" or path.endswith(("/logout", "/password"))
                operation["responses"]["204" if bare else "200"] = {"description": "Done."}
    return {**spec, "security": [{"token": []}]}
