"""What operators and programs ask: alive, ready, the API's description."""

from typing import Any

from flask import current_app, jsonify
from flask_openapi3 import APIBlueprint, OpenAPI
from sqlalchemy import text

from chatapp.web import services

bp = APIBlueprint("ops", __name__, doc_ui=False)


@bp.get("/healthz")
def healthz() -> Any:
    """Say that this worker serves; asks nothing else."""
    return jsonify(status="ok")


@bp.get("/readyz")
def readyz() -> Any:
    """Say what is missing, with 503 where answers cannot be stored."""
    missing: list[str] = []
    try:
        services().database.read(lambda t: t.execute(text("SELECT 1 FROM users")) and None)
    except Exception:
        missing.append("database")
    return jsonify(status="ready" if not missing else "not ready", missing=missing), 503 if missing else 200


@bp.get("/openapi.json")
def openapi() -> Any:
    """Describe the API, from the models at its edge."""
    app = current_app
    assert isinstance(app, OpenAPI)
    return jsonify(app.api_doc)
