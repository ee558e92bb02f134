"""Health, readiness and the API description."""

import contextlib
import threading
import time
from typing import Any

from flask import current_app, jsonify, request
from flask_openapi3 import APIBlueprint, OpenAPI
from sqlalchemy import text

from chatapp.home import helpers_run, url
from chatapp.knowledge.json_client import ErrorStatus, JsonClient, Unreachable
from chatapp.processes.helpers import HEALTH_PATHS, expected
from chatapp.settings import Settings
from chatapp.web.openapi import describe
from chatapp.web.services import services

bp = APIBlueprint("ops", __name__, doc_ui=False)

HEALTH_SECONDS = 1  # until a helper counts as missing


@bp.get("/healthz")
def healthz() -> Any:
    """Respond if this worker is alive; checks nothing else."""
    return jsonify(status="ok")


@bp.get("/readyz")
def readyz() -> Any:
    """List what is missing; 503 if answers cannot be stored.

    Without the helpers, answers and keyword search still work.
    """
    settings = services().settings
    missing = ["helpers"] if settings.helpers and not helpers_run(settings.home) else []
    missing += _unhealthy(settings)
    try:
        services().database.read(lambda t: t.execute(text("SELECT 1 FROM users")) and None)
    except Exception:
        missing.insert(0, "database")
    stored = "database" not in missing
    return jsonify(
        status="ready" if stored else "not ready", missing=missing
    ), 200 if stored else 503


def _unhealthy(settings: Settings) -> list[str]:
    """Return the helpers that do not pass their health check in time."""
    healthy: set[str] = set()

    def check(name: str) -> None:
        with contextlib.suppress(Unreachable, ErrorStatus):
            calls = JsonClient(lambda: url(settings, name), ca_file=settings.ca_file)
            calls.call("GET", HEALTH_PATHS[name], None, HEALTH_SECONDS)
            healthy.add(name)

    names = expected(settings)
    deadline = time.monotonic() + HEALTH_SECONDS
    threads = [threading.Thread(target=check, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    return [name for name in names if name not in healthy]


@bp.get("/openapi.json")
def openapi() -> Any:
    """Return the OpenAPI description."""
    app = current_app
    assert isinstance(app, OpenAPI)
    url = str(services().settings.public_url or request.script_root or "/")
    return jsonify({**describe(app.api_doc), "servers": [{"url": url}]})
