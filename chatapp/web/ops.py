"""What operators and programs ask: alive, ready, the API's description."""

from typing import Any

from flask import current_app, jsonify
from flask_openapi3 import APIBlueprint, OpenAPI
from sqlalchemy import text

from chatapp.children import helpers_run
from chatapp.web import services

bp = APIBlueprint("ops", __name__, doc_ui=False)

REFUSED = {
    "description": "Refused, with a code for programs and a sentence for people.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}},
}
STREAM = {
    "description": "Server-sent events: context, then chunks, then done or error.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}

FILES = {"type": "object", "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}}}
UPLOAD = {"required": True, "content": {"multipart/form-data": {"schema": FILES}}}


@bp.get("/healthz")
def healthz() -> Any:
    """Say that this worker serves; asks nothing else."""
    return jsonify(status="ok")


@bp.get("/readyz")
def readyz() -> Any:
    """Say what is missing, with 503 where answers cannot be stored; without the helpers only new files have to wait."""
    missing = [] if helpers_run(services().settings.home) else ["helpers"]
    try:
        services().database.read(lambda t: t.execute(text("SELECT 1 FROM users")) and None)
    except Exception:
        missing.append("database")
    stored = "database" not in missing
    return jsonify(status="ready" if stored else "not ready", missing=missing), 200 if stored else 503


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
            elif not any(code.startswith("2") for code in operation["responses"]):
                bare = verb == "delete" or path.endswith(("/logout", "/password"))
                operation["responses"]["204" if bare else "200"] = {"description": "Done."}
    return {**spec, "security": [{"token": []}]}
